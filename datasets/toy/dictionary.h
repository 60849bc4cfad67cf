#pragma once

#include <span>
#include <string>
#include <vector>

#include "datasets/toy/morphology.h"

namespace heed::toy {

struct Adjective {
  const AdjectiveEntry* entry;
  Agreement french;
};

struct Noun {
  const NounEntry* entry;
  // singular, plural
  std::string english[2];
  std::string french[2];
  // that may qualify it
  std::vector<const Adjective*> before;
  std::vector<const Adjective*> after;
  bool is(Kinds kinds) const { return entry->kinds & kinds; }
};

struct Verb {
  const VerbEntry* entry = nullptr;
  std::string third;
  Conjugation french;
  std::vector<const Noun*> subjects;
  std::vector<const Noun*> objects;
  bool has(unsigned traits) const { return entry->traits & traits; }
};

/// The lexicon with every form spelled out, made once and then only read.
struct Dictionary {
  Dictionary();
  Dictionary(const Dictionary&) = delete;
  std::vector<const Noun*> nouns_of(Kinds kinds) const;

  std::vector<Adjective> adjectives;
  std::vector<Noun> nouns;
  std::vector<Verb> verbs;
  // placed: what one finds under a table
  std::vector<const Noun*> people;
  std::vector<const Noun*> sites;
  std::vector<const Noun*> furniture;
  std::vector<const Noun*> garments;
  std::vector<const Noun*> placed;
  std::vector<const Verb*> transitive;
  std::vector<const Verb*> alone;
  std::vector<const Verb*> to_place;
  std::vector<const Verb*> fronting;
  std::vector<const Verb*> recipient;
  Verb etre;
  Verb avoir;
  Verb vouloir;
  Verb pouvoir;
  Verb devoir;
  std::string numbers_english[101];
  std::string numbers_french[2][101];
  std::string digits[32];
};
const Dictionary& dictionary();

struct Weekday {
  std::string_view english;
  std::string_view french;
};
struct Month {
  std::string_view english;
  std::string_view french;
};
// bits 1 << Tense
struct TimeWord {
  std::string_view english;
  std::string_view french;
  unsigned tenses;
};
struct Name {
  std::string_view text;
  Gender gender;
};

extern const Weekday weekdays[7];
extern const Month months[12];
extern const AdverbEntry frequencies[3];
extern const AdverbEntry manners[3];
std::span<const TimeWord> time_words();
std::span<const Name> names_of_people();

}  // namespace heed::toy
