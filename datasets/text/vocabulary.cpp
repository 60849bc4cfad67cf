#include "datasets/text/vocabulary.h"

#include <algorithm>
#include <array>

#include "datasets/text/special_ids.h"
#include "framework/error.h"
#include "framework/sequences.h"

namespace heed {

namespace {
constexpr std::array<std::string_view, first_free_id> marks{"<pad>", "<s>", "</s>", "<unk>"};
}

Vocabulary::Vocabulary(const std::vector<std::string>& tokens) {
  for (std::string_view mark : marks)
    add(std::string(mark));
  for (const std::string& token : tokens)
    add(token);
}

Vocabulary::Vocabulary(const StringMap<Index>& counts, const VocabularyOptions& options)
    : Vocabulary() {
  check_argument(options.vocab_size == 0 || options.vocab_size >= first_free_id, "vocabulary",
                 "vocab_size", options.vocab_size,
                 "of 0 (no limit) or at least {}, the marks that it counts", first_free_id);
  std::vector<std::pair<std::string_view, Index>> entries;
  for (const auto& [token, count] : counts)
    if (count >= options.min_count && std::find(marks.begin(), marks.end(), token) == marks.end())
      entries.emplace_back(token, count);
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    if (a.second != b.second) return a.second > b.second;
    return a.first < b.first;  // string_view compares bytes as unsigned
  });
  for (const auto& [token, count] : entries) {
    if (options.vocab_size > 0 && size() >= options.vocab_size) break;
    add(std::string(token));
  }
}

void Vocabulary::add(const std::string& token) {
  check(ids_.emplace(token, static_cast<Id>(tokens_.size())).second, "vocabulary",
        "expected distinct tokens; got '{}' twice", token);
  tokens_.push_back(token);
}

Id Vocabulary::id(std::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? unk_id : found->second;
}

const std::string& Vocabulary::token(Id id) const {
  check(id >= 0 && id < size(), "vocabulary", "expected an id in [0, {}); got {}", size(), id);
  return tokens_[id];
}

}  // namespace heed
