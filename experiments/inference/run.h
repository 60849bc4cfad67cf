#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "datasets/text/pairs.h"
#include "datasets/text/tokenizer.h"
#include "experiments/settings.h"
#include "models/decode/decode.h"
#include "models/model.h"

namespace heed::cli {

/// Files in a run's folder.
std::filesystem::path config_path(const std::filesystem::path& folder);
/// Only runs that `heed import` made have this file. They cannot be resumed.
std::filesystem::path imported_path(const std::filesystem::path& folder);

/// The tokenizers of a run: tokenizer.json, or tokenizer.source.json and tokenizer.target.json.
Tokenizers load_tokenizers(const std::filesystem::path& folder);
void save_tokenizers(const Tokenizers& tokenizers, const std::filesystem::path& folder);

/// A finished (or interrupted) run, opened for use.
struct Run {
  Settings settings;
  Tokenizers tokenizers;
  std::unique_ptr<Seq2Seq> model;  // switched to evaluation
  std::filesystem::path checkpoint;
  std::map<std::string, std::string> text;  // of the checkpoint: what it was trained with
};

/// Opens a run with the named checkpoint; by default with its best one, or the last where nothing
/// was validated.
///
/// Throws Error, one line, where
/// - the folder is not a run,
/// - a part of the run is missing or damaged,
/// - the settings or the tokenizers are not those that the checkpoint was trained with.
Run open_run(const std::string& folder, const std::string& checkpoint = {});
/// The help of --checkpoint.
inline constexpr const char* checkpoint_help =
    "last, best or one such as step-000400 (default: best, else last)";
/// The end of an error message about a checkpoint: "; there is step-000400, best (--checkpoint
/// NAME)".
/// "" where there is no other checkpoint than `not_this`.
std::string other_checkpoints(const std::string& folder, const std::filesystem::path& not_this);

/// The settings of a run. Throws Error where the folder holds none.
Settings read_run_settings(const std::string& folder);
/// The settings that a checkpoint holds. `path`: its name in messages.
Settings settings_of_checkpoint(const std::string& toml, const std::string& path);

/// A hash of the tokenizer; "SOURCE TARGET" where there are two.
std::string fingerprint_of(const Tokenizers& tokenizers);
/// These two throw Error, one line, where config.toml or a tokenizer of the run in `folder` is not
/// the one that the checkpoint was trained with. `text`: the texts of the checkpoint. Checkpoints
/// of older versions do not say everything; what they do not say is not checked. Settings that a
/// resumed run may change may differ, and so may the names of the data.
void check_same_settings(const std::string& folder, const Settings& settings,
                         const std::map<std::string, std::string>& text);
void check_same_tokenizers(const std::string& folder, const Tokenizers& tokenizers,
                           const std::map<std::string, std::string>& text);

struct TotalLoss {
  double sum = 0;  // nats
  Index tokens = 0;
  double per_token() const { return sum / static_cast<double>(tokens > 0 ? tokens : 1); }
};
/// The cross entropy of all gold tokens. The caller switches the model to evaluation.
TotalLoss total_loss(const Seq2Seq& model, const std::vector<Batch>& batches);

/// The options that a run's settings give. Where decode.max_length sets no limit, an output has at
/// most data.max_length tokens, as in training; where that sets none either, 1,024, so that a long
/// line does not take too long.
DecodeOptions decode_options(const Settings& settings);

/// The largest number of tokens of a source, with </s>: what the model can place, at most 16,384.
/// The cost of attention grows with the square of this number.
std::size_t longest_source(const Seq2Seq& model);
/// The source as the model reads it: with </s>, cut to longest_source() tokens. Empty for a blank
/// line. Where the model copies, `extra` gets the unknown words.
std::vector<Id> encode_source(const Seq2Seq& model, const Tokenizers& tokenizers,
                              const std::string& line, std::vector<std::string>& extra);

struct Translation : Hypothesis {
  std::string text;
};
/// Translates lines. Returns the outputs of each, best first; none for a blank line. Lines of
/// similar length are decoded in one batch. `first`: the number of the first line, on which the
/// random numbers of samples depend.
std::vector<std::vector<Translation>> translate(const Decoder& decoder,
                                                const Tokenizers& tokenizers,
                                                std::span<const std::string> lines,
                                                const DecodeOptions& options,
                                                std::uint64_t first = 0);

}  // namespace heed::cli
