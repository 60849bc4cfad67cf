#include "experiments/data_warnings.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "datasets/text/batch.h"
#include "datasets/text/tokenizer_kinds.h"
#include "datasets/text/unicode.h"
#include "datasets/text/utf8.h"

namespace heed {

namespace {

constexpr Index shortest_line = 20;

template <class Take>
void for_each_line(std::string_view text, Take&& take) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = utf8::trim(text.substr(0, end));
    if (line.size() >= shortest_line && static_cast<Index>(utf8::length(line)) >= shortest_line)
      take(hash_of(line, {}));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// Counts the unknown tokens of one side.
struct Share {
  Index tokens = 0;
  Index unknown = 0;
  void add(std::span<const Id> ids) {
    for (const Id id : ids)
      if (id != pad_id && id != bos_id && id != eos_id) {
        ++tokens;
        unknown += id == unk_id;
      }
  }
  bool large() const { return 4 * unknown > tokens; }
  std::string text(std::string_view side) const {
    return fmt::format("{:.0f} % of the {}tokens",
                       100.0 * static_cast<double>(unknown) / static_cast<double>(tokens), side);
  }
};

// Whether the code point belongs to a script without spaces between words: Thai, Lao, Burmese,
// Khmer, or the scripts of Chinese and Japanese.
bool is_unspaced(char32_t code) {
  static constexpr char32_t ranges[][2] = {{0xE00, 0xEFF},   {0x1000, 0x109F}, {0x1780, 0x17FF},
                                           {0x3041, 0x30FF}, {0x31F0, 0x31FF}, {0x3400, 0x4DBF},
                                           {0x4E00, 0x9FFF}, {0xF900, 0xFAFF}, {0x20000, 0x3FFFD}};
  return std::ranges::any_of(ranges, [&](const auto& r) { return code >= r[0] && code <= r[1]; });
}

// Counts the letters of a text that belong to such scripts.
struct Unspaced {
  // what is read of the data
  static constexpr Index most_pairs = 1000;
  static constexpr std::size_t most_bytes = 1 << 20;

