#include "datasets/text/internal/json_fields.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace heed {

namespace {

constexpr std::size_t most_others = 100;

// Receives the events of the parser. Stores only the fields asked for, and the depth of nesting as
// a number, so that no text can exhaust memory.
class Finder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Finder(JsonFields& found) : found_(found) {}

  bool null() override { return value("null"); }
  bool boolean(bool yes) override { return scalar("boolean", yes ? "true" : "false"); }
  bool number_integer(number_integer_t n) override { return scalar("number", std::to_string(n)); }
  bool number_unsigned(number_unsigned_t n) override { return scalar("number", std::to_string(n)); }
  bool number_float(number_float_t n, const string_t&) override {
    constexpr double exact = 1e15;  // whole numbers below are the same number as an integer
    if (std::abs(n) < exact && n == std::trunc(n))
      return number_integer(static_cast<number_integer_t>(n));
    return scalar("number", fmt::format("{}", n));
  }
  bool binary(binary_t&) override { return value("binary"); }
  bool string(string_t& text) override { return scalar("string", text); }
  bool start_object(std::size_t) override {
    if (depth_ == 0) found_.is_object = true;
    return open("object");
  }
  bool start_array(std::size_t) override { return open("array"); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (depth_ != 1) return true;
    const auto field = std::ranges::find(found_.fields, name, &JsonFields::Field::key);
    field_ = field == found_.fields.end() ? nullptr : &*field;
    if (!field_ && found_.is_object && found_.others.size() < most_others)
      found_.others.push_back(name);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    found_.error = std::max<std::size_t>(position, 1);
    return false;
  }

 private:
  // Each returns true, so that the parser goes on.
  bool open(const char* type) {
    value(type);
    ++depth_;
    return true;
  }
  bool close() {
    --depth_;
    return true;
  }
  bool scalar(const char* type, const std::string& text) {
    if (field_ && depth_ == 1) field_->text = text;
    return value(type);
  }
  bool value(const char* type) {
    if (depth_ == 1 && field_) {
      ++field_->times;
      field_->type = type;
      field_ = nullptr;
    }
    return true;
  }

  JsonFields& found_;
  JsonFields::Field* field_ = nullptr;  // the field whose value comes next
  std::size_t depth_ = 0;
};

}  // namespace

void read_json_fields(std::string_view text, JsonFields& found) {
  for (JsonFields::Field& field : found.fields) {
    field.times = 0;
    field.type = "null";
    field.text.clear();
  }
  found.others.clear();
  found.is_object = false;
  found.error = 0;
  Finder finder(found);
  nlohmann::json::sax_parse(text.begin(), text.end(), &finder);
  found.error = std::min(found.error, std::max<std::size_t>(text.size(), 1));
}

}  // namespace heed
