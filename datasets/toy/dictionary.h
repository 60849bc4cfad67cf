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
  std::string english[2], french[2];            // singular, plural
  std::vector<const Adjective*> before, after;  // that may qualify it
  bool is(Kinds kinds) const { return entry->kinds & kinds; }
};

struct Verb {
  const VerbEntry* entry = nullptr;
  std::string third;
  Conjugation french;
  std::vector<const Noun*> subjects, objects;
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
  std::vector<const Noun*> people, sites, furniture, garments,
      placed;  // placed: what one finds under a table
  std::vector<const Verb*> transitive, alone, to_place, fronting, recipient;
  Verb etre, avoir, vouloir, pouvoir, devoir;
  std::string numbers_english[101], numbers_french[2][101], digits[32];
};
const Dictionary& dictionary();

struct Weekday {
  std::string_view english, french;
};
struct Month {
  std::string_view english, french;
};
struct TimeWord {
  std::string_view english, french;
  unsigned tenses;
};  // bits 1 << Tense
struct Name {
  std::string_view text;
  Gender gender;
};

extern const Weekday weekdays[7];
extern const Month months[12];
extern const AdverbEntry frequencies[3], manners[3];
std::span<const TimeWord> time_words();
std::span<const Name> names_of_people();

}  // namespace heed::toy
