#include "datasets/corpora/internal/tree.h"

namespace heed::toy {
namespace {

using std::string, std::string_view;
using Form = Phrase::Form;
using Core = Clause::Core;

constexpr string_view determiners[] = {
    "the",   "a",    "some",    "any",   "this",    "my", "your", "our",  "his",     "her",
    "their", "many", "several", "every", "all the", "no", "",     "what", "how many"};
constexpr string_view subjects[] = {"I", "you", "he", "we", "you", "they"};
constexpr string_view objects[] = {"me", "you", "him", "us", "you", "them"};
constexpr string_view prepositions[] = {"",      "near",    "in front of", "behind",
                                        "under", "next to", "to",          "from"};
constexpr string_view locations[] = {"", "in", "on", "at"};
constexpr string_view connectives[] = {"and", "but", "because", "when", "while"};

bool vowel(string_view word) { return string_view("aeiouAEIO").find(word[0]) != string_view::npos; }

class Writer {
 public:
  string text;

  void say(string_view word) {
    if (word.empty()) return;
    if (!text.empty()) text += ' ';
    text += word;
  }
  void mark(string_view punctuation) { text += punctuation; }

  void phrase(const Phrase& p, bool subject) {
    switch (p.form) {
      case Form::gap:
        return;
      case Form::name:
        return say(p.name);
      case Form::nobody:
        return say("nobody");
      case Form::nothing:
        return say("nothing");
      case Form::pronoun:
        return pronoun(p, subject);
      case Form::noun:
        break;
    }
    const bool plural = p.person == Person::ils;
    const Adjective* first = p.before;
    const Adjective* second = p.after;
    if (first && second && second->entry->rank < first->entry->rank) std::swap(first, second);
    string_view next = p.noun->english[0];
    if (second) next = second->entry->english;
    if (first) next = first->entry->english;
    determiner(p, next);
    if (p.count) say(dictionary().numbers_english[p.count]);
    if (first) say(first->entry->english);
    if (second) say(second->entry->english);
    say(p.noun->english[plural]);
    if (p.wearing) {
      say("with");
      phrase(*p.wearing, false);
    }
    if (p.relative) relative(p, *p.relative);
  }

  // `next` is the word after the determiner.
  void determiner(const Phrase& p, string_view next) {
    if (p.owner) {
      possessive(*p.owner);
    } else if (p.determiner == Determiner::this_) {
      say(p.person == Person::ils ? "these" : "this");
    } else if (singular_article(p)) {
      if (p.determiner == Determiner::what) say("what");
      say(vowel(next) ? "an" : "a");
    } else if (!bare_) {
      say(determiners[static_cast<int>(p.determiner)]);
    }
  }

  static bool singular_article(const Phrase& p) {
    if (p.person == Person::ils || p.noun->is(kind::mass)) return false;
    return p.determiner == Determiner::a || p.determiner == Determiner::what ||
           p.determiner == Determiner::any;
  }

  void possessive(const Phrase& owner) {
    phrase(owner, false);
    text += text.back() == 's' && owner.person == Person::ils ? "'" : "'s";
  }

  void pronoun(const Phrase& p, bool subject) {
    if (p.person != Person::il)
      return say((subject ? subjects : objects)[static_cast<int>(p.person)]);
    if (!p.human) return say("it");
    if (p.gender == Gender::feminine) return say(subject ? "she" : "her");
    say(subject ? "he" : "him");
  }

  void relative(const Phrase& head, const Clause& c) {
    switch (c.link) {
      case Clause::Link::subject:
        say(head.human ? "who" : "that");
        break;
      case Clause::Link::place:
        say("where");
        break;
      default:
        say(head.human ? "whom" : "that");
    }
    clause(c);
  }

  // The auxiliary, which stands before the subject in a question, and the rest of the verb: (does,
  // see), (was, eating), ("", saw).
  struct Group {
    string_view auxiliary;
    string verb;
  };

  static string_view form_of_be(Person person, bool past) {
    if (person == Person::je) return past ? "was" : "am";
    if (person == Person::il) return past ? "was" : "is";
    return past ? "were" : "are";
  }

  static Group group(const Clause& c, bool emphatic) {
    const Person person = c.subject.person;
    const bool future = c.tense == Tense::future && !c.when_future;
    const bool past = c.tense == Tense::past || c.tense == Tense::imperfect;
    if (c.core != Core::verb) {
      if (future) return {"will", "be"};
      return {form_of_be(person, past), ""};
    }
    const VerbEntry& verb = *c.verb->entry;
    if (future) return {"will", string(verb.english)};
    if (c.aspect == Aspect::progressive) return {form_of_be(person, true), string(verb.ing)};
    if (c.aspect == Aspect::habitual) return {"", "used to " + string(verb.english)};
    if (c.modal == Modal::can) return {"can", string(verb.english)};
    if (c.modal == Modal::must) return {"must", string(verb.english)};
    const bool wants = c.modal == Modal::want;
    const bool third = person == Person::il;
    const string tail = wants ? " to " + string(verb.english) : "";
    const string base = wants ? "want" : string(verb.english);
    if (emphatic && past) return {"did", base + tail};
    if (emphatic) return {third ? "does" : "do", base + tail};
    if (past) return {"", string(verb.past)};
    if (!third) return {"", base + tail};
    return {"", (wants ? "wants" : c.verb->third) + tail};
  }

