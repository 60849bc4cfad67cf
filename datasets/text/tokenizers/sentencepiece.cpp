#include "datasets/text/tokenizers/sentencepiece.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include "datasets/text/special_ids.h"
#include "datasets/text/tokenizers/internal/letter_case.h"
#include "datasets/text/tokenizers/internal/training_text.h"
#include "datasets/text/utf8.h"
#include "framework/error.h"

namespace heed {

namespace {

constexpr std::string_view space = "▁";
constexpr std::string_view replacement = "\uFFFD";
constexpr char32_t space_code = 0x2581;
constexpr Index default_size = 8000;

// Passes the parts of a text to the library's trainer.
class Parts final : public sentencepiece::SentenceIterator {
 public:
  explicit Parts(const std::vector<std::string>& parts) : parts_(parts) {}
  bool done() const override { return at_ == parts_.size(); }
  void Next() override { ++at_; }
  const std::string& value() const override { return parts_[at_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  const std::vector<std::string>& parts_;
  std::size_t at_ = 0;
};

// Calls segment(word) for each word, which begins with U+2581 for the space before it. Calls
// literal(bytes) for the characters that become bytes.
template <class Segment, class Literal>
class Splitter {
 public:
  Splitter(Segment segment, Literal literal) : segment_(segment), literal_(literal) {}

  void take(char32_t code, std::string_view bytes, bool is_literal) {
    if (code == '\n') {
      flush();
      literal_(bytes);
      line_begins_ = true;
      return;
    }
    if (std::exchange(line_begins_, false)) word_ = space;
    if (code == ' ') {
      flush();
      word_ = space;
    } else if (is_literal) {
      flush();
      literal_(bytes);
    } else {
      word_ += bytes;
    }
  }
  // Ends the word, unless that is a space alone, which belongs to what follows.
  void flush_before_mark() {
    if (word_ != space) flush();
  }
  void flush() {
    if (word_.empty()) return;
    segment_(std::string_view(word_));
    word_.clear();
  }

 private:
  Segment segment_;
  Literal literal_;
  std::string word_;
  bool line_begins_ = true;
};

void append_bytes(std::string_view text, std::vector<Id>& ids) {
  for (const char c : text)
    ids.push_back(first_byte_id + static_cast<unsigned char>(c));
}

// The value of a hexadecimal digit; -1 for another character.
int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The byte that a piece such as <0x0A> stands for, else -1. SentencePiece reserves this spelling
// for bytes.
int byte_of(std::string_view piece) {
  if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return -1;
  const int high = hex_digit(piece[3]);
  const int low = hex_digit(piece[4]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

// Replaces each malformed byte by U+FFFD.
std::string well_formed(std::string_view text) {
  std::string out;
  for (;;) {
    const std::size_t bad = utf8::find_invalid(text);
    out += text.substr(0, bad);
    if (bad == std::string_view::npos) return out;
    out += replacement;
    text.remove_prefix(bad + 1);
  }
}

// Whether a model has the ids of Heed's marks.
bool has_marks(const sentencepiece::SentencePieceProcessor& processor) {
  return processor.GetPieceSize() >= first_piece_id && processor.pad_id() == pad_id &&
         processor.bos_id() == bos_id && processor.eos_id() == eos_id &&
         processor.unk_id() == unk_id;
}

// Whether id is that of the right byte, or that of a piece with a space nowhere but at its start.
bool is_valid_piece(const sentencepiece::SentencePieceProcessor& processor, int id) {
  const std::string& piece = processor.IdToPiece(id);
  if (id < first_piece_id) return processor.IsByte(id) && byte_of(piece) == id - first_byte_id;
  if (processor.IsByte(id) || processor.IsControl(id)) return false;
  if (processor.IsUnknown(id) || processor.IsUnused(id)) return false;
  return piece.rfind(space) == std::string::npos || piece.rfind(space) == 0;
}

// The size of the vocabulary to train.
Index vocabulary_size(const SubwordKind& kind, Index asked, Index wanted, Index alphabet,
                      Index words) {
  const Index useful = kind.pieces_per_word * words;
  const Index deserved = std::min(useful, std::max<Index>(1000, words / 2));
  return std::min(wanted, first_piece_id + alphabet + (asked > 0 ? useful : deserved));
}

std::unordered_map<std::string, std::string> trainer_settings(const SubwordKind& kind, Index size) {
  return {
      {"model_type", kind.name},
      {"vocab_size", std::to_string(size)},
      {"hard_vocab_limit", "false"},
      {"byte_fallback", "true"},
      // TrainingText has chosen the alphabet already. The library parses this number in the global
      // locale, in which a decimal point may be invalid, so it must be a whole number.
      {"character_coverage", "1"},
      {"required_chars", std::string(space)},
      {"normalization_rule_name", "identity"},
      {"remove_extra_whitespaces", "false"},
      {"max_sentence_length", "1000000"},
      {"pad_id", std::to_string(pad_id)},
      {"bos_id", std::to_string(bos_id)},
      {"eos_id", std::to_string(eos_id)},
      {"unk_id", std::to_string(unk_id)},
      // The sums of floats of a unigram model depend on the number of threads.
      {"num_threads", "1"},
      {"minloglevel", "3"},
  };
}

}  // namespace

SentencePiece::SentencePiece(const SubwordKind& kind, std::string model, int version,
                             bool mark_case)
    : Tokenizer(version), kind_(kind), model_(std::move(model)), mark_case_(mark_case) {
  sentencepiece::SentencePieceProcessor processor;
  if (!processor.LoadFromSerializedProto(model_).ok())
    fail("its model is not one of SentencePiece");
  std::vector<std::string> names;
  std::vector<ScoredPiece> pieces;
  bool valid = has_marks(processor);
  for (int id = first_free_id; valid && id < processor.GetPieceSize(); ++id) {
    const std::string& piece = processor.IdToPiece(id);
    names.push_back(piece);
    valid = is_valid_piece(processor, id);
    if (id >= first_piece_id) pieces.push_back({piece, processor.GetScore(id)});
  }
  if (mark_case_)
    for (const std::string_view mark : {capital_mark, all_capitals_mark})
      names.emplace_back(mark);
  vocabulary_ = Vocabulary(names);
  if (!valid || vocabulary_.id(space) == unk_id)
    fail(
        "its model is one of SentencePiece but not of Heed: other marks, or pieces that hold a "
        "space within");
  segmentation_ = kind_.segmentation(pieces);
}

std::string SentencePiece::train(const SubwordKind& kind, const VocabularyOptions& options,
                                 const FeedLines& feed) {
  const Index asked = options.vocab_size;
  check(asked == 0 || (asked >= smallest_size && asked <= largest_size), kind.name,
        "expected a vocabulary of 0 (as the text deserves) or {} to {}: {} marks, 256 bytes, and "
        "pieces; got {}",
        smallest_size, largest_size, first_free_id, asked);
  TrainingText text;
  feed([&](std::string_view line) {
    options.mark_case ? text.take(lower_case_words(line)) : text.take(line);
  });
  check(!text.parts().empty(), kind.name,
        "expected a text to learn pieces from; got none, or blanks alone");
  const Index words = text.distinct_words();
  constexpr Index case_marks = 2;
  const Index wanted = (asked > 0 ? asked : default_size) - (options.mark_case ? case_marks : 0);
  const Index alphabet = text.choose_alphabet((wanted - first_piece_id) / 2) + 1;  // and U+2581
  const Index size = vocabulary_size(kind, asked, wanted, alphabet, words);
  Parts parts(text.parts());
  std::string model;
  const auto status =
      sentencepiece::SentencePieceTrainer::Train(trainer_settings(kind, size), &parts, &model);
  if (!status.ok())
    fail("{}: SentencePiece cannot learn from this text ({}); try the tokenizer words", kind.name,
         status.error_message());
  return model;
}

template <class Segment>
std::vector<Id> SentencePiece::cut(std::string_view text, Segment&& segment) const {
  std::vector<Id> ids;
  ids.reserve(text.size() / 2);
  Splitter splitter([&](std::string_view word) { segment(word, ids); },
                    [&](std::string_view bytes) { append_bytes(bytes, ids); });
  const auto take = [&](char32_t code, std::string_view bytes) {
    splitter.take(code, bytes, code == space_code || (mark_case_ && is_case_mark(code)));
  };
  if (!mark_case_) {
    utf8::for_each(text, take);
    splitter.flush();
    return ids;
  }
  const auto all_capitals_id = static_cast<Id>(size() - 1);
  for (const CasedPart& part : cased_parts(text)) {
    if (part.written != WordCase::as_is) {
      splitter.flush_before_mark();
      ids.push_back(part.written == WordCase::capital ? all_capitals_id - 1 : all_capitals_id);
    }
    utf8::for_each(part.text, take);
  }
  splitter.flush();
  return ids;
}

std::vector<Id> SentencePiece::known(std::string_view text) const {
  return cut(text,
             [&](std::string_view word, std::vector<Id>& ids) { segmentation_->best(word, ids); });
}

std::vector<Id> SentencePiece::sample(std::string_view text, double strength,
                                      Random& random) const {
  return cut(text, [&](std::string_view word, std::vector<Id>& ids) {
    segmentation_->sample(word, strength, random, ids);
  });
}

std::vector<std::string> SentencePiece::tokens(std::string_view text) const {
  std::vector<std::string> pieces;
  for (const Id id : known(text))
    pieces.push_back(vocabulary_.token(id));
  return pieces;
}

std::string SentencePiece::join(std::span<const std::string> pieces) const {
  std::string text;
  std::string part;  // since the last mark
  WordCase written = WordCase::as_is;
  bool line_begins = true;
  const auto end_part = [&] {
    text += restore_case(written, well_formed(std::exchange(part, {})));
  };
  for (std::string_view piece : pieces) {
    if (mark_case_ && (piece == capital_mark || piece == all_capitals_mark)) {
      end_part();
      written = piece == capital_mark ? WordCase::capital : WordCase::all_capitals;
      continue;
    }
    if (const int byte = byte_of(piece); byte >= 0) {
      if (byte == 0)
        part += replacement;  // a text must not hold NUL
      else
        part += static_cast<char>(byte);
      line_begins = byte == '\n';
      continue;
    }
    if (piece.starts_with(space)) {
      piece.remove_prefix(space.size());
      if (!line_begins) part += ' ';
    }
    part += piece;
    line_begins = false;
  }
  end_part();
  return text;
}

}  // namespace heed
