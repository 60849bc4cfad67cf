#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "datasets/text/special_ids.h"
#include "framework/types.h"

namespace heed {

/// Lets maps keyed by string be searched with a string_view.
struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};
template <class Value>
using StringMap = std::unordered_map<std::string, Value, StringHash, std::equal_to<>>;

struct VocabularyOptions {
  Index min_count = 1;     // rarer tokens are left out
  Index vocab_size = 0;    // the most entries, the four marks included; 0: no limit
  bool mark_case = false;  // subwords: words in lower case, with a token before those in capitals
};

/// Tokens and their ids. Ids 0 to 3 are the marks <pad> <s> </s> <unk> (special_ids.h).
class Vocabulary {
 public:
  Vocabulary() : Vocabulary(std::vector<std::string>{}) {}
  /// The marks, then `tokens` in their order. Throws Error when a token occurs twice or is spelled
  /// like a mark.
  explicit Vocabulary(const std::vector<std::string>& tokens);
  /// The marks, then the tokens by descending count. Tokens of equal count are ordered by their
  /// bytes. A token that is spelled like a mark is left out.
  Vocabulary(const StringMap<Index>& counts, const VocabularyOptions& options);

  Id id(std::string_view token) const;    // unk_id if the token is unknown
  const std::string& token(Id id) const;  // throws Error when there is no such id
  Index size() const { return static_cast<Index>(tokens_.size()); }
  const std::vector<std::string>& tokens() const { return tokens_; }  // by id, the marks included

 private:
  void add(const std::string& token);
  std::vector<std::string> tokens_;
  StringMap<Id> ids_;
};

}  // namespace heed
