#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datasets/corpora/internal/dictionary.h"

// The meaning of a sentence of toy:translation. english() and french() put it into words.
namespace heed::toy {

enum class Tense : std::uint8_t { present, past, imperfect, future };  // past: saw, a vu
// The English forms of the imperfect: was, was eating, used to eat.
enum class Aspect : std::uint8_t { simple, progressive, habitual };
enum class Modal : std::uint8_t { none, want, can, must };
enum class Negation : std::uint8_t { none, not_, never, no_longer };
enum class Degree : std::uint8_t { plain, very, too, more, as };
enum class Determiner : std::uint8_t {
  the,
  a,
  some,
  any,
  this_,
  my,
  your,
  our,
  his,
  her,
  their,
  many,
  several,
  every,
  all,
  no,
  number,
  what,
  how_many
};
enum class Preposition : std::uint8_t {
  located,
  near,
  in_front_of,
  behind,
  under,
  next_to,
  to,
  from
};

struct Clause;

/// A noun phrase, a pronoun, a name, or a gap: the empty place of the noun that a question or a
/// relative clause has moved to its front.
struct Phrase {
  enum class Form : std::uint8_t { noun, pronoun, name, nobody, nothing, gap };
  Form form = Form::noun;
  Person person = Person::il;  // of a noun: il (singular) or ils (plural)
  Gender gender = Gender::masculine;
  bool human = true;  // "he" and "she"; if false, "it"
  Determiner determiner = Determiner::the;
  int count = 0;  // the number in "seven keys" and "the seven keys"; 0: none
  const Noun* noun = nullptr;
  // Adjectives before and after the French noun. Both stand before the English noun.
  const Adjective* before = nullptr;
  const Adjective* after = nullptr;
  std::string_view name;
  std::unique_ptr<Phrase> owner;    // the teacher's book
  std::unique_ptr<Phrase> wearing;  // the girl with the red hat
  std::unique_ptr<Clause> relative;
  bool plural() const { return person == Person::ils || person == Person::nous; }
  bool third() const { return person == Person::il || person == Person::ils; }
};

struct Place {
  Preposition preposition;
  Phrase phrase;
};

struct Time {
  enum class Kind : std::uint8_t { word, day, every_day, month, date, hour } kind;
  // date: a is the day, b the month. hour: a is the hour, b the quarters after it. Other kinds: a
  // is the row of their table.
  int a = 0;
  int b = 0;
};

struct Clause {
  enum class Core : std::uint8_t { verb, copula, existence, age } core = Core::verb;
  Phrase subject;
  const Verb* verb = nullptr;
  Tense tense = Tense::present;
  Aspect aspect = Aspect::simple;
  bool when_future = false;  // "when she arrives", "quand elle arrivera"
  Modal modal = Modal::none;
  Negation negation = Negation::none;
  const AdverbEntry* frequency = nullptr;
  const AdverbEntry* manner = nullptr;
  bool alone = false;
  std::unique_ptr<Phrase> object;
  std::unique_ptr<Phrase> recipient;
  const Adjective* predicate = nullptr;
  Degree degree = Degree::plain;
  std::unique_ptr<Phrase> standard;  // of a comparison: older than the king
  int age = 0;
  std::vector<Place> places;
  std::optional<Time> time;
  bool time_first = false;
  // The role of the head noun in a relative clause: qui, que, où.
  enum class Link : std::uint8_t { none, subject, object, place } link = Link::none;
};

struct Sentence {
  enum class Kind : std::uint8_t {
    statement,
    question,
    imperative,
    exclamation
  } kind = Kind::statement;
  enum class Question : std::uint8_t {
    yes_no,
    who,
    whom,
    what,
    where,
    when,
    why,
    how_many
  } question = Question::yes_no;
  enum class Connective : std::uint8_t {
    and_,
    but,
    because,
    when,
    while_
  } connective = Connective::and_;
  Clause main;
  std::unique_ptr<Phrase> fronted;  // How many keys ...? What a beautiful garden ...!
  std::unique_ptr<Clause> second;
  bool second_first = false;  // When the queen arrives, ...
  bool please = false;
};

std::string english(const Sentence& sentence);
std::string french(const Sentence& sentence);

}  // namespace heed::toy
