#include "datasets/text/tokenizer.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unordered_map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <xxhash.h>

#include "datasets/text/special_ids.h"
#include "datasets/text/text_file.h"
#include "datasets/text/tokenizer_kinds.h"
#include "framework/error.h"
#include "framework/files.h"
#include "framework/sequences.h"

namespace heed {

namespace {

constexpr const char* format_name = "heed tokenizer";
constexpr const char* copy_again = "copy it again from the run that wrote it";

std::string hash_of(std::string_view bytes) {
  return fmt::format("{:016x}", XXH3_64bits(bytes.data(), bytes.size()));
}

std::string read_bytes(const std::string& path) {
  if (!std::filesystem::exists(path))
    fail("{}: no such file; it belongs to the tokenizer beside it: copy both", path);
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  if (!(bytes << file.rdbuf()))
    fail("{}: cannot be read, or is empty; copy it again from the run that wrote it", path);
  return bytes.str();
}

std::string model_path(const std::string& path) {
  return std::filesystem::path(path).replace_extension(".model").string();
}

// A whole number; -1 for a fraction or a number such as 1e99, which the JSON library would convert
// to some integer. Throws the library's exception when the value is not a number.
Index whole(const nlohmann::json& number) {
  return number.is_number_float() ? -1 : number.get<Index>();
}

// The version in a tokenizer's file; 1 if it has none.
int read_version(const nlohmann::json& json, const std::string& path) {
  const auto version = json.find("version");
  if (version == json.end()) return 1;
  const Index number = version->is_number() ? whole(*version) : -1;
  if (number < 1 || number > Tokenizer::newest_version)
    fail("{}: is a tokenizer of another version of Heed; expected version 1 to {}", path,
         Tokenizer::newest_version);
  return static_cast<int>(number);
}

// Whether words are in lower case; not if the file does not say.
bool read_mark_case(const nlohmann::json& json, const std::string& path) {
  const auto found = json.find("case");
  if (found == json.end() || *found == "keep") return false;
  if (*found != "mark")
    fail("{}: is a tokenizer of another version of Heed; its case is neither keep nor mark", path);
  return true;
}

// Compares a model with its length and hash in the tokenizer's file. `path` is that of the model.
void check_model(std::string_view model, const nlohmann::json& expected, const std::string& path) {
  if (whole(expected.at("bytes")) != static_cast<Index>(model.size()) ||
      expected.at("xxh3").get<std::string>() != hash_of(model))
    fail("{}: is damaged, or belongs to another tokenizer; {}", path, copy_again);
}

nlohmann::json parse(std::string_view text, const std::string& path) {
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    const std::string_view before = text.substr(0, error.byte);
    fail("{}:{}: is damaged or not a tokenizer (not valid JSON); {}", path,
         1 + std::ranges::count(before, '\n'), copy_again);
  } catch (const nlohmann::json::exception&) {  // a number such as 1e999
    fail("{}: is damaged or not a tokenizer (a number in it is too large); {}", path, copy_again);
  }
}

const TokenizerKind& known_kind(const std::string& name, const std::string& path) {
  if (const TokenizerKind* kind = tokenizer_kinds().find(name)) return *kind;
  fail(
      "{}: is a tokenizer of the kind '{}', which this program lacks: it has {}; use the "
      "program that wrote it",
      path, name, fmt::join(tokenizer_kinds().names(), ", "));
}

// Throws Error, without the name of the file, when the contents contradict each other.
std::shared_ptr<const Tokenizer> tokenizer_of(const TokenizerKind& kind, SavedTokenizer saved,
                                              const nlohmann::json& json) {
  if (saved.mark_case && !kind.can_mark_case) fail("{} does not mark case", kind.name);
  if (!kind.has_model) saved.tokens = json.at("tokens").get<std::vector<std::string>>();
  std::shared_ptr<const Tokenizer> tokenizer = kind.open(std::move(saved));
  if (const Index size = whole(json.at("size")); size != tokenizer->size())
    fail("it says {} entries and holds {}", size, tokenizer->size());
  return tokenizer;
}

using ReadModel = std::function<std::string(const std::string& path)>;

// The tokenizer of a file's text. Kinds with a model read it from `read_model`.
std::shared_ptr<const Tokenizer> load_from(std::string_view text, const std::string& path,
                                           const ReadModel& read_model) {
  const nlohmann::json json = parse(text, path);
  if (!json.is_object() || json.value("format", nlohmann::json()) != format_name)
    fail("{}: is not a tokenizer of Heed; name the tokenizer file of a run", path);
  SavedTokenizer saved{.version = read_version(json, path)};
  saved.mark_case = read_mark_case(json, path);
  try {
    const TokenizerKind& kind = known_kind(json.at("kind").get<std::string>(), path);
    if (kind.has_model) {
      const nlohmann::json& expected = json.at("model");
      saved.model = read_model(model_path(path));
      check_model(saved.model, expected, model_path(path));
    }
    try {
      return tokenizer_of(kind, std::move(saved), json);
    } catch (const Error& error) {
      fail("{}: is a damaged tokenizer ({}); {}", path, error.what(), copy_again);
    }
  } catch (const nlohmann::json::exception&) {
    fail(
        "{}: is a damaged tokenizer (kind, size, model or tokens missing or of the wrong type); {}",
        path, copy_again);
  }
}

}  // namespace

