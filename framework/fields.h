#pragma once

#include <any>
#include <concepts>
#include <deque>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "framework/error.h"
#include "framework/types.h"

// A struct of options lists its fields once:
//
//     struct SgdOptions {
//       double lr = 0.1;  // a default is the initialiser
//       double momentum = 0;
//
//       void list(Fields& f) {
//         f("lr", lr, between(0.0, 1e3), "peak learning rate");
//         f("momentum", momentum, between(0.0, 1.0), "momentum");
//       }
//     };
//
// Reading and writing configurations, checking ranges, help and resuming all use this list.

namespace heed {

/// The value of a field in a form that does not depend on the field's own type.
using FieldValue = std::variant<bool, Index, double, std::string, std::vector<std::string>>;

/// A value for people: 3, 0.5, true, adam, "a, b".
std::string to_text(const FieldValue& value);

/// The values that a field takes.
class Range {
 public:
  using Holds = std::function<bool(const FieldValue&)>;
  /// `text` follows "expected": "a whole number from 1 to 9". `brief`: "1..9".
  Range(std::string text, Holds holds, std::string brief = {})
      : text_(std::move(text)), brief_(std::move(brief)), holds_(std::move(holds)) {}
  bool holds(const FieldValue& value) const { return holds_(value); }
  const std::string& text() const { return text_; }
  const std::string& brief() const { return brief_; }
  /// The names of one_of(); empty for the other ranges.
  const std::vector<std::string>& names() const { return names_; }

 private:
  friend Range one_of(std::vector<std::string> names);
  std::string text_;
  std::string brief_;
  Holds holds_;
  std::vector<std::string> names_;
};

/// Whole numbers or numbers from `least` to `most`, both included. Without `most` there is no upper
/// limit. Numbers are finite.
Range between(Index least, Index most = std::numeric_limits<Index>::max());
Range between(double least, double most = std::numeric_limits<double>::infinity());
Range even(Index least, Index most);
Range odd(Index least, Index most);
Range one_of(std::vector<std::string> names);
/// Every value of the field's type. Texts are UTF-8, so that a configuration can hold them.
Range any_value();

/// What a run that is resumed may do with a setting.
enum class Resume {
  fixed,  // it decides the weights: it stays
  limit,  // it says when training ends: a resumed run may be given another limit
  free,   // it may change
};

/// A value that a field does not take.
struct FieldError : Error {
  std::string key;
  std::string expected;  // "a whole number from 1 to 9"
  std::string given;
  std::string reason;  // the message without its beginning, "KEY: "

  /// "KEY: expected EXPECTED; got GIVEN". `hint` follows: "; did you mean adam?".
  FieldError(std::string field, std::string wanted, std::string got, const std::string& hint = {});
};

/// One field of a list. It refers to the options it was listed by, which must outlive it.
class Field {
 public:
  using Read = std::function<FieldValue()>;
  using Write = std::function<void(const FieldValue&)>;
  Field(std::string key, Read read, Write write, Range range, std::string help)
      : key_(std::move(key)),
        read_(std::move(read)),
        write_(std::move(write)),
        range_(std::move(range)),
        help_(std::move(help)),
        initial_(read_()) {
    add_names_to_help();
  }

  // While options are listed
  // -----------------------------------------------------------------------
  Field& resume(Resume resume);
  /// The value that a configuration without this field stands for: how Heed acted before there was
  /// the field. Without it that is the default.
  Field& absent(FieldValue value);
  /// The value has no effect as long as `condition` is true, because of the field `because`.
  Field& without_effect_if(bool condition, std::string because);
  /// The value decides which other fields there are, so it is read before them.
  Field& selects();
  /// The part of a whole that alone reads the value: "decoder". Where there is no such part, the
  /// value has no effect.
  Field& used_by(std::string part);
  const std::string& used_by() const { return used_by_; }  // "": all of it
  /// The option of the command that stands for this field: "steps" for --steps. A list takes
  /// `least` to `most` values; 0: any number.
  Field& option(std::string name, int least = 1, int most = 1);
  /// The range of the option, where it is smaller than that of the field.
  Field& option_range(Range range);
  /// The help of the option, where it differs.
  Field& option_help(std::string help);
  /// Is called after each new value.
  Field& then(std::function<void()> changed);

  // Afterwards
  // ---------------------------------------------------------------------------------------
  const std::string& key() const { return key_; }    // with its sections: "model.d"
  const std::string& help() const { return help_; }  // with the names of one_of()
  const Range& range() const { return range_; }
  Resume resume() const { return resume_; }
  const FieldValue* absent() const { return has_absent_ ? &absent_ : nullptr; }
  /// The field that keeps this one from having an effect; "" where it has one.
  const std::string& without_effect_because() const { return because_; }
  bool is_selecting() const { return selects_; }
  const std::string& option() const { return option_; }  // "": none
  /// The field as its option takes it.
  Field as_option() const;
  int least_values() const { return least_values_; }
  int most_values() const { return most_values_; }
  /// The value when the field was listed.
  const FieldValue& initial() const { return initial_; }

  FieldValue value() const { return read_(); }
  /// Throws FieldError where the value is of another type or outside the range.
  void set(const FieldValue& value) const;
  /// The value in `text`, as in key=value. A list is separated by commas. Throws FieldError. Does
  /// not need the options.
  FieldValue parse(std::string_view text) const;
  /// Throws FieldError where the present value is outside the range.
  void check() const;

