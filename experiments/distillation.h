#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "datasets/text/pairs.h"
#include "experiments/corpus.h"
#include "experiments/inference/interrupted.h"
#include "experiments/inference/run.h"
#include "experiments/requested_settings.h"
#include "experiments/settings.h"

namespace heed {

/// Which lines a teacher translates, and what the student reads besides.
struct DistillationOptions {
  std::vector<std::string> train;   // DATA; empty: what the teacher was trained on
  std::vector<std::string> valid;   // DATA; empty: what the teacher was validated on
  std::vector<std::string> fields;  // of these
  std::string sources;              // a file of lines to translate; "": the sources of the pairs
  bool back = false;                // the teacher's outputs become sources
  bool mix = false;                 // the student reads the pairs themselves too
  Index lines = 0;                  // the most; 0: all, of an endless corpus 20,000
  std::map<std::string, FieldValue> decoding = {};  // over the teacher's settings: "beam" ...

  /// The fields that have an option of their own: sources, back, mix, lines.
  void list(Fields& f);
};

/// An option is missing, or contradicts another. The message begins with its name.
struct DistillationError : Error {
  using Error::Error;
};

/// What became of the lines.
struct DistilledLines {
  Index pairs = 0;       // as they were given, beside what the teacher wrote
  Index translated = 0;  // pairs of a line and the teacher's output
  Index blank = 0;       // dropped: lines without text
  Index too_long = 0;    // dropped: lines of more tokens than the teacher was trained to read
  Index without = 0;     // dropped: the output is blank, or was cut before it ended
  Index validation = 0;  // dropped: pairs of other data that the student is validated on
};
/// "18211 lines translated; dropped: 3 blank, 2 too long for the teacher"
std::string to_text(const DistilledLines& lines);

/// How far a teacher is. Any function may be left out.
struct DistillationObservers {
  std::function<void(const std::string& line)> on_line = {};  // what is done, and about how long
  /// `left`: seconds, as the lines until now went.
  std::function<void(Index done, Index lines, double left)> on_progress = {};
  ShouldStop should_stop = {};
};

/// Sequence-level knowledge distillation (Kim and Rush 2016, section 3.2): a student is trained on
/// pairs (x, y'), where y' is what a teacher's beam search gives for x, in place of argmax over all
/// y of the teacher's p(y | x).
///
/// With `back` it is back-translation (Sennrich et al. 2016, "Improving neural machine translation
/// models with monolingual data"): the teacher translates lines y of the student's target language,
/// and the student reads (y', y) besides pairs.
///
///     Distillation distillation("runs/large", "", {}, "runs/small");
///     distillation.write();
///     std::string warning;
///     const Settings settings = distillation.settings(requested, warning);
///     Training(settings, "runs/small", {.tokenizers = distillation.tokenizers()}).run();
///
/// Of an endless corpus, distinct sources are taken.
class Distillation {
 public:
  /// `checkpoint`: of the teacher, as for open_run(). `folder`: of the student's run. Throws Error
  /// where the teacher gives no texts for texts, and DistillationError.
  Distillation(const std::string& teacher, const std::string& checkpoint,
               DistillationOptions options, std::filesystem::path folder);

  /// Writes the pairs to read to FOLDER/distilled.jsonl, and those to validate on, which no teacher
  /// wrote, to FOLDER/distilled.valid.jsonl. Where an earlier call was interrupted, goes on: the
  /// files are the same, byte for byte. Does nothing where they are complete.
  ///
  /// Throws
  /// - RunFolderError where the folder holds anything else;
  /// - Error where the folder holds pairs of another teacher, other lines or options;
  /// - Error where no pair is left, or data are wrong;
  /// - Interrupted where it should stop.
  DistilledLines write(const DistillationObservers& observers = {});

  /// The settings of the student that is asked for, with the teacher's tokenizers. Before write(),
  /// with the teacher's data: what is wrong is found before hours of translating. Throws Error as
  /// new_settings() does, and where a tokenizer other than the teacher's is asked for.
  Settings settings(const RequestedSettings& requested, std::string& warning) const;
  /// The teacher's; with `back` source and target are exchanged.
  Tokenizers tokenizers() const;
  const Run& teacher() const { return teacher_; }

 private:
  struct Data {
    std::unique_ptr<PairSource> pairs;  // null: none are read
    std::unique_ptr<PairSource> valid;  // null: none
    bool other = false;                 // pairs that the teacher did not read
  };
  Data open_data() const;
  Data open_other_data() const;
  std::unique_ptr<PairSource> lines_of_file() const;
  std::map<std::string, std::string> identity(const PairSource& lines, const Data& data) const;
  bool reads_pairs() const { return options_.mix || options_.back; }

  DistillationOptions options_;
  std::filesystem::path folder_;
  Settings teacher_settings_;
  Run teacher_;
  std::string teacher_name_;
  DecodeOptions decode_;
};

/// The files that a distillation writes into a run's folder.
std::filesystem::path distilled_path(const std::filesystem::path& folder);
std::filesystem::path distilled_valid_path(const std::filesystem::path& folder);

}  // namespace heed
