#pragma once

#include <cstdint>
#include <span>
#include <string_view>

// The dictionary of toy:translation: citation forms, and beside them the irregular forms. Its
// rules:
// - no word has two senses;
// - no past tense looks like the present ("read");
// - no plural looks like the singular.
namespace heed::toy {

enum class Gender : std::uint8_t { masculine, feminine };

/// What a noun denotes, as a set of bits. It keeps sentences plausible: people eat soup, not
/// staircases.
using Kinds = unsigned;
namespace kind {
inline constexpr Kinds person = 1;
inline constexpr Kinds animal = 2;
inline constexpr Kinds food = 4;
inline constexpr Kinds drink = 8;
inline constexpr Kinds text = 16;
inline constexpr Kinds thing = 32;
inline constexpr Kinds garment = 64;
inline constexpr Kinds furniture = 128;

inline constexpr Kinds building = 256;
inline constexpr Kinds place = 512;
inline constexpr Kinds instrument = 1024;
inline constexpr Kinds vehicle = 2048;
inline constexpr Kinds jewel = 4096;
inline constexpr Kinds countable_food = 8192;

inline constexpr Kinds mass = 16384;  // no plural, no "a": bread, water

inline constexpr Kinds anyone = 32768;  // no "my": "ma femme" is a wife, "ma fille" a daughter
inline constexpr Kinds animate = person | animal;
inline constexpr Kinds portable = thing | garment | text | jewel | instrument;
inline constexpr Kinds visible = animate | portable | building | vehicle;
}  // namespace kind

/// The preposition of a location: dans, sur, à.
enum class Location : std::uint8_t { none, in, on, at };

struct NounEntry {
  std::string_view english;
  std::string_view french;
  Gender gender;
  Kinds kinds;
  // Irregular plurals; empty if the plural is regular.
  std::string_view english_plural = {};
  std::string_view french_plural = {};
  Location location = Location::none;
};

struct AdjectiveEntry {
  std::string_view english;
  std::string_view french;
  Kinds kinds;  // of the nouns that it may qualify
  // Its position among English adjectives: opinion 0, size 1, age 2, colour 3, origin 4.
  int rank;
  // Irregular forms; empty if the form is regular.
  std::string_view feminine = {};
  std::string_view plural = {};
  std::string_view before_vowel = {};  // masculine singular: bel, nouvel, vieil
  bool before = false;                 // whether it stands before the French noun
  std::string_view comparative = {};   // English; empty: it is not compared
};

/// How verbs behave, as bits.
namespace trait {
inline constexpr unsigned etre = 1;       // passé composé with être
inline constexpr unsigned stative = 2;    // the English simple past is an imparfait; no "was -ing"
inline constexpr unsigned recipient = 4;  // gives something to somebody
inline constexpr unsigned a = 8;          // the English object is "à quelqu'un" in French
inline constexpr unsigned de = 16;        // the English object is "de quelque chose"
// The object may stand before the verb (relative clause, "how many"); the participle then agrees.
inline constexpr unsigned fronting = 32;
inline constexpr unsigned to_place = 64;     // needs a place: goes to the market
inline constexpr unsigned modal_free = 128;  // does not go with want, can, must
inline constexpr unsigned placeless = 256;   // does not go with a place: at the station
inline constexpr unsigned timeless = 512;    // does not go with a time: at noon
}  // namespace trait

struct VerbEntry {
  std::string_view english;
  std::string_view past;
  std::string_view ing;
  std::string_view french;
  Kinds subject;
  Kinds object;  // 0: intransitive
  unsigned traits = 0;
  std::string_view particle = {};   // English: looks *for*
  std::string_view to_french = {};  // the French preposition of its place: à, de
};

/// The irregular forms of a French verb.
struct IrregularVerb {
  std::string_view infinitive;
  std::string_view present;     // the forms of je tu il nous vous ils, separated by spaces
  std::string_view future;      // the stem of the futur
  std::string_view participle;  // masculine
};

struct AdverbEntry {
  std::string_view english;
  std::string_view french;
};

std::span<const NounEntry> nouns();
std::span<const AdjectiveEntry> adjectives();
std::span<const VerbEntry> verbs();
std::span<const IrregularVerb> irregular_verbs();

}  // namespace heed::toy
