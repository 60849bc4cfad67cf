#pragma once

#include <functional>
#include <memory>
#include <string>

#include "datasets/text/tokenizer.h"
#include "framework/fields.h"
#include "framework/registry.h"
#include "models/families.h"

namespace heed {

class RunSettings;

/// A row of the table of tasks: what is read, and what a model is to give. Training and testing
/// have a row of the same name in task_works().
struct Task {
  std::string name;
  std::string help;
  /// The settings of the task's own.
  AnyOptions options = {};
  /// Defaults of settings that do not belong to the task, where they differ from the usual ones.
  Assignments defaults = {};
  bool reads_pairs = true;  // false: one running text
  bool labelled = false;    // the second of a pair is the name of a class
  bool decodes = true;      // outputs are written token by token
  /// Whether a family makes a model for it.
  std::function<bool(const ModelFamily&)> takes;
  /// A model with these settings and first weights. Throws ArgumentError where an option is out of
  /// range.
  std::function<std::unique_ptr<Model>(const RunSettings&, const Tokenizers&, Random&)> make;
};

/// translate, classify and lm, and what a program adds.
Registry<Task>& tasks();

/// The task of a family where none is named: the first that takes it.
const Task& usual_task(const ModelFamily& family);

}  // namespace heed
