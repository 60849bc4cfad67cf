#include "datasets/text/tokenizer_kinds.h"

#include <string_view>
#include <utility>

#include "datasets/text/tokenizers/characters.h"
#include "datasets/text/tokenizers/sentencepiece.h"
#include "datasets/text/tokenizers/words.h"

namespace heed {

namespace {

// The most distinct pieces that are counted at a time, about 40 MB. Beyond that, the pieces that
// are the rarest so far are removed, as in lossy counting (Manku and Motwani 2002). This bounds the
// memory for any corpus; the counts of frequent pieces stay exact.
constexpr std::size_t most_counted = std::size_t{1} << 19;

// Removes the rarest pieces until half as many as most_counted are left.
void remove_rarest(StringMap<Index>& counts) {
  for (Index rare = 1; counts.size() > most_counted / 2; ++rare)
    std::erase_if(counts, [rare](const auto& entry) { return entry.second <= rare; });
}

// A kind whose vocabulary holds the frequent pieces.
template <class Kind>
TokenizerKind counted(const char* name, const char* help, bool by_blanks) {
  return {
      .name = name,
      .help = help,
      .by_blanks = by_blanks,
      .train =
          [](const VocabularyOptions& options, const FeedLines& feed) {
            return std::make_shared<Kind>(count_pieces(Kind(Vocabulary()), options, feed));
          },
      .open =
          [](const SavedTokenizer& saved) {
            return std::make_shared<Kind>(Vocabulary(saved.tokens), saved.version);
          },
  };
}

TokenizerKind subwords(const SubwordKind& kind, const char* help, double largest_strength) {
  return {
      .name = kind.name,
      .help = help,
      .subwords = true,
      .has_model = true,
      .can_mark_case = true,
      .smallest_size = SentencePiece::smallest_size,
      .largest_size = SentencePiece::largest_size,
      .largest_strength = largest_strength,
      .train =
          [&kind](const VocabularyOptions& options, const FeedLines& feed) {
            return std::make_shared<SentencePiece>(kind, SentencePiece::train(kind, options, feed),
                                                   SentencePiece::newest_version,
                                                   options.mark_case);
          },
      .open =
          [&kind](SavedTokenizer saved) {
            return std::make_shared<SentencePiece>(kind, std::move(saved.model), saved.version,
                                                   saved.mark_case);
          },
  };
}

}  // namespace

Registry<TokenizerKind>& tokenizer_kinds() {
  static Registry<TokenizerKind> kinds(
      "tokenizer",
      {counted<Words>("words", "a word or a mark", true),
       counted<Characters>("characters", "a code point of Unicode", false),
       subwords(unigram_subwords, "a subword of a unigram language model (Kudo 2018)", 1.0),
       subwords(bpe_subwords, "a subword of byte pair encoding (Sennrich et al. 2016)", 0.9)});
  return kinds;
}

Vocabulary count_pieces(const Tokenizer& splitter, const VocabularyOptions& options,
                        const FeedLines& feed) {
  StringMap<Index> counts;
  feed([&](std::string_view line) {
    for (std::string& piece : splitter.tokens(line))
      ++counts[std::move(piece)];
    if (counts.size() > most_counted) remove_rarest(counts);
  });
  return {counts, options};
}

}  // namespace heed