  Index letters = 0;
  Index unspaced = 0;
  void add(std::string_view text) {
    utf8::for_each(text, [&](char32_t code, std::string_view) {
      if (unicode::category(code) != unicode::Category::letter) return;
      ++letters;
      unspaced += is_unspaced(code);
    });
  }
  bool large() const { return unspaced > 0 && 4 * unspaced >= letters; }
  std::string text(std::string_view side) const {
    const double part = static_cast<double>(unspaced) / static_cast<double>(letters);
    return fmt::format("{:.0f} % of the letters of the {}", 100 * part, side);
  }
};

bool cuts_by_blanks(const Settings& s) { return tokenizer_kinds().at(s.data.tokenizer).by_blanks; }

std::string explain_unspaced(const std::vector<std::string>& shares) {
  if (shares.empty()) return "";
  return fmt::format(
      "data.tokenizer=words cuts at blanks and marks alone, and {} belong to scripts without "
      "blanks between words (Chinese, Japanese, Thai ...): learn subwords (data.tokenizer=unigram)",
      fmt::join(shares, " and "));
}

std::string explain(const std::vector<std::string>& shares, const Settings& s,
                    const Tokenizers& tokenizers) {
  if (shares.empty()) return "";
  std::vector<std::string> remedies;
  const Index largest = std::max(tokenizers.source->size(), tokenizers.target->size());
  if (s.data.vocab_size > 0 && largest >= s.data.vocab_size)
    remedies.push_back(fmt::format("raise data.vocab_size ({})", s.data.vocab_size));
  if (s.data.min_count > 1 && !has_subwords(s.data.tokenizer))
    remedies.push_back(fmt::format("lower data.min_count ({})", s.data.min_count));
  if (cuts_by_blanks(s) && !s.value_or("model.copy", false))
    remedies.push_back("learn subwords (data.tokenizer=unigram)");
  return fmt::format("{} are unknown, and all one to the model (<unk>){}{}",
                     fmt::join(shares, " and "), remedies.empty() ? "" : ": ",
                     fmt::join(remedies, ", or "));
}

}  // namespace

void ValidationOverlap::validate_on(std::uint64_t hash) {
  ++entries_[hash].times;
  ++size_;
}

void ValidationOverlap::train_on(std::uint64_t hash) {
  if (const auto entry = entries_.find(hash); entry != entries_.end()) entry->second.trained = true;
}

void ValidationOverlap::validate_on(const PairSource& pairs) {
  for (Index i = 0; i < pairs.size(); ++i) {
    const Pair pair = pairs.at(i);
    validate_on(hash_of(pair.source, pair.target));
  }
}

void ValidationOverlap::validate_on(std::string_view text) {
  lines_ = true;
  for_each_line(text, [&](std::uint64_t hash) { validate_on(hash); });
}

void ValidationOverlap::train_on(const Pair& pair) {
  if (!entries_.empty()) train_on(hash_of(pair.source, pair.target));
}

void ValidationOverlap::train_on(std::string_view text) {
  if (!entries_.empty()) for_each_line(text, [&](std::uint64_t hash) { train_on(hash); });
}

std::string ValidationOverlap::warning(bool held_out) const {
  Index shared = 0;
  for (const auto& [hash, entry] : entries_)
    shared += entry.trained ? entry.times : 0;
  if (shared == 0 || shared * (lines_ ? 20 : 100) < size_) return "";
  std::string what = held_out ? "pairs held out to validate on" : "validation pairs";
  if (lines_) what = fmt::format("validation lines of {} characters and more", shortest_line);
  const char* remedy =
      held_out
          ? "take repeated pairs out of the data, or give a validation set of its own (data.valid)"
          : "take them out of one of the two";
  return fmt::format(
      "{} of the {} {} stand in the training data too, so the validation loss flatters; {}", shared,
      size_, what, remedy);
}

std::string unknown_warning(const std::vector<Batch>& batches, const Settings& settings,
                            const Tokenizers& tokenizers) {
  Share source;
  Share target;
  for (const Batch& batch : batches) {
    source.add(batch.source.ids.span());
    if (!settings.task.row().labelled) target.add(batch.gold.span());  // else a class
  }
  std::vector<std::string> shares;
  if (source.large()) shares.push_back(source.text("source "));
  if (target.large()) shares.push_back(target.text("target "));
  return explain(shares, settings, tokenizers);
}

std::string unknown_warning(std::span<const Id> text, const Settings& settings,
                            const Tokenizers& tokenizers) {
  Share share;
  share.add(text);
  return explain(share.large() ? std::vector{share.text("")} : std::vector<std::string>{}, settings,
                 tokenizers);
}

std::string uncut_warning(const PairSource& pairs, const Settings& settings) {
  if (!cuts_by_blanks(settings)) return "";
  if (pairs.size() < 0) return "";  // a built-in corpus
  Unspaced source;
  Unspaced target;
  const Index size = std::min(pairs.size(), Unspaced::most_pairs);
  for (Index i = 0; i < size; ++i) {
    const Pair pair = pairs.at(i);
    source.add(pair.source);
    if (!settings.task.row().labelled) target.add(pair.target);
  }
  std::vector<std::string> shares;
  if (source.large()) shares.push_back(source.text("source"));
  if (target.large()) shares.push_back(target.text("target"));
  return explain_unspaced(shares);
}

std::string uncut_warning(std::string_view text, const Settings& settings) {
  if (!cuts_by_blanks(settings)) return "";
  std::size_t end = std::min(text.size(), Unspaced::most_bytes);
  const auto continues = [&](std::size_t at) {  // within a code point
    return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
  };
  while (continues(end))
    ++end;
  Unspaced share;
  share.add(text.substr(0, end));
  if (!share.large()) return "";
  return explain_unspaced({share.text("text")});
}

}  // namespace heed
