#include "datasets/tokenizer.h"

#include <algorithm>
#include <fstream>

#include <nlohmann/json.hpp>

#include "datasets/nearest.h"
#include "datasets/text_file.h"
#include "datasets/tokenizers/characters.h"
#include "datasets/tokenizers/words.h"
#include "framework/error.h"
#include "framework/sequences.h"

namespace heed {

namespace {

constexpr const char* format_name = "heed tokenizer";
constexpr int format_version = 1;
// Distinct pieces counted at a time, about 40 MB of them: past that the rarest so far are forgotten, as in lossy counting (Manku and
// Motwani 2002), so that a vocabulary of any corpus needs bounded memory. Frequent ones are not touched.
constexpr std::size_t most_counted = std::size_t{1} << 19;

std::unique_ptr<Tokenizer> make(const std::string& kind, Vocabulary vocabulary) {
  if (kind == "words") return std::make_unique<Words>(std::move(vocabulary));
  if (kind == "characters") return std::make_unique<Characters>(std::move(vocabulary));
  fail("unknown tokenizer '{}': expected words or characters{}", kind, did_you_mean(kind, tokenizer_kinds()));
}

}  // namespace

const std::vector<std::string>& tokenizer_kinds() {
  static const std::vector<std::string> kinds{"words", "characters"};
  return kinds;
}

std::vector<Id> Tokenizer::encode(std::string_view text, std::span<const std::string> extra) const {
  std::vector<Id> ids;
  for (const std::string& piece : tokens(text)) {
    ids.push_back(vocabulary().id(piece));
    if (ids.back() != unk_id || extra.empty()) continue;
    if (const auto found = std::find(extra.begin(), extra.end(), piece); found != extra.end())
      ids.back() = static_cast<Id>(size() + (found - extra.begin()));
  }
  return ids;
}

std::vector<Id> Tokenizer::encode_widening(std::string_view text, std::vector<std::string>& extra) const {
  StringMap<Id> named;
  for (const std::string& word : extra) named.emplace(word, static_cast<Id>(size()) + static_cast<Id>(named.size()));
  std::vector<Id> ids;
  for (std::string& piece : tokens(text)) {
    ids.push_back(vocabulary().id(piece));
    if (ids.back() != unk_id) continue;
    const auto [entry, added] = named.emplace(piece, static_cast<Id>(size() + static_cast<Index>(extra.size())));
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

void Tokenizer::save(const std::string& path) const {
  const auto& all = vocabulary().tokens();
  const nlohmann::ordered_json json{{"format", format_name},
                                    {"version", format_version},
                                    {"kind", kind()},
                                    {"size", size()},
                                    {"tokens", std::vector<std::string>(all.begin() + first_free_id, all.end())}};
  std::ofstream file(path, std::ios::binary);
  file << json.dump(1) << '\n';
  file.close();
  if (!file) fail("{}: cannot be written; check the folder and the space on the disk", path);
}

std::shared_ptr<const Tokenizer> Tokenizer::load(const std::string& path) {
  const std::string text = read_text(path);
  nlohmann::json json;
  try {
    json = nlohmann::json::parse(text);
  } catch (const nlohmann::json::parse_error& error) {
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(std::min(error.byte, text.size())), '\n');
    fail("{}:{}: is damaged or not a tokenizer (not valid JSON); copy it again from the run that wrote it", path, line);
  }
  if (!json.is_object() || json.value("format", nlohmann::json()) != format_name)
    fail("{}: is not a tokenizer of Heed; name the tokenizer file of a run", path);
  if (json.value("version", nlohmann::json()) != format_version)
    fail("{}: is a tokenizer of another version of Heed; expected version {}", path, format_version);
  try {
    Vocabulary vocabulary(json.at("tokens").get<std::vector<std::string>>());
    if (json.at("size").get<Index>() != vocabulary.size())
      fail("it says {} entries and holds {}", json.at("size").get<Index>(), vocabulary.size());
    return make(json.at("kind").get<std::string>(), std::move(vocabulary));
  } catch (const nlohmann::json::exception&) {
    fail("{}: is a damaged tokenizer (kind, size or tokens missing or of the wrong type); copy it again from the run that wrote it",
         path);
  } catch (const Error& error) {
    fail("{}: is a damaged tokenizer ({}); copy it again from the run that wrote it", path, error.what());
  }
}

std::shared_ptr<const Tokenizer> train_tokenizer(const std::string& kind, const VocabularyOptions& options,
                                           const std::function<void(const TakeLine&)>& feed) {
  const std::unique_ptr<Tokenizer> splitter = make(kind, Vocabulary());
  StringMap<Index> counts;
  feed([&](std::string_view line) {
    for (std::string& piece : splitter->tokens(line)) ++counts[std::move(piece)];
    if (counts.size() <= most_counted) return;
    for (Index rare = 1; counts.size() > most_counted / 2; ++rare)
      std::erase_if(counts, [rare](const auto& entry) { return entry.second <= rare; });
  });
  return make(kind, Vocabulary(counts, options));
}

}  // namespace heed
