#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "datasets/text/special_ids.h"
#include "datasets/text/tokenizer.h"
#include "datasets/text/vocabulary.h"
#include "framework/registry.h"
#include "framework/sequences.h"
#include "framework/types.h"

namespace heed {

/// What the files of a tokenizer hold.
struct SavedTokenizer {
  int version = Tokenizer::newest_version;
  std::vector<std::string> tokens = {};  // by id, without the four marks; of kinds without a model
  std::string model = {};                // as Tokenizer::model() gave it; of kinds with one
  bool mark_case = false;                // Tokenizer::marks_case()
};

/// A row of tokenizer_kinds().
struct TokenizerKind {
  std::string name;  // Tokenizer::kind() of its tokenizers
  std::string help;  // a line that says what a token is
  // Whether it splits text into subwords: a word may be several pieces, and nothing is unknown.
  bool subwords = false;
  // Whether words between blanks are whole tokens: scripts without blanks need another kind.
  bool by_blanks = false;
  // Whether its files hold Tokenizer::model() and not a list of tokens.
  bool has_model = false;
  // Whether `train` takes VocabularyOptions::mark_case.
  bool can_mark_case = false;
  // What `train` accepts as VocabularyOptions::vocab_size besides 0.
  Index smallest_size = first_free_id;
  Index largest_size = std::numeric_limits<Index>::max();
  // The largest `strength` of Tokenizer::sample(); 0 where a text has only one segmentation.
  double largest_strength = 0;
  // Trains a tokenizer, as train_tokenizer() does.
  std::function<std::shared_ptr<const Tokenizer>(const VocabularyOptions&, const FeedLines&)> train;
  // Makes a tokenizer from its files. Throws Error, without their names, when they contradict each
  // other.
  std::function<std::shared_ptr<const Tokenizer>(SavedTokenizer)> open;
};

/// The kinds of tokenizers: "words", "characters", "unigram", "bpe", and those that a program adds.
Registry<TokenizerKind>& tokenizer_kinds();

/// The vocabulary of the pieces into which `splitter` splits a text, for kinds whose vocabulary
/// holds the frequent pieces. Uses some 40 MB at most, whatever the text: of more than 524,288
/// distinct pieces, the rarest so far are forgotten.
Vocabulary count_pieces(const Tokenizer& splitter, const VocabularyOptions& options,
                        const FeedLines& feed);

}  // namespace heed
