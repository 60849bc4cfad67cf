#include "datasets/text/tokenizer.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unordered_map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <xxhash.h>

#include "datasets/text/text_file.h"
#include "datasets/text/tokenizers/characters.h"
#include "datasets/text/tokenizers/sentencepiece.h"
#include "datasets/text/tokenizers/words.h"
#include "framework/error.h"
#include "framework/files.h"
#include "framework/nearest.h"
#include "framework/sequences.h"

namespace heed {

namespace {

constexpr const char* format_name = "heed tokenizer";
// The most distinct pieces that are counted at a time, about 40 MB. Beyond that, the pieces that
// are the rarest so far are removed, as in lossy counting (Manku and Motwani 2002). This bounds the
// memory for any corpus; the counts of frequent pieces stay exact.
constexpr std::size_t most_counted = std::size_t{1} << 19;
constexpr const char* copy_again = "copy it again from the run that wrote it";

std::unique_ptr<Tokenizer> make(const std::string& kind, Vocabulary vocabulary,
                                int version = Tokenizer::newest_version) {
  if (kind == "words") return std::make_unique<Words>(std::move(vocabulary), version);
  if (kind == "characters") return std::make_unique<Characters>(std::move(vocabulary), version);
  fail("unknown tokenizer '{}': expected {}{}", kind, fmt::join(tokenizer_kinds(), ", "),
       did_you_mean(kind, tokenizer_kinds()));
}

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

// The model file beside a tokenizer file. `expected` holds its length and hash.
std::string read_model(const std::string& path, const nlohmann::json& expected) {
  std::string model = read_bytes(path);
  if (whole(expected.at("bytes")) != static_cast<Index>(model.size()) ||
      expected.at("xxh3").get<std::string>() != hash_of(model))
    fail("{}: is damaged, or belongs to another tokenizer; {}", path, copy_again);
  return model;
}

nlohmann::json parse(const std::string& text, const std::string& path) {
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    const std::string_view before = std::string_view(text).substr(0, error.byte);
    fail("{}:{}: is damaged or not a tokenizer (not valid JSON); {}", path,
         1 + std::ranges::count(before, '\n'), copy_again);
  } catch (const nlohmann::json::exception&) {  // a number such as 1e999
    fail("{}: is damaged or not a tokenizer (a number in it is too large); {}", path, copy_again);
  }
}

// Throws Error, without the name of the file, when the contents contradict each other.
std::unique_ptr<Tokenizer> tokenizer_of(const nlohmann::json& json, const std::string& kind,
                                        const std::string& model, int version) {
  std::unique_ptr<Tokenizer> tokenizer;
  if (has_subwords(kind))
    tokenizer = std::make_unique<SentencePiece>(kind, model, version);
  else
    tokenizer = make(kind, Vocabulary(json.at("tokens").get<std::vector<std::string>>()), version);
  if (const Index size = whole(json.at("size")); size != tokenizer->size())
    fail("it says {} entries and holds {}", size, tokenizer->size());
  return tokenizer;
}

// Removes the rarest pieces until half as many as most_counted are left.
void remove_rarest(StringMap<Index>& counts) {
  for (Index rare = 1; counts.size() > most_counted / 2; ++rare)
    std::erase_if(counts, [rare](const auto& entry) { return entry.second <= rare; });
}

}  // namespace

const std::vector<std::string>& tokenizer_kinds() {
  static const std::vector<std::string> kinds{"words", "characters", "unigram", "bpe"};
  return kinds;
}

bool has_subwords(const std::string& kind) { return kind == "unigram" || kind == "bpe"; }

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
  const nlohmann::json json = parse(read_text(path), path);
  if (!json.is_object() || json.value("format", nlohmann::json()) != format_name)
    fail("{}: is not a tokenizer of Heed; name the tokenizer file of a run", path);
  const int version = read_version(json, path);
  try {
    const auto kind = json.at("kind").get<std::string>();
    const std::string model =
        has_subwords(kind) ? read_model(model_path(path), json.at("model")) : "";
    try {
      return tokenizer_of(json, kind, model, version);
    } catch (const Error& error) {
      fail("{}: is a damaged tokenizer ({}); {}", path, error.what(), copy_again);
    }
  } catch (const nlohmann::json::exception&) {
    fail(
        "{}: is a damaged tokenizer (kind, size, model or tokens missing or of the wrong type); {}",
        path, copy_again);
  }
}

std::shared_ptr<const Tokenizer> train_tokenizer(const std::string& kind,
                                                 const VocabularyOptions& options,
                                                 const std::function<void(const TakeLine&)>& feed) {
  if (has_subwords(kind))
    return std::make_shared<SentencePiece>(kind, SentencePiece::train(kind, options, feed));
  const std::unique_ptr<Tokenizer> splitter = make(kind, Vocabulary());
  StringMap<Index> counts;
  feed([&](std::string_view line) {
    for (std::string& piece : splitter->tokens(line))
      ++counts[std::move(piece)];
    if (counts.size() > most_counted) remove_rarest(counts);
  });
  return make(kind, Vocabulary(counts, options));
}

}  // namespace heed
