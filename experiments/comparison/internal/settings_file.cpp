#include "experiments/comparison/internal/settings_file.h"

#include "experiments/comparison/internal/json_file.h"
#include "experiments/settings.h"
#include "framework/files.h"

namespace heed {

namespace fs = std::filesystem;

namespace {

using Json = nlohmann::ordered_json;

fs::path settings_path(const fs::path& folder) {
  return folder / fmt::format("{}.json", settings_name);
}

Json json_of(const FieldValue& value) {
  return std::visit([](const auto& plain) { return Json(plain); }, value);
}

/// The value of the type of `like`.
FieldValue value_of(const Json& json, const FieldValue& like) {
  return std::visit(
      [&](const auto& plain) {
        return FieldValue(json.get<std::remove_cvref_t<decltype(plain)>>());
      },
      like);
}

bool is_data(const std::string& key) { return key == "train" || key == "valid" || key == "test"; }

/// Data that were given may have moved. Without data of its own, a comparison cannot be given some.
bool may_have_moved(const Field& kept, const Field& given) {
  using Names = std::vector<std::string>;
  const auto named = [](const Field& field) { return !std::get<Names>(field.value()).empty(); };
  return is_data(kept.key()) && named(kept) && named(given);
}

}  // namespace

Json to_json(const ComparisonSettings& settings) {
  ComparisonSettings copy = settings;
  Json json;
  for (const Field& field : fields_of(copy))
    json[field.key()] = json_of(field.value());
  return json;
}

ComparisonSettings comparison_settings_from_json(const Json& json) {
  ComparisonSettings settings;
  for (const Field& field : fields_of(settings)) {
    if (!json.contains(field.key()) && field.absent())
      field.set(*field.absent());
    else
      field.set(value_of(json.at(field.key()), field.initial()));
  }
  return settings;
}

bool holds_comparison(const fs::path& folder) { return fs::exists(settings_path(folder)); }

ComparisonSettings read_comparison_settings(const fs::path& folder) {
  const fs::path path = settings_path(folder);
  if (!fs::exists(path)) fail("{}: no comparison to resume here; start a new one", folder.string());
  try {
    return comparison_settings_from_json(read_json(path));
  } catch (const Json::exception&) {
  } catch (const FieldError&) {}
  fail("{}: damaged; start the comparison again in another folder", path.string());
}

void make_data_absolute(ComparisonSettings& settings) {
  for (auto* data : {&settings.data, &settings.valid, &settings.test})
    *data = absolute_data(*data);
}

ComparisonSettings resumed_comparison(ComparisonSettings given, const fs::path& folder) {
  ComparisonSettings kept = read_comparison_settings(folder);
  make_data_absolute(kept);
  make_data_absolute(given);
  const Fields asked = fields_of(given);
  for (const Field& field : fields_of(kept)) {
    const Field& other = *asked.find(field.key());
    if (field.resume() == Resume::free || field.value() == other.value()) continue;
    const bool is_left_open = field.key() == "task" && given.task.empty();
    if (is_left_open) continue;
    if (!may_have_moved(field, other))
      fail_comparison(
          "{} cannot change: a comparison that is resumed goes on as it is; start a new one in "
          "another folder",
          field.key());
    field.set(other.value());
  }
  return kept;
}

void save_comparison_settings(const ComparisonSettings& settings,
                              const std::map<std::string, std::string>& contents,
                              const fs::path& folder) {
  Json json = to_json(settings);
  json["contents"] = contents;
  replace_file(settings_path(folder), json.dump(2) + "\n");
}

void check_contents(const std::map<std::string, std::string>& contents, const fs::path& folder) {
  const Json kept = read_json(settings_path(folder)).value("contents", Json::object());
  constexpr std::size_t section = 5;  // "data."
  for (const auto& [key, fingerprint] : contents) {
    if (!kept.contains(key) || kept.at(key) == fingerprint) continue;
    if (key == "tokenizer")
      fail(
          "{}: the tokenizers of its runs have changed since this comparison began; give what it "
          "began with, or start a new one in another folder",
          folder.string());
    fail_comparison(
        "{}: its data have changed since the comparison in {} began; give what it began with, or "
        "start a new one in another folder",
        key.substr(section), folder.string());
  }
}

}  // namespace heed