std::vector<Id> Tokenizer::known(std::string_view text) const {
  std::vector<Id> ids;
  for (const std::string& piece : tokens(text))
    ids.push_back(vocabulary().id(piece));
  return ids;
}

std::vector<Id> Tokenizer::sample(std::string_view text, double, Random&) const {
  return encode(text);
}

std::vector<Id> Tokenizer::encode(std::string_view text, std::span<const std::string> extra) const {
  if (extra.empty()) return known(text);
  std::unordered_map<std::string_view, Id> named;
  for (const std::string& word : extra)
    named.emplace(word, static_cast<Id>(size()) + static_cast<Id>(named.size()));
  std::vector<Id> ids;
  for (const std::string& piece : tokens(text)) {
    ids.push_back(vocabulary().id(piece));
    if (ids.back() != unk_id) continue;
    if (const auto found = named.find(piece); found != named.end()) ids.back() = found->second;
  }
  return ids;
}

std::vector<Id> Tokenizer::encode_widening(std::string_view text,
                                           std::vector<std::string>& extra) const {
  StringMap<Id> named;
  for (const std::string& word : extra)
    named.emplace(word, static_cast<Id>(size()) + static_cast<Id>(named.size()));
  std::vector<Id> ids;
  for (std::string& piece : tokens(text)) {
    ids.push_back(vocabulary().id(piece));
    if (ids.back() != unk_id) continue;
    const auto [entry, added] =
        named.emplace(piece, static_cast<Id>(size() + static_cast<Index>(extra.size())));
    if (added) extra.push_back(std::move(piece));
    ids.back() = entry->second;
  }
  return ids;
}

const std::string& Tokenizer::token(Id id, std::span<const std::string> extra) const {
  const Index k = static_cast<Index>(id) - size();
  return k >= 0 && k < static_cast<Index>(extra.size()) ? extra[k] : vocabulary().token(id);
}

std::string Tokenizer::decode(std::span<const Id> ids, std::span<const std::string> extra) const {
  std::vector<std::string> pieces;
  for (const Id id : ids)
    if (id != pad_id && id != bos_id && id != eos_id) pieces.push_back(token(id, extra));
  return join(pieces);
}

std::uint64_t Tokenizer::fingerprint() const {
  std::uint64_t hash = 0;
  const auto add = [&](std::string_view text) {
    hash = mix(hash, XXH3_64bits(text.data(), text.size()));
  };
  add(kind());
  add(model());
  if (version() > 1) add(fmt::format("version {}", version()));  // version 1 keeps its hash
  for (const std::string& token : vocabulary().tokens())
    add(token);
  return hash;
}

void Tokenizer::save(const std::string& path) const {
  nlohmann::ordered_json json{
      {"format", format_name}, {"version", version()}, {"kind", kind()}, {"size", size()}};
  if (marks_case()) json["case"] = "mark";
  if (const std::string bytes = model(); !bytes.empty()) {
    replace_file(model_path(path), bytes);
    json["model"] = {{"file", std::filesystem::path(model_path(path)).filename().string()},
                     {"bytes", bytes.size()},
                     {"xxh3", hash_of(bytes)}};
  } else {
    const auto& all = vocabulary().tokens();
    json["tokens"] = std::vector<std::string>(all.begin() + first_free_id, all.end());
  }
  replace_file(path, json.dump(1) + '\n');  // after the model, whose hash it holds
}

std::shared_ptr<const Tokenizer> Tokenizer::load(const std::string& path) {
  return load_from(read_text(path), path, read_bytes);
}

std::shared_ptr<const Tokenizer> Tokenizer::load_bytes(std::string_view json,
                                                       std::string_view model,
                                                       const std::string& name) {
  return load_from(json, name, [&](const std::string& path) {
    if (model.empty()) fail("{}: has no bytes; it belongs to {}: pass both", path, name);
    return std::string(model);
  });
}

std::shared_ptr<const Tokenizer> train_tokenizer(const std::string& kind,
                                                 const VocabularyOptions& options,
                                                 const FeedLines& feed) {
  return tokenizer_kinds().at(kind).train(options, feed);
}

bool has_subwords(const std::string& kind) {
  const TokenizerKind* row = tokenizer_kinds().find(kind);
  return row && row->subwords;
}

}  // namespace heed
