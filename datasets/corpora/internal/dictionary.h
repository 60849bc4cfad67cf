#pragma once

#include <span>
#include <string>
#include <vector>

#include "datasets/corpora/internal/morphology.h"

namespace heed::toy {

struct Adjective {
  const AdjectiveEntry* entry;
  Agreement french;
};

struct Noun {
  const NounEntry* entry;
  // Singular and plural.
  std::string english[2];
  std::string french[2];
  // The adjectives that may stand before and after the French noun.
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

/// The lexicon with all inflected forms. Made once and then only read.
struct Dictionary {
  Dictionary();
  Dictionary(const Dictionary&) = delete;  // its entries point to each other
  std::vector<const Noun*> nouns_of(Kinds kinds) const;
  void add_noun(const NounEntry& entry);
  void add_verb(const VerbEntry& entry);

  std::vector<Adjective> adjectives;
  std::vector<Noun> nouns;
  std::vector<Verb> verbs;
  std::vector<const Noun*> people;
  std::vector<const Noun*> sites;  // buildings and places
  std::vector<const Noun*> furniture;
  std::vector<const Noun*> garments;
  std::vector<const Noun*> placed;  // what may be under a table
  std::vector<const Verb*> transitive;
  std::vector<const Verb*> alone;  // verbs without an object or a place
  std::vector<const Verb*> to_place;
  std::vector<const Verb*> fronting;
  std::vector<const Verb*> recipient;
  Verb etre;
  Verb avoir;
  Verb vouloir;
  Verb pouvoir;
  Verb devoir;
  std::string numbers_english[101];
  std::string numbers_french[2][101];  // masculine and feminine
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
struct TimeWord {
  std::string_view english;
  std::string_view french;
  unsigned tenses;  // the tenses it goes with, as bits 1 << Tense
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
