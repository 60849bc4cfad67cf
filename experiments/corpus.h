#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "datasets/text/batch.h"
#include "datasets/text/pairs.h"
#include "datasets/text/tokenizer.h"
#include "experiments/observers.h"
#include "experiments/settings.h"

namespace heed {

/// The training and validation data of a run, ready for the Trainer.
struct Corpus {
  Tokenizers tokenizers;
  // both null for a language model
  std::unique_ptr<PairSource> train_pairs;
  std::unique_ptr<PairSource> valid_pairs;
  std::unique_ptr<BatchStream> train;
  std::vector<Batch> valid;
  std::string valid_text;   // of a language model
  std::string description;  // one line for the user
  // The number of batches in train.epochs; counted only where there is such a limit. An estimate
  // where the epochs differ.
  Index epoch_batches = 0;
  bool epochs_are_alike = true;  // then epoch_batches is exact
  /// Fingerprints of what a resumed run must find unchanged: "data.train", "data.valid" and
  /// "tokenizer" ("SOURCE TARGET" where there are two).
  std::map<std::string, std::string> fingerprints;
  std::vector<std::string> warnings;  // of a new run only
};

/// Opens data.train and data.valid, for the task of the settings. `tokenizers`: those of a resumed
/// run; where they are empty, the tokenizers are trained. `observer` is told what takes long;
/// throws Interrupted where it asks for the end.
Corpus open_corpus(const Settings& settings, const Tokenizers& tokenizers,
                   const PreparationObserver& observer = {});
/// What open_corpus() does for pairs, labelled or not, and for one running text.
Corpus open_pair_corpus(const Settings& settings, const Tokenizers& tokenizers,
                        const PreparationObserver& observer);
Corpus open_text_corpus(const Settings& settings, const Tokenizers& tokenizers,
                        const PreparationObserver& observer);

/// The pairs that a run reads.
struct PairParts {
  std::unique_ptr<PairSource> train;
  std::unique_ptr<PairSource> valid;  // null: none
};
/// Opens the pairs that a run with these settings is trained and validated on. The latter are
/// data.valid, the validation part of a built-in corpus, or what is held out of data.train.
PairParts open_pair_parts(const RunSettings& settings);
/// The second of these alone. Reads data.train only where they are held out of it.
std::unique_ptr<PairSource> open_validation_pairs(const RunSettings& settings);

/// The number of pairs of an endless corpus that a run is validated on.
inline constexpr Index toy_valid_lines = 500;

/// Opens pairs to validate or evaluate on. `data`: as the user gave it. Of an endless corpus, only
/// the first `lines` pairs of `split` are taken. `source`: what their sources are.
std::unique_ptr<PairSource> open_evaluation_pairs(const std::vector<std::string>& data,
                                                  const std::vector<std::string>& fields,
                                                  Index lines, Split split,
                                                  const ReadOptions& options = {},
                                                  const SourceKind& source = sources().at("text"));

}  // namespace heed
