#include "framework/fields.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include <fmt/ranges.h>

#include "framework/nearest.h"

namespace heed {

namespace {

/// Shortens a value for a message: it may be of any length.
std::string shortened(const std::string& text) {
  constexpr std::size_t most = 100;
  return text.size() <= most ? text : text.substr(0, most) + "...";
}

bool looks_like_a_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("+-.0123456789") == std::string_view::npos;
}

/// "a whole number above 0", "a number from 0 to 1"; `most` is "" where there is none.
std::string range_text(std::string_view kind, const std::string& least, const std::string& most) {
  if (!most.empty()) return fmt::format("{} from {} to {}", kind, least, most);
  if (least == "1") return fmt::format("{} above 0", kind);
  return fmt::format("{} of at least {}", kind, least);
}

/// What a value of each type is called.
const char* type_text(const FieldValue& value) {
  static constexpr const char* texts[] = {"true or false", "a whole number", "a number", "a text",
                                          "a list of texts"};
  return texts[value.index()];
}

template <class Number>
std::optional<Number> parsed(std::string_view text) {
  const bool plus = text.size() > 1 && text[0] == '+' && text[1] != '-';
  if (plus) text.remove_prefix(1);
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return number;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::string quoted(const std::string& given) {
  return looks_like_a_number(given) ? given : "'" + given + "'";
}

std::string reason_text(const std::string& wanted, const std::string& got,
                        const std::string& hint) {
  return fmt::format("expected {}; got {}{}", wanted, quoted(shortened(got)), hint);
}

/// The value in `text`, of the type of `like`; none where it is of another type.
std::optional<FieldValue> read_as(const FieldValue& like, std::string_view text) {
  if (std::holds_alternative<std::string>(like)) return std::string(text);
  if (std::holds_alternative<std::vector<std::string>>(like)) return split(text);
  if (std::holds_alternative<Index>(like)) {
    if (const auto number = parsed<Index>(text)) return *number;
  } else if (std::holds_alternative<double>(like)) {
    if (const auto number = parsed<double>(text)) return *number;
  } else if (text == "true" || text == "false") {
    return text == "true";
  }
  return std::nullopt;
}

/// Whether the text is a whole number that is larger than any Index.
bool is_too_large(std::string_view text) {
  const std::string_view digits = text.substr(text.starts_with('+') ? 1 : 0);
  const bool whole = !digits.empty() && digits.find_first_not_of("0123456789") == digits.npos;
  return whole && !parsed<Index>(text);
}

Range whole_numbers(const char* kind, Index least, Index most, std::function<bool(Index)> also) {
  const bool open = most == std::numeric_limits<Index>::max();
  const std::string high = open ? "" : std::to_string(most);
  const auto holds = [=](const FieldValue& value) {
    const Index* number = std::get_if<Index>(&value);
    return number && *number >= least && *number <= most && also(*number);
  };
  return {range_text(kind, std::to_string(least), high), holds, fmt::format("{}..{}", least, high)};
}

}  // namespace

std::string to_text(const FieldValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* list = std::get_if<std::vector<std::string>>(&value))
    return fmt::format("{}", fmt::join(*list, ", "));
  if (const auto* number = std::get_if<Index>(&value)) return fmt::format("{}", *number);
  if (const auto* number = std::get_if<double>(&value)) return fmt::format("{}", *number);
  return std::get<bool>(value) ? "true" : "false";
}

Range between(Index least, Index most) {
  return whole_numbers("a whole number", least, most, [](Index) { return true; });
}

Range even(Index least, Index most) {
  return whole_numbers("an even number", least, most, [](Index x) { return x % 2 == 0; });
}

Range odd(Index least, Index most) {
  return whole_numbers("an odd number", least, most, [](Index x) { return x % 2 != 0; });
}

Range between(double least, double most) {
  const std::string high = std::isfinite(most) ? fmt::format("{}", most) : "";
  const auto holds = [=](const FieldValue& value) {
    const double* x = std::get_if<double>(&value);
    return x && std::isfinite(*x) && *x >= least && *x <= most;
  };
  const std::string low = fmt::format("{}", least);
  return {range_text("a number", low, high), holds, fmt::format("{}..{}", low, high)};
}

Range one_of(std::vector<std::string> names) {
  const std::string text = fmt::format("one of {}", fmt::join(names, ", "));
  Range range(text, [names](const FieldValue& value) {
    const auto* name = std::get_if<std::string>(&value);
    return name && std::find(names.begin(), names.end(), *name) != names.end();
  });
  range.names_ = std::move(names);
  return range;
}

