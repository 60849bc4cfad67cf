#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/inference/sources.h"
#include "experiments/inference/tasks.h"
#include "framework/fields.h"
#include "models/decode/decode.h"
#include "models/families.h"

namespace heed {

/// What a model is trained on, and how it is cut into tokens and batches.
struct DataSettings {
  std::vector<std::string> train;
  std::vector<std::string> valid;
  std::vector<std::string> fields;
  std::string tokenizer = "words";
  Index min_count = 2;
  Index vocab_size = 0;
  bool joint_vocabulary = true;
  double subword_sampling = 0;
  std::string letter_case = "keep";
  Index batch_tokens = 2048;
  Index max_length = 512;
  std::string long_pairs = "drop";
  std::string blank = "skip";
  double valid_fraction = 0.05;

  /// `task`, `family`, `model`: of what is trained on them.
  void list(Fields& f, const Task& task, const ModelFamily& family, const AnyOptions& model);
};

/// The family of a model, and the options of that family.
struct ModelSettings {
  std::string name = "transformer";
  AnyOptions options = model_families().at("transformer").options;

  const ModelFamily& family() const { return model_families().at(name); }
  /// The largest number of tokens of a side, without </s>, that the model can place; 0: any number.
  Index longest_side() const { return family().longest_side(options); }
  /// The setting that says so, where there is a limit.
  std::string longest_key() const;
  void list(Fields& f);
};

/// What a model is to give, and the task's own options.
struct TaskSettings {
  std::string name = "translate";
  AnyOptions options = tasks().at("translate").options;

  const Task& row() const { return tasks().at(name); }
  void choose(const std::string& task) {
    name = task;
    options = row().options;
  }
  /// `family`: of the model.
  void list(Fields& f, const ModelFamily& family);
};

/// What the model reads, and the source's own options.
struct SourceSettings {
  std::string name = "text";
  AnyOptions options = sources().at("text").options;

  const SourceKind& row() const { return sources().at(name); }
  /// Null for texts.
  std::shared_ptr<const Reader> reader() const;
  void list(Fields& f);
};

/// There is no setting of this name.
struct UnknownSetting : Error {
  std::string nearest;  // "": none is like it
  UnknownSetting(const std::string& key, const std::string& near);
  /// The same with the place in a file, "FILE:LINE: ".
  UnknownSetting(const std::string& place, const UnknownSetting& error);
};

/// A setting that exists, but not for what is chosen: of another family of models, or of another
/// optimizer.
struct NotOfThisChoice : Error {
  std::string key;
  std::string chooser;              // the setting that chooses: "model.name"
  std::vector<std::string> owners;  // those that have the setting
  NotOfThisChoice(std::string setting, std::string choosing, const std::string& chosen,
                  std::vector<std::string> others);
};

/// A setting that was given and left out, because what is chosen does not have it.
struct LeftOut {
  std::string key;
  FieldValue value;
  std::string chooser;
};

/// The settings that using a trained model needs: its data, itself, and how it decodes.
///
/// A setting has a key such as "model.d". Which settings there are depends on the values of some:
/// model.name decides which other settings the section `model` has.
///
/// One thread at a time may use an object while any changes it.
class RunSettings {
 public:
  DataSettings data;
  ModelSettings model;
  TaskSettings task;
  SourceSettings source;
  DecodeOptions decode;

  RunSettings() = default;
  RunSettings(const RunSettings&) = default;
  RunSettings& operator=(const RunSettings&) = default;
  RunSettings(RunSettings&&) = default;
  RunSettings& operator=(RunSettings&&) = default;
  virtual ~RunSettings() = default;

  virtual void list(Fields& f);
  /// Refers to this object, which must outlive it.
  Fields fields() const&;
  Fields fields() const&& = delete;
  bool has(std::string_view key) const { return fields().has(key); }

  /// Sets a value from a text, as in key=value. Throws FieldError where the setting does not take
  /// it, NotOfThisChoice where what is chosen does not have it, and Error where there is no such
  /// setting: the message names the nearest.
  void set(std::string_view key, std::string_view text);
  /// The same with a value of the setting's type.
  void assign(std::string_view key, const FieldValue& value);
  /// Sets a default: it does not count as given.
  void assign_default(std::string_view key, const FieldValue& value);
  FieldValue value(std::string_view key) const;
  /// The value of a setting of this type, or `otherwise` where there is no such setting.
  template <class T>
  T value_or(std::string_view key, T otherwise) const {
    const Fields all = fields();
    const Field* found = all.find(key);
    return found ? std::get<T>(found->value()) : otherwise;
  }
  /// Whether somebody gave this value: set(), assign() or a file.
  bool is_given(std::string_view key) const;
  /// Whether somebody chose it: set() and assign() do, and so does a file whose value is not the
  /// one from before.
  bool is_chosen(std::string_view key) const;
  std::vector<std::string> chosen_keys() const;

