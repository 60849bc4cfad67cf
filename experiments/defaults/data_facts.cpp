#include "experiments/defaults/data_facts.h"

#include <algorithm>
#include <filesystem>

#include "datasets/images/picture_reader.h"
#include "datasets/text/pairs.h"
#include "datasets/text/text_file.h"
#include "datasets/text/tokenizer_kinds.h"

namespace heed {

namespace {

constexpr Index most_sampled = 5000;

/// Words between white space.
Index count_words(std::string_view text) {
  Index words = 0;
  bool within = false;
  for (const char c : text) {
    const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    words += !space && !within;
    within = !space;
  }
  return words;
}

/// In scripts without blanks a "word" is a line: there, a word is taken for two characters.
double correct_words(double words, double characters, DataFacts& facts) {
  constexpr double longest_word = 12;
  if (characters <= longest_word * words) return words;
  facts.blanks = false;
  return characters / 2;
}

/// Code points of UTF-8.
Index count_characters(std::string_view text) {
  return std::ranges::count_if(text, [](char c) { return (c & 0xC0) != 0x80; });
}

bool can_be_read_again(const std::vector<std::string>& data) {
  if (data.empty() || is_toy(data)) return false;
  return std::ranges::all_of(data, [](const std::string& name) {
    std::error_code unknown;
    return std::filesystem::is_regular_file(name, unknown);
  });
}

DataFacts facts_of_text(const std::string& text) {
  return {.known = true,
          .items = 1,
          .source_words = static_cast<double>(count_words(text)),
          .source_characters = static_cast<double>(count_characters(text))};
}

DataFacts facts_of_pairs(const PairSource& pairs, bool labelled) {
  const Index sampled = std::min(pairs.size(), most_sampled);
  if (sampled <= 0) return {};
  DataFacts facts{.known = true, .items = pairs.size()};
  for (Index i = 0; i < sampled; ++i) {
    const Pair pair = pairs.at(i);
    facts.source_words += static_cast<double>(count_words(pair.source));
    facts.source_characters += static_cast<double>(count_characters(pair.source));
    if (labelled) continue;
    facts.target_words += static_cast<double>(count_words(pair.target));
    facts.target_characters += static_cast<double>(count_characters(pair.target));
  }
  for (double* sum : {&facts.source_words, &facts.target_words, &facts.source_characters,
                      &facts.target_characters})
    *sum /= static_cast<double>(sampled);
  facts.source_words = correct_words(facts.source_words, facts.source_characters, facts);
  facts.target_words = correct_words(facts.target_words, facts.target_characters, facts);
  return facts;
}

DataFacts facts_of_pictures(const Settings& settings) {
  constexpr std::uint64_t unused_seed = 1;
  const auto pairs = settings.source.row().open(settings.data.train, settings.data.fields,
                                                Split::train, unused_seed, {.labelled = true});
  if (pairs->size() == 0) return {};
  const Picture first = PictureReader({}).original(pairs->at(0).source);
  return {.known = true,
          .items = std::max<Index>(pairs->size(), 0),
          .picture = PictureSize{first.height, first.width, first.channels == 3}};
}

double tokens(double words, double characters, const std::string& tokenizer) {
  constexpr double subwords_of_a_word = 1.25;
  constexpr double characters_of_a_subword = 5;
  const TokenizerKind& kind = tokenizer_kinds().at(tokenizer);
  if (!kind.subwords) return kind.by_blanks ? words : characters;
  return std::max(subwords_of_a_word * words, characters / characters_of_a_subword);
}

}  // namespace

bool DataFacts::summaries() const {
  constexpr double ratio = 3;
  return known && target_words > 0 && source_words >= ratio * target_words &&
         source_characters >= ratio * target_characters;
}

double DataFacts::source_tokens(const std::string& tokenizer) const {
  return tokens(source_words, source_characters, tokenizer);
}

double DataFacts::target_tokens(const std::string& tokenizer) const {
  return tokens(target_words, target_characters, tokenizer);
}

DataFacts survey(const Settings& settings) {
  const std::vector<std::string>& data = settings.data.train;
  const Task& task = settings.task.row();
  const bool pictures = settings.source.name == "image";
  if (!pictures && !can_be_read_again(data)) return {};
  if (pictures) return facts_of_pictures(settings);  // what is wrong with them is said now
  try {
    if (!task.reads_pairs) return facts_of_text(read_text(data[0]));
    constexpr std::uint64_t unused_seed = 1;
    const auto pairs = open_pairs(data, settings.data.fields, Split::train, unused_seed,
                                  {.labelled = task.labelled});
    return facts_of_pairs(*pairs, task.labelled);
  } catch (const Error&) {
    return {};
  }
}

}  // namespace heed
