#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "framework/fields.h"
#include "framework/registry.h"
#include "models/encoders.h"
#include "models/language_model.h"
#include "models/seq2seq.h"

namespace heed {

/// The sizes of a model's embeddings.
struct VocabularySizes {
  Index target = 0;
  Index source = 0;  // 0: both sides have one vocabulary
};

/// Values of settings, by their keys: {"optim.lr", 6e-3}.
using Assignments = std::vector<std::pair<std::string, FieldValue>>;

/// A row of the table of model families. To add a family is to write it and its row.
struct ModelFamily {
  std::string name;
  std::string help;
  std::string paper;
  /// The options with which a training begins. They list at least `d` and `dropout`.
  AnyOptions options;
  bool attends = true;  // from one sequence to the other
  /// Defaults of settings that do not belong to the model, where they differ from the usual ones.
  Assignments defaults = {};
  // What it makes. A function that is missing: the family makes no such model.
  std::function<std::unique_ptr<Seq2Seq>(const AnyOptions&, VocabularySizes, Random&)> make = {};
  std::function<std::unique_ptr<LanguageModel>(const AnyOptions&, Index vocabulary, Random&)>
      make_language_model = {};
  std::function<std::unique_ptr<Encoder>(const AnyOptions&, Random&)> make_encoder = {};
  /// How one row is made of a sequence that its encoder has read: a row of poolings().
  std::string pool = "mean";
  /// The largest number of tokens of a side, without </s>, that the model can place; 0: any number.
  std::function<Index(const AnyOptions&)> longest_side = [](const AnyOptions&) { return Index{0}; };
};

/// The families that can be chosen by name: transformer, conv, lm, rnn and, for each attention that
/// does not depend on distances, rnn+ATTENTION.
Registry<ModelFamily>& model_families();

}  // namespace heed