  void clause(const Clause& c, bool inverted = false) {
    if (c.time && c.time_first && !inverted) {
      time(*c.time);
      mark(",");
    }
    const bool negative = c.negation == Negation::not_;
    const Group g = group(c, negative || inverted);
    if (c.core == Core::existence)
      there_is(c, g, inverted);
    else
      subject_and_verb(c, g, inverted);
    rest(c);
    if (c.time && !(c.time_first && !inverted)) time(*c.time);
  }

  void there_is(const Clause& c, const Group& g, bool inverted) {
    if (inverted) say(g.auxiliary);
    say("there");
    if (!inverted) say(g.auxiliary);
    say(g.verb);
    if (c.negation == Negation::not_) {
      say("no");
      bare_ = true;
    }
    phrase(c.subject, true);
    bare_ = false;
  }

  void subject_and_verb(const Clause& c, const Group& g, bool inverted) {
    const bool negative = c.negation == Negation::not_;
    if (inverted) say(g.auxiliary);
    phrase(c.subject, true);
    if (!inverted && !(g.auxiliary == "can" && negative)) say(g.auxiliary);
    if (negative) say(g.auxiliary == "can" && !inverted ? "cannot" : "not");
    if (c.negation == Negation::never) say("never");
    if (c.negation == Negation::no_longer) say("no longer");
    if (c.frequency) say(c.frequency->english);
    say(g.verb);
  }

  void rest(const Clause& c) {
    if (c.core == Core::age) {
      say(dictionary().numbers_english[c.age]);
      say("years old");
    }
    if (c.predicate) {
      if (c.degree == Degree::very) say("very");
      if (c.degree == Degree::too) say("too");
      if (c.degree == Degree::as) say("as");
      say(c.degree == Degree::more ? c.predicate->entry->comparative : c.predicate->entry->english);
      if (c.standard) {
        say(c.degree == Degree::as ? "as" : "than");
        phrase(*c.standard, false);
      }
    }
    if (c.verb) say(c.verb->entry->particle);
    if (c.verb && c.verb->has(trait::to_place)) {
      // "to" and "back from" are the particle of the verb, so the place needs no preposition.
      phrase(c.places.front().phrase, false);
    }
    if (c.object) phrase(*c.object, false);
    if (c.recipient) {
      say("to");
      phrase(*c.recipient, false);
    }
    if (c.manner) say(c.manner->english);
    if (c.alone) say("alone");
    for (std::size_t i = c.verb && c.verb->has(trait::to_place); i < c.places.size(); ++i)
      place(c.places[i]);
  }

  void place(const Place& p) {
    if (p.preposition == Preposition::located) {
      say(locations[static_cast<int>(p.phrase.noun->entry->location)]);
    } else {
      say(prepositions[static_cast<int>(p.preposition)]);
    }
    phrase(p.phrase, false);
  }

  void time(const Time& t) {
    static constexpr string_view quarters[] = {"", "a quarter past", "half past", "a quarter to"};
    const auto& numbers = dictionary().numbers_english;
    switch (t.kind) {
      case Time::Kind::word:
        return say(time_words()[static_cast<std::size_t>(t.a)].english);
      case Time::Kind::day:
        say("on");
        return say(weekdays[t.a].english);
      case Time::Kind::every_day:
        say("every");
        return say(weekdays[t.a].english);
      case Time::Kind::month:
        say("in");
        return say(months[t.a].english);
      case Time::Kind::date:
        say("on");
        if (t.a == 1) say("the first of");
        say(months[t.b].english);
        if (t.a > 1) say(dictionary().digits[t.a]);
        return;
      case Time::Kind::hour:
        say("at");
        say(quarters[t.b]);
        say(numbers[t.a]);
        if (t.b == 0) say("o'clock");
    }
  }

 private:
  bool bare_ = false;  // the determiner has been written already: "there are no lamps"
};

string_view opener(Sentence::Question question) {
  static constexpr string_view words[] = {"",      "who",  "whom", "what",
                                          "where", "when", "why",  "how many"};
  return words[static_cast<int>(question)];
}

string_view end_mark(const Sentence& s) {
  if (s.kind == Sentence::Kind::question) return "?";
  const bool command = s.kind == Sentence::Kind::imperative && !s.please;
  return s.kind == Sentence::Kind::exclamation || command ? "!" : ".";
}

void main_clause(Writer& w, const Sentence& s) {
  switch (s.kind) {
    case Sentence::Kind::statement:
      w.clause(s.main);
      break;
    case Sentence::Kind::question:
      if (!s.fronted) w.say(opener(s.question));
      if (s.fronted) w.phrase(*s.fronted, false);
      w.clause(s.main, s.question != Sentence::Question::who);
      break;
    case Sentence::Kind::imperative:
      if (s.main.negation == Negation::not_) w.say("do not");
      if (s.main.negation == Negation::never) w.say("never");
      w.say(s.main.verb->entry->english);
      w.rest(s.main);
      break;
    case Sentence::Kind::exclamation:
      w.phrase(*s.fronted, false);
      w.clause(s.main);
      break;
  }
}

}  // namespace

string english(const Sentence& s) {
  Writer w;
  const auto connective = connectives[static_cast<int>(s.connective)];
  if (s.second && s.second_first) {
    w.say(connective);
    w.clause(*s.second);
    w.mark(",");
  }
  main_clause(w, s);
  if (s.second && !s.second_first) {
    const bool pause = s.connective == Sentence::Connective::but;
    if (pause) w.mark(",");
    w.say(connective);
    w.clause(*s.second);
  }
  if (s.please) w.mark(", please");
  w.mark(end_mark(s));
  if (w.text[0] >= 'a' && w.text[0] <= 'z') w.text[0] = static_cast<char>(w.text[0] - 'a' + 'A');
  return w.text;
}

}  // namespace heed::toy
