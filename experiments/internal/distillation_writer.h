#pragma once

#include <filesystem>
#include <string>
#include <unordered_set>
#include <vector>

#include "datasets/text/pairs.h"
#include "experiments/distillation.h"
#include "experiments/inference/translation.h"
#include "experiments/internal/distilled_file.h"

namespace heed {

/// The pair with its sides exchanged.
Pair swapped(Pair pair);

/// Translates the sources of lines and writes the pairs, blank lines and those too long left out.
class DistillationWriter {
 public:
  /// Translates the first `count` of `lines`. `back`: the outputs become sources. `left_out`:
  /// hashes of the pairs (hash_of()) that are not to be written.
  DistillationWriter(const Run& teacher, const DecodeOptions& decode, bool back,
                     std::unordered_set<std::uint64_t> left_out, const PairSource& lines,
                     Index count, const std::filesystem::path& path);

  /// `given`: pairs to write first; null: none. Goes on where an earlier call was interrupted.
  /// Throws Error where no pair is left, or the file is damaged; Interrupted.
  DistilledLines write(const PairSource* given, const DistillationObservers& observers);

 private:
  std::size_t longest_line() const;
  bool is_left_out(const Pair& pair) const;
  std::vector<Index> choose(Index begin, DistilledLines& counts) const;
  Index go_on(const PairSource* given);
  Index go_on_translating(Index records);
  Translations translate_lines(const std::vector<Index>& chosen) const;
  void translate_block(const std::vector<Index>& chosen);
  std::string plan(Index first) const;

  const Run& teacher_;
  const DecodeOptions& decode_;
  bool back_;
  std::unordered_set<std::uint64_t> left_out_;
  const PairSource& lines_;
  Index count_;
  std::size_t longest_;
  DistilledFile file_;
  DistilledLines done_;
};

}  // namespace heed