  /// Notes a setting that was given, and that what is chosen does not have.
  void leave_out(const std::string& key, const FieldValue& value, const std::string& chooser);
  const std::vector<LeftOut>& left_out() const { return left_out_; }

  /// Takes the values of a TOML file that a user wrote. Settings that what is chosen does not have
  /// are left out. Throws Error, "FILE:LINE: ...", for a setting that is unknown or does not take
  /// its value.
  void read(const std::string& path);
  void read_text(const std::string& text, const std::string& name);
  /// Takes the configuration of a run. A setting that it lacks has the value by which Heed acted
  /// before there was the setting. Settings that belong to other families are left out: older
  /// configurations name the settings of all.
  void read_run(const std::string& text, const std::string& name);

  /// Throws Error where values contradict each other.
  virtual void check() const;

 protected:
  /// Those among which one is chosen and which have the setting.
  struct Owners {
    std::string chooser;             // the setting that chooses: "model.name"
    std::vector<std::string> names;  // empty: nothing has it
    FieldValue usual;                // the default of the first
  };
  virtual Owners owners(std::string_view key) const;
  /// The rows of a table whose options list the key after `section`, a dot included.
  template <class Row>
  static Owners owners_among(const Registry<Row>& rows, std::string_view section,
                             std::string_view key);
  /// Whether these settings have the section of this key.
  virtual bool has_section(std::string_view key) const;
  /// Is called after set() and assign(), and for each value of a file.
  virtual void on_given(std::string_view /*key*/) {}

 private:
  struct Given {
    FieldValue value;
    bool chosen = true;  // false: a file holds it, and it is the default
  };
  enum class Unknown { refuse, skip_of_others };
  Field field(std::string_view key) const;
  [[noreturn]] void refuse(std::string_view key) const;
  /// Gives what the configuration of a run lacks the value that it stands for.
  void set_absent();
  /// Those among which a setting of the model itself chooses, such as its attention.
  Owners owners_within_model(std::string_view key) const;
  void take(const std::string& text, const std::string& name, Unknown unknown);
  void give(const Field& field, const FieldValue& value, bool chosen);

  void take_again(const std::string& key, const FieldValue& value);
  /// Sets again what was given and selects others, where it stands behind this setting.
  void choose_again_after(std::string key);
  /// Where nobody chose a task, one that takes the family of the model.
  void settle_task();

  std::map<std::string, FieldValue, std::less<>> defaults_;
  std::map<std::string, Given, std::less<>> given_;
  std::vector<LeftOut> left_out_;
};

/// The settings that differ, "model.heads = 8 (was 2)", among those that a resumed run must keep.
/// Names of data may differ, as files may have moved. Settings that only one of them has are left
/// out, unless the names of their models differ.
std::vector<std::string> fixed_differences(const RunSettings& now, const RunSettings& then);

/// The error as one about the setting of this section that has the name of its argument. The same
/// error where there is no such setting.
Error named_by_setting(const RunSettings& settings, const char* section,
                       const ArgumentError& error);
/// Calls `act` and returns its value. An ArgumentError is thrown as named_by_setting().
template <class Act>
auto naming_settings(const RunSettings& settings, const char* section, Act&& act) {
  try {
    return act();
  } catch (const ArgumentError& error) {
    throw named_by_setting(settings, section, error);
  }
}

/// toml_text() of a setting's value, for messages.
std::string setting_text(const RunSettings& settings, std::string_view key);

bool is_toy(const std::vector<std::string>& data);

// Implementation ---------------------------------------------------------------------------------

template <class Row>
RunSettings::Owners RunSettings::owners_among(const Registry<Row>& rows, std::string_view section,
                                              std::string_view key) {
  Owners found{.chooser = std::string(section) + "name", .names = {}, .usual = {}};
  if (!key.starts_with(section)) return found;
  for (const Row& row : rows.rows()) {
    AnyOptions options = row.options;
    const Fields fields = fields_of(options);
    const Field* field = fields.find(key.substr(section.size()));
    if (!field) continue;
    if (found.names.empty()) found.usual = field->value();
    found.names.push_back(row.name);
  }
  return found;
}

}  // namespace heed
