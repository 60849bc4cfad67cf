#include "datasets/text/tokenizers/internal/training_text.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "datasets/text/utf8.h"
#include "framework/random.h"

namespace heed {

namespace {

constexpr std::size_t part_bytes = 4000;
constexpr std::size_t word_characters = 250;
constexpr std::uint64_t sample_seed = 0x7e87;
constexpr double coverage = 0.9995;
// Reserved by SentencePiece.
constexpr char32_t space_mark = 0x2581;
constexpr char32_t unknown_mark = 0x2585;

}  // namespace

void TrainingText::take(std::string_view text) {
  std::string part;
  std::size_t word = 0;
  utf8::for_each(text, [&](char32_t code, std::string_view bytes) {
    if (code == '\n' || (code == ' ' && part.size() >= part_bytes) || word == word_characters) {
      keep(std::exchange(part, {}));
      word = 0;
      if (code == '\n' || code == ' ') return;
    }
    word = code == ' ' ? 0 : word + 1;
    if (code == 0 || code == space_mark || code == unknown_mark)
      part += '\t';
    else
      part += bytes;
  });
  keep(std::move(part));
}

void TrainingText::keep(std::string part) {
  if (part.find_first_not_of(" \t") == std::string::npos) return;
  const std::uint64_t hash = mix(sample_seed, seen_++);
  if (hash > limit_) return;
  bytes_ += part.size();
  parts_.push_back(std::move(part));
  hashes_.push_back(hash);
  while (parts_.size() > most_parts_ || (bytes_ > most_bytes_ && parts_.size() > 1))
    halve_sample();
}

void TrainingText::halve_sample() {
  limit_ /= 2;
  std::size_t kept = 0;
  bytes_ = 0;
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    if (hashes_[i] > limit_) continue;
    bytes_ += parts_[i].size();
    hashes_[kept] = hashes_[i];
    if (kept != i) parts_[kept] = std::move(parts_[i]);
    ++kept;
  }
  parts_.resize(kept);
  hashes_.resize(kept);
}

TrainingText::Alphabet TrainingText::frequent_characters(Index most, std::size_t& distinct) const {
  std::unordered_map<char32_t, Index> counts;
  Index total = 0;
  for (const std::string& part : parts_)
    utf8::for_each(part, [&](char32_t code, std::string_view) {
      if (code != '\t' && code != ' ') {
        ++counts[code];
        ++total;
      }
    });
  std::vector<std::pair<Index, char32_t>> sorted;
  for (const auto& [code, count] : counts)
    sorted.emplace_back(-count, code);
  std::sort(sorted.begin(), sorted.end());
  Index covered = 0;
  Alphabet kept;
  for (const auto& [negative_count, code] : sorted) {
    const auto size = static_cast<Index>(kept.size());
    const bool covers =
        static_cast<double>(covered) >= coverage * static_cast<double>(total) && size >= most / 8;
    if (size >= most || covers) break;
    covered -= negative_count;
    kept.insert(code);
  }
  distinct = counts.size();
  return kept;
}

Index TrainingText::choose_alphabet(Index most) {
  std::size_t distinct = 0;
  const Alphabet kept = frequent_characters(most, distinct);
  if (kept.size() == distinct) return static_cast<Index>(kept.size());
  for (std::string& part : parts_) {
    std::string cleaned;
    utf8::for_each(part, [&](char32_t code, std::string_view bytes) {
      if (code == ' ' || kept.contains(code))
        cleaned += bytes;
      else
        cleaned += '\t';
    });
    part = std::move(cleaned);
  }
  return static_cast<Index>(kept.size());
}

Index TrainingText::distinct_words() const {
  std::unordered_set<std::string_view> words;
  for (std::string_view part : parts_)
    while (!part.empty()) {
      const std::size_t end = std::min(part.find(' '), part.size());
      if (end > 0) words.insert(part.substr(0, end));
      part.remove_prefix(std::min(end + 1, part.size()));
    }
  return static_cast<Index>(words.size());
}

}  // namespace heed