Range any_value() {
  return {"", [](const FieldValue&) { return true; }};
}

FieldError::FieldError(std::string field, std::string wanted, std::string got,
                       const std::string& hint)
    : Error(fmt::format("{}: {}", field, reason_text(wanted, got, hint))),
      key(std::move(field)),
      expected(std::move(wanted)),
      given(std::move(got)),
      reason(reason_text(expected, given, hint)) {}

Field& Field::resume(Resume resume) {
  resume_ = resume;
  return *this;
}

Field& Field::absent(FieldValue value) {
  absent_ = std::move(value);
  has_absent_ = true;
  return *this;
}

Field& Field::used_by(std::string part) {
  used_by_ = std::move(part);
  return *this;
}

Field& Field::without_effect_if(bool condition, std::string because) {
  if (condition && because_.empty()) because_ = std::move(because);
  return *this;
}

Field& Field::selects() {
  selects_ = true;
  return *this;
}

Field& Field::option(std::string name, int least, int most) {
  option_ = std::move(name);
  least_values_ = least;
  most_values_ = most;
  return *this;
}

Field& Field::option_range(Range range) {
  option_range_ = {std::move(range)};
  return *this;
}

Field& Field::option_help(std::string help) {
  option_help_ = std::move(help);
  return *this;
}

void Field::add_names_to_help() {
  const std::vector<std::string>& names = range_.names();
  if (names.empty() || help_.find(names.back()) != std::string::npos) return;
  help_ += fmt::format(": {}", fmt::join(names, ", "));
}

Field Field::as_option() const {
  Field field = *this;
  if (!option_help_.empty()) field.help_ = option_help_;
  if (!option_range_.empty()) field.range_ = option_range_.front();
  return field;
}

Field& Field::then(std::function<void()> changed) {
  changed_ = std::move(changed);
  return *this;
}

void Field::set(const FieldValue& value) const {
  const FieldValue before = read_();
  FieldValue converted = value;
  const bool whole_for_number =
      std::holds_alternative<double>(before) && std::holds_alternative<Index>(value);
  if (whole_for_number) converted = static_cast<double>(std::get<Index>(value));
  if (converted.index() != before.index())
    throw FieldError(key_, range_.text().empty() ? type_text(before) : range_.text(),
                     to_text(value));
  if (!range_.holds(converted))
    throw FieldError(key_, range_.text(), to_text(value),
                     did_you_mean(to_text(value), range_.names()));
  write_(converted);
  if (changed_) changed_();
}

FieldValue Field::parse(std::string_view text) const {
  const std::optional<FieldValue> value = read_as(initial_, text);
  std::string wanted = range_.text().empty() ? type_text(initial_) : range_.text();
  const bool open = range_.brief().ends_with("..");
  if (open && std::holds_alternative<Index>(initial_) && is_too_large(text))
    wanted = fmt::format("a whole number from {} to {}",
                         range_.brief().substr(0, range_.brief().size() - 2),
                         std::numeric_limits<Index>::max());
  if (!value) throw FieldError(key_, wanted, std::string(text));
  if (!range_.holds(*value))
    throw FieldError(key_, wanted, std::string(text), did_you_mean(text, range_.names()));
  return *value;
}

void Field::check() const {
  const FieldValue value = read_();
  if (!range_.holds(value)) throw FieldError(key_, range_.text(), to_text(value));
}

const Field* Fields::find(std::string_view key) const& {
  for (const Field& field : fields_)
    if (field.key() == key) return &field;
  return nullptr;
}

std::vector<Field*> Fields::under(std::string_view prefix) {
  std::vector<Field*> found;
  for (Field& field : fields_)
    if (field.key().starts_with(prefix)) found.push_back(&field);
  return found;
}

std::vector<std::string> Fields::keys() const {
  std::vector<std::string> keys;
  for (const Field& field : fields_)
    keys.push_back(field.key());
  return keys;
}

Field& Fields::add(std::string_view name, Field::Read read, Field::Write write, Range range,
                   std::string_view help) {
  fields_.emplace_back(prefix_ + std::string(name), std::move(read), std::move(write),
                       std::move(range), std::string(help));
  return fields_.back();
}

double fields::written(float value) {
  const std::string text = fmt::format("{}", value);
  double number = value;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace heed
