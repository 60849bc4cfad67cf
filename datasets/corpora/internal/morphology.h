#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/corpora/internal/lexicon.h"

// The inflection of French words, and of English ones. Every function here is a rule of a school
// grammar.
namespace heed::toy {

enum class Person : std::uint8_t { je, tu, il, nous, vous, ils };

/// Whether the word causes elision before it, since it begins with a vowel or a mute h ("l'homme",
/// but "le héros").
bool elides(std::string_view word);

/// One word of a French sentence, before elision and contraction. Prepositions contract only with
/// articles: "de le voisin" -> "du voisin".
struct Word {
  std::string_view text;
  bool article = false;
};

/// Joins words into French text: le + homme -> l'homme, de + les -> des, que + elle -> qu'elle.
/// There is no space before . , ! ?
std::string join_french(const std::vector<Word>& words);

/// bijou -> bijoux, journal -> journaux, souris -> souris
std::string plural_french(std::string_view noun);
/// heureux -> heureuse. Irregular forms, such as that of fier, are in the lexicon.
std::string feminine_french(std::string_view adjective);
/// 1 to 100: vingt et un, vingt et une, quatre-vingt-un. Throws Error for another number.
std::string number_french(int n, Gender gender = Gender::masculine);
/// 1 to 100: twenty-one. Throws Error for another number.
std::string number_english(int n);

std::string plural_english(std::string_view noun);        // box -> boxes, story -> stories
std::string third_person_english(std::string_view verb);  // watch -> watches, carry -> carries

/// The forms masculine singular, masculine plural, feminine singular, feminine plural.
struct Agreement {
  std::array<std::string, 4> forms;
  const std::string& of(Gender gender, bool plural) const {
    return forms[2 * static_cast<std::size_t>(gender) + plural];
  }
};
Agreement agree(std::string_view masculine, std::string_view feminine = {},
                std::string_view masculine_plural = {});

struct Conjugation {
  std::string infinitive;
  // Indexed by Person.
  std::array<std::string, 6> present;
  std::array<std::string, 6> imparfait;
  std::array<std::string, 6> futur;
  Agreement participle;
};
Conjugation conjugate(std::string_view infinitive);

}  // namespace heed::toy
