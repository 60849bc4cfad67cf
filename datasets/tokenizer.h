#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/vocabulary.h"
#include "framework/types.h"

namespace heed {

/// Text to ids and back, without <s> or </s>. Text must be well-formed UTF-8, else Error.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  virtual std::string kind() const = 0;
  virtual std::vector<std::string> tokens(std::string_view text) const = 0;  // the pieces, known or not
  /// Pieces to text. Pieces that are marks of the vocabulary are kept as they are.
  virtual std::string join(std::span<const std::string> pieces) const = 0;
  virtual const Vocabulary& vocabulary() const = 0;

  std::vector<Id> encode(std::string_view text) const;  // unknown pieces become unk_id
  std::string decode(std::span<const Id> ids) const;    // <pad>, <s> and </s> vanish; unk_id shows as "<unk>"
  Index size() const { return vocabulary().size(); }    // ids are 0 ... size() - 1

  /// One UTF-8 JSON file that says what it is; load() throws Error, naming the file, when it is not one.
  void save(const std::string& path) const;
  static std::unique_ptr<Tokenizer> load(const std::string& path);
};

/// Accepted by train_tokenizer: "words", "characters".
const std::vector<std::string>& tokenizer_kinds();

using TakeLine = std::function<void(std::string_view line)>;

/// `feed` is called once and hands every line of the training text to its argument. Throws Error on an unknown kind.
std::unique_ptr<Tokenizer> train_tokenizer(const std::string& kind, const VocabularyOptions& options,
                                           const std::function<void(const TakeLine&)>& feed);

}  // namespace heed
