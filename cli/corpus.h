#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/settings.h"
#include "datasets/pairs.h"
#include "datasets/tokenizer.h"
#include "framework/sequences.h"

namespace heed::cli {

/// What a run trains and validates on, ready for the Trainer.
struct Corpus {
  Tokenizers tokenizers;
  // null for lm
  std::unique_ptr<PairSource> train_pairs;
  std::unique_ptr<PairSource> valid_pairs;
  std::unique_ptr<BatchStream> train;
  std::vector<Batch> valid;
  std::string description;  // for people, a line or two
  Index epoch_batches =
      0;  // of train.epochs, as far as reading one tells; counted only where there is such a limit
  bool epochs_are_alike = true;  // then that is exact
  /// Of what a run must find again when it is resumed: "data.train", "data.valid" and "tokenizer"
  /// ("SOURCE TARGET" where there are two).
  std::map<std::string, std::string> fingerprints;
  // of data that a run begins with: none where the tokenizers are known
  std::vector<std::string> warnings;
};

/// Opens data.train and data.valid. `tokenizers`: of the run that is resumed, none to train them. A
/// live line shows what takes long.
Corpus open_corpus(const Settings& settings, const Tokenizers& tokenizers);

/// Pairs to validate or evaluate on: `data` as the user gave it; of an endless corpus the first
/// `lines` of its test split.
std::unique_ptr<PairSource> open_evaluation_pairs(const std::vector<std::string>& data,
                                                  const std::vector<std::string>& fields,
                                                  Index lines, Split split,
                                                  const ReadOptions& options = {});

}  // namespace heed::cli
