#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/vocabulary.h"
#include "framework/random.h"
#include "framework/types.h"

namespace heed {

/// Text to ids and back, without <s> or </s>. Text must be well-formed UTF-8, else Error.
class Tokenizer {
 public:
  static constexpr int newest_version = 2;

  /// `version`: how it cuts text. A version cuts as it always did; what is trained now has the
  /// newest. Of words, 1 knows ASCII alone (tokenizers/words.h); the other kinds cut alike in both.
  explicit Tokenizer(int version = newest_version) : version_(version) {}
  virtual ~Tokenizer() = default;
  int version() const { return version_; }
  virtual std::string kind() const = 0;
  // the pieces, known or not
  virtual std::vector<std::string> tokens(std::string_view text) const = 0;
  /// Pieces to text. Pieces that are marks of the vocabulary are kept as they are.
  virtual std::string join(std::span<const std::string> pieces) const = 0;
  virtual const Vocabulary& vocabulary() const = 0;

  Index size() const { return vocabulary().size(); }  // ids are 0 ... size() - 1
  /// Unknown pieces become unk_id. <pad>, <s> and </s> vanish from text; unk_id shows as "<unk>".
  ///
  /// For models that copy, the words a source has and the vocabulary lacks may widen the vocabulary
  /// for that one pair: word k of `extra` has the id size() + k (See et al. 2017, section 2.2).
  std::vector<Id> encode(std::string_view text, std::span<const std::string> extra = {}) const;
  std::string decode(std::span<const Id> ids, std::span<const std::string> extra = {}) const;
  /// encode() of a source: appends to `extra` each unknown piece that it does not hold.
  std::vector<Id> encode_widening(std::string_view text, std::vector<std::string>& extra) const;
  /// encode() of one of the segmentations that `strength` makes likely (Segmentation::sample);
  /// kinds that know but one give that.
  virtual std::vector<Id> sample(std::string_view text, double strength, Random& random) const;
  /// What an id stands for.
  const std::string& token(Id id, std::span<const std::string> extra = {}) const;

  /// The bytes of a file that other programs read, of SentencePiece; empty for the other kinds.
  virtual std::string model() const { return {}; }
  /// A hash of all that decides how text becomes ids.
  std::uint64_t fingerprint() const;
  /// One UTF-8 JSON file, NAME.json, that says what it is, and beside it NAME.model where there is
  /// a model, whose length and hash the first one holds. load() throws Error, naming the file, when
  /// one of them is missing, damaged or something else.
  void save(const std::string& path) const;
  static std::shared_ptr<const Tokenizer> load(const std::string& path);

 private:
  virtual std::vector<Id> known(std::string_view text) const;  // encode() without `extra`

  int version_;
};

/// What reads the sources and what reads the targets: one tokenizer for both, a joint vocabulary,
/// or one each.
struct Tokenizers {
  std::shared_ptr<const Tokenizer> source;
  std::shared_ptr<const Tokenizer> target;

  Tokenizers() = default;
  Tokenizers(std::shared_ptr<const Tokenizer> both)
      : source(both), target(std::move(both)) {}  // NOLINT: meant to convert
  Tokenizers(std::shared_ptr<const Tokenizer> sources, std::shared_ptr<const Tokenizer> targets)
      : source(std::move(sources)), target(std::move(targets)) {}
  bool joint() const { return source == target; }
};

/// Accepted by train_tokenizer: "words", "characters", "unigram", "bpe".
const std::vector<std::string>& tokenizer_kinds();
/// Whether it cuts text into subwords, in more than one way: "unigram", "bpe".
bool has_subwords(const std::string& kind);

using TakeLine = std::function<void(std::string_view line)>;

/// `feed` is called once and hands every line of the training text to its argument. Throws Error on
/// an unknown kind.
std::shared_ptr<const Tokenizer> train_tokenizer(const std::string& kind,
                                                 const VocabularyOptions& options,
                                                 const std::function<void(const TakeLine&)>& feed);

}  // namespace heed
