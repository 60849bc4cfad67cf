#pragma once

#include <optional>

#include "experiments/settings.h"

namespace heed {

struct PictureSize {
  Index height = 0;
  Index width = 0;
  bool colour = false;
};

/// What the raw text of data.train says before a training begins. Means are over its first pairs.
struct DataFacts {
  bool known = false;  // false: the data have no end, or cannot be read twice
  Index items = 0;     // pairs, or labelled texts; of one running text 1
  bool blanks = true;  // whether blanks separate the words of both sides
  // Means of an item.
  double source_words = 0;
  double target_words = 0;  // of a label and of a running text 0
  double source_characters = 0;
  double target_characters = 0;
  /// Of pictures: the first one. Built-in corpora have it too.
  std::optional<PictureSize> picture = {};

  double words() const { return static_cast<double>(items) * (source_words + target_words); }
  /// Whether the targets are summaries: at most a third as long as their sources, in words and in
  /// characters.
  bool summaries() const;
  /// The tokens of a mean side under a tokenizer, an estimate: subwords are taken for 1.25 a word,
  /// or one for 5 characters where spaces are rare.
  double source_tokens(const std::string& tokenizer) const;
  double target_tokens(const std::string& tokenizer) const;
};

/// Reads data.train as data.fields and task.name say. Facts are unknown of built-in corpora, of
/// what can be read only once, such as a pipe, and of data with faults: opening them names these.
/// Throws Error where pictures cannot be opened: without their size there is no model.
DataFacts survey(const Settings& settings);

}  // namespace heed
