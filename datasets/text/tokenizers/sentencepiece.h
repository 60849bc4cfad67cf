#pragma once

#include "datasets/text/tokenizer.h"
#include "datasets/text/tokenizers/segmentation.h"

namespace heed {

/// What tells the kinds of subwords apart.
struct SubwordKind {
  const char* name;  // also the library's name of its model
  // The most pieces that are of use for each distinct word of the training text. Merges can make a
  // piece of each word; a unigram model uses parts of words too.
  Index pieces_per_word;
  std::unique_ptr<Segmentation> (*segmentation)(const std::vector<ScoredPiece>&);
};
inline constexpr SubwordKind unigram_subwords{"unigram", 2, unigram_segmentation};
inline constexpr SubwordKind bpe_subwords{"bpe", 1, merge_segmentation};

/// Subwords (Kudo and Richardson 2018, "SentencePiece"): kinds "unigram" (Kudo 2018) and "bpe"
/// (Sennrich et al. 2016). The library SentencePiece trains the model. Segmentation splits the text
/// and can also draw a segmentation from a seed.
///
/// - A space becomes U+2581 '▁' at the start of the next piece. Every line of a text has one before
///   its first character.
/// - A character that is no piece becomes its UTF-8 bytes, the pieces <0x00> ... <0xFF>. So do \n
///   and U+2581 itself.
/// - Nothing is unknown, and decode(encode(text)) == text for all text without NUL.
/// - Bytes that are not UTF-8 decode to U+FFFD.
/// - Where case is marked, words of capitals and words with one are in lower case, and '⇪' or '⇧'
///   stands before them, before the space too. These two are the last ids of the vocabulary, are
///   no part of the model, and are never part of a piece. In a text they become bytes.
class SentencePiece final : public Tokenizer {
 public:
  /// `model` holds the bytes of a model file, as train() returns them. Throws Error when they are
  /// not such a model.
  SentencePiece(const SubwordKind& kind, std::string model, int version = newest_version,
                bool mark_case = false);
  /// Trains a model and returns the bytes of its file. The same text gives the same bytes on every
  /// machine.
  ///
  /// options.vocab_size is the number of ids: from smallest_size to largest_size, or 0 for 8000 or
  /// about half the number of distinct words, whichever is less. A text with too few distinct words
  /// gets fewer ids. options.min_count is not used. With options.mark_case, the model is of the
  /// text in lower case, and two ids fewer.
  ///
  /// Throws Error when
  /// - vocab_size is out of range;
  /// - there is no text.
  static std::string train(const SubwordKind& kind, const VocabularyOptions& options,
                           const FeedLines& feed);
  static constexpr Index smallest_size = 300;
  static constexpr Index largest_size = 1'000'000;

  std::string kind() const override { return kind_.name; }
  std::vector<std::string> tokens(std::string_view text) const override;
  std::string join(std::span<const std::string> pieces) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  std::vector<Id> sample(std::string_view text, double strength, Random& random) const override;
  std::string model() const override { return model_; }
  bool marks_case() const override { return mark_case_; }

 private:
  std::vector<Id> known(std::string_view text) const override;
  template <class Segment>
  std::vector<Id> cut(std::string_view text, Segment&& segment) const;

  SubwordKind kind_;
  std::string model_;
  bool mark_case_;
  Vocabulary vocabulary_;
  std::unique_ptr<Segmentation> segmentation_;
};

}  // namespace heed
