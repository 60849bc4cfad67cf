#pragma once

#include <cstdint>
#include <span>
#include <string_view>

// The dictionary of toy:translation, as a person would write it: citation forms, and the irregular
// ones beside them. Rules: no word with two senses, no past tense that looks like the present
// ("read"), no plural that looks like the singular.
namespace heed::toy {

enum class Gender : std::uint8_t { masculine, feminine };

/// What a noun denotes, so that people eat soup and not staircases. A set of bits.
using Kinds = unsigned;
namespace kind {
inline constexpr Kinds person = 1, animal = 2, food = 4, drink = 8, text = 16, thing = 32,
                       garment = 64, furniture = 128, building = 256, place = 512,
                       instrument = 1024, vehicle = 2048, jewel = 4096, countable_food = 8192,
                       mass = 16384,  // no plural, no "a": bread, water
    anyone = 32768;                   // nobody's: "ma femme" is a wife, "ma fille" a daughter
inline constexpr Kinds animate = person | animal;
inline constexpr Kinds portable = thing | garment | text | jewel | instrument;
inline constexpr Kinds visible = animate | portable | building | vehicle;
}  // namespace kind

/// The preposition that says one is there: dans, sur, à.
enum class Location : std::uint8_t { none, in, on, at };

struct NounEntry {
  std::string_view english, french;
  Gender gender;
  Kinds kinds;
  std::string_view english_plural = {}, french_plural = {};  // where the rules do not give them
  Location location = Location::none;
};

struct AdjectiveEntry {
  std::string_view english, french;
  Kinds kinds;  // of the nouns it may qualify
  int rank;     // its place in English: opinion 0, size 1, age 2, colour 3, origin 4
  std::string_view feminine = {}, plural = {};  // where the rules do not give them
  std::string_view before_vowel = {};           // masculine singular: bel, nouvel, vieil
  bool before = false;                          // stands before the French noun
  std::string_view comparative = {};            // English; empty: no comparison is drawn
};

/// How verbs behave, as bits.
namespace trait {
inline constexpr unsigned etre = 1;       // passé composé with être
inline constexpr unsigned stative = 2;    // the English simple past is an imparfait; no "was -ing"
inline constexpr unsigned recipient = 4;  // gives something to somebody
inline constexpr unsigned a = 8;          // the English object is "à quelqu'un" in French
inline constexpr unsigned de = 16;        // the English object is "de quelque chose"
inline constexpr unsigned fronting = 32;  // its object may stand before it (relative clause, "how
                                          // many"), where the participle agrees
inline constexpr unsigned to_place = 64;  // wants a place: goes to the market
inline constexpr unsigned modal_free = 128;                 // never under want, can, must
inline constexpr unsigned placeless = 256, timeless = 512;  // not at the station, not at noon
}  // namespace trait

struct VerbEntry {
  std::string_view english, past, ing, french;
  Kinds subject, object;  // object 0: intransitive
  unsigned traits = 0;
  std::string_view particle = {};   // looks *for*
  std::string_view to_french = {};  // French preposition of a place wanted: à, de
};

/// The forms no rule gives: je tu il nous vous ils, the stem of the futur, the masculine
/// participle.
struct IrregularVerb {
  std::string_view infinitive, present, future, participle;
};

struct AdverbEntry {
  std::string_view english, french;
};

std::span<const NounEntry> nouns();
std::span<const AdjectiveEntry> adjectives();
std::span<const VerbEntry> verbs();
std::span<const IrregularVerb> irregular_verbs();

}  // namespace heed::toy
