#pragma once

#include "datasets/tokenizer.h"
#include "datasets/tokenizers/segmentation.h"

namespace heed {

/// Subwords (Kudo and Richardson 2018, "SentencePiece"): kinds "unigram" (Kudo 2018) and "bpe"
/// (Sennrich et al. 2016). The library SentencePiece trains the model; the text is cut by
/// Segmentation, which can also draw a segmentation from a seed.
///
/// A space is U+2581 '▁' at the head of the piece behind it, and every line (a text may hold
/// several) has one before its first character. A character that is no piece is spelled in its
/// UTF-8 bytes, pieces <0x00> ... <0xFF>, and so are \n and U+2581 itself: nothing is unknown, and
/// decode(encode(text)) == text for all text without NUL. Bytes that are no UTF-8 decode to U+FFFD.
class SentencePiece final : public Tokenizer {
 public:
  /// `model`: the bytes of a model file that train() gave. Throws Error when it is none.
  SentencePiece(std::string kind, std::string model, int version = newest_version);
  /// options.max_size is the number of ids, 0 or from smallest_size to largest_size; a text that
  /// has too few different words gets fewer. 0: 8000, or about half as many as the different words.
  /// min_count has no meaning here. The same text gives the same bytes, whatever the machine.
  /// Throws Error when there is no text.
  static std::string train(const std::string& kind, const VocabularyOptions& options,
                           const std::function<void(const TakeLine&)>& feed);
  static constexpr Index smallest_size = 300;
  static constexpr Index largest_size = 1'000'000;

  std::string kind() const override { return kind_; }
  std::vector<std::string> tokens(std::string_view text) const override;
  std::string join(std::span<const std::string> pieces) const override;
  const Vocabulary& vocabulary() const override { return vocabulary_; }
  std::vector<Id> sample(std::string_view text, double strength, Random& random) const override;
  std::string model() const override { return model_; }

 private:
  std::vector<Id> known(std::string_view text) const override;

  std::string kind_;
  std::string model_;
  Vocabulary vocabulary_;
  std::unique_ptr<Segmentation> segmentation_;
};

}  // namespace heed