 private:
  void add_names_to_help();

  std::string key_;
  Read read_;
  Write write_;
  Range range_;
  std::string help_;
  std::string because_;
  std::string used_by_;
  std::string option_;
  std::string option_help_;
  std::function<void()> changed_;
  FieldValue absent_;
  FieldValue initial_;
  int least_values_ = 1;
  int most_values_ = 1;
  std::vector<Range> option_range_;  // one, or none
  Resume resume_ = Resume::fixed;
  bool has_absent_ = false;
  bool selects_ = false;
};

/// A name of one value of an enumeration.
template <class Enum>
struct Choice {
  const char* name;
  Enum value;
};

/// Collects fields in the order in which they are listed.
class Fields {
 public:
  /// Lists a bool, a whole number, a number, a text or a list of texts.
  template <class T>
  Field& operator()(std::string_view name, T& value, Range range, std::string_view help);
  /// Lists an enumeration by the names of its values.
  template <class Enum>
  Field& operator()(std::string_view name, Enum& value, const std::vector<Choice<Enum>>& choices,
                    std::string_view help);
  /// Lists the fields of a part; their keys begin with `section` and a dot.
  template <class Part>
  void section(std::string_view section, Part& part) {
    const std::string outer = prefix_;
    prefix_ += std::string(section) + ".";
    part.list(*this);
    prefix_ = outer;
  }

  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  /// The fields whose keys begin with `prefix`, to add to what was listed.
  std::vector<Field*> under(std::string_view prefix);
  /// Null where there is no such field. The list must outlive the field.
  const Field* find(std::string_view key) const&;
  const Field* find(std::string_view key) const&& = delete;
  bool has(std::string_view key) const { return std::as_const(*this).find(key) != nullptr; }
  std::vector<std::string> keys() const;

 private:
  Field& add(std::string_view name, Field::Read read, Field::Write write, Range range,
             std::string_view help);

  std::string prefix_;
  std::deque<Field> fields_;  // references stay valid while more are added
};

template <class Options>
concept ListsFields = requires(Options& options, Fields& fields) { options.list(fields); };

/// The fields of some options.
template <ListsFields Options>
Fields fields_of(Options& options) {
  Fields fields;
  options.list(fields);
  return fields;
}

/// Options of any type that list their fields, for tables whose rows have options of their own.
class AnyOptions {
 public:
  AnyOptions() = default;
  template <class Options>
    requires(ListsFields<Options> && !std::same_as<Options, AnyOptions>)
  AnyOptions(Options options)  // NOLINT: meant to convert
      : options_(std::move(options)),
        list_([](std::any& any, Fields& f) { std::any_cast<Options&>(any).list(f); }),
        check_([](const std::any& any) {
          if constexpr (requires(const Options& o) { o.check(); })
            std::any_cast<const Options&>(any).check();
        }) {}

  void list(Fields& f) {
    if (list_) list_(options_, f);
  }
  /// Calls the options' own check(), where they have one.
  void check() const {
    if (check_) check_(options_);
  }
  /// Throws std::bad_any_cast where the options are of another type.
  template <class Options>
  const Options& as() const {
    return std::any_cast<const Options&>(options_);
  }
  template <class Options>
  Options& as() {
    return std::any_cast<Options&>(options_);
  }

 private:
  std::any options_;
  void (*list_)(std::any&, Fields&) = nullptr;
  void (*check_)(const std::any&) = nullptr;
};

// Implementation ---------------------------------------------------------------------------------

namespace fields {

/// The double that is written like `value`: 0.1 for 0.1f.
double written(float value);

template <class T>
FieldValue to_value(const T& value) {
  if constexpr (std::same_as<T, float>)
    return written(value);
  else if constexpr (std::integral<T> && !std::same_as<T, bool>)
    return static_cast<Index>(value);
  else
    return value;
}

template <class T>
void from_value(const FieldValue& from, T& to) {
  if constexpr (std::same_as<T, bool>)
    to = std::get<bool>(from);
  else if constexpr (std::integral<T>)
    to = static_cast<T>(std::get<Index>(from));
  else if constexpr (std::floating_point<T>)
    to = static_cast<T>(std::get<double>(from));
  else
    to = std::get<T>(from);
}

}  // namespace fields

template <class T>
Field& Fields::operator()(std::string_view name, T& value, Range range, std::string_view help) {
  return add(
      name, [&value] { return fields::to_value(value); },
      [&value](const FieldValue& to) { fields::from_value(to, value); }, std::move(range), help);
}

template <class Enum>
Field& Fields::operator()(std::string_view name, Enum& value,
                          const std::vector<Choice<Enum>>& choices, std::string_view help) {
  std::vector<std::string> names;
  for (const auto& choice : choices)
    names.emplace_back(choice.name);
  const auto read = [&value, choices] {
    for (const auto& choice : choices)
      if (choice.value == value) return FieldValue(std::string(choice.name));
    return FieldValue(std::string());
  };
  const auto write = [&value, choices](const FieldValue& to) {
    for (const auto& choice : choices)
      if (std::get<std::string>(to) == choice.name) value = choice.value;
  };
  return add(name, read, write, one_of(std::move(names)), help);
}

}  // namespace heed
