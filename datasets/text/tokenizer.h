#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/text/special_ids.h"
#include "datasets/text/vocabulary.h"
#include "framework/random.h"
#include "framework/types.h"

namespace heed {

class Labels;
class Reader;

/// Converts text to ids and ids to text, without <s> and </s>. Throws Error when a text is not
/// well-formed UTF-8.
class Tokenizer {
 public:
  static constexpr int newest_version = 2;

  /// `version` selects the rules that split text. The rules of a version never change, and new
  /// tokenizers are trained with the newest. In version 1, "words" knows ASCII alone
  /// (tokenizers/words.h). The other kinds split alike in both versions.
  explicit Tokenizer(int version = newest_version) : version_(version) {}
  virtual ~Tokenizer() = default;
  int version() const { return version_; }
  virtual std::string kind() const = 0;
  /// The pieces of a text, in the vocabulary or not.
  virtual std::vector<std::string> tokens(std::string_view text) const = 0;
  /// The text of pieces. Marks such as <unk> are kept as text.
  virtual std::string join(std::span<const std::string> pieces) const = 0;
  virtual const Vocabulary& vocabulary() const = 0;

  Index size() const { return vocabulary().size(); }  // ids are 0 ... size() - 1
  /// Encodes and decodes. Unknown pieces become unk_id, which decodes to "<unk>". <pad>, <s> and
  /// </s> are left out of the text.
  ///
  /// For models that copy, `extra` widens the vocabulary for one pair by words that the source has
  /// and the vocabulary lacks: word k of `extra` has the id size() + k (See et al. 2017, section
  /// 2.2).
  std::vector<Id> encode(std::string_view text, std::span<const std::string> extra = {}) const;
  std::string decode(std::span<const Id> ids, std::span<const std::string> extra = {}) const;
  /// Encodes a source and appends to `extra` each unknown piece that `extra` does not hold.
  std::vector<Id> encode_widening(std::string_view text, std::vector<std::string>& extra) const;
  /// Encodes with a segmentation drawn at random; `strength` as for Segmentation::sample. Kinds
  /// with only one segmentation use that.
  virtual std::vector<Id> sample(std::string_view text, double strength, Random& random) const;
  /// The token of an id.
  const std::string& token(Id id, std::span<const std::string> extra = {}) const;

  /// The bytes of SentencePiece's model file, which other programs can read; empty for the other
  /// kinds.
  virtual std::string model() const { return {}; }
  /// Whether words are in lower case, with a token before those that were in capitals.
  virtual bool marks_case() const { return false; }
  /// A hash of everything that determines how text becomes ids.
  std::uint64_t fingerprint() const;
  /// Writes a UTF-8 JSON file, NAME.json, and beside it NAME.model if there is a model. NAME.json
  /// holds the length and hash of the model.
  void save(const std::string& path) const;
  /// Throws Error, `FILE: ...`, when a file is missing, damaged or not a tokenizer.
  static std::shared_ptr<const Tokenizer> load(const std::string& path);
  /// The same from memory: the text of NAME.json, and the bytes of NAME.model, empty for kinds
  /// without a model. `name` stands in messages where load() has the path.
  static std::shared_ptr<const Tokenizer> load_bytes(std::string_view json, std::string_view model,
                                                     const std::string& name);

 private:
  virtual std::vector<Id> known(std::string_view text) const;  // encode() without `extra`

  int version_;
};

/// The tokenizers of sources and targets: one for both (a joint vocabulary), or one for each. Of
/// labelled texts, `target` is `source`, and `labels` are the classes. Where sources name what is
/// no text, such as pictures, there is a reader and no tokenizer (reader.h).
struct Tokenizers {
  std::shared_ptr<const Tokenizer> source;
  std::shared_ptr<const Tokenizer> target;
  std::shared_ptr<const Labels> labels = nullptr;
  std::shared_ptr<const Reader> reader = nullptr;

  Tokenizers() = default;
  Tokenizers(std::shared_ptr<const Tokenizer> both)
      : source(both), target(std::move(both)) {}  // NOLINT: meant to convert
  Tokenizers(std::shared_ptr<const Tokenizer> sources, std::shared_ptr<const Tokenizer> targets)
      : source(std::move(sources)), target(std::move(targets)) {}
  bool joint() const { return source == target; }
};

using TakeLine = std::function<void(std::string_view line)>;
/// Passes every line of a text to its argument.
using FeedLines = std::function<void(const TakeLine& take)>;

/// Trains a tokenizer of a kind of tokenizer_kinds() (tokenizer_kinds.h): "words", "characters",
/// "unigram", "bpe". `feed` is called once. Throws Error when the kind is unknown, or as its row
/// says.
std::shared_ptr<const Tokenizer> train_tokenizer(const std::string& kind,
                                                 const VocabularyOptions& options,
                                                 const FeedLines& feed);
/// Whether a kind splits text into subwords: "unigram", "bpe". False for an unknown kind.
bool has_subwords(const std::string& kind);

}  // namespace heed
