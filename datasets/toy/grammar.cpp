#include "datasets/toy/grammar.h"

#include <algorithm>

// What keeps the translation a function of the source, although French says more than English:
// - "it" and "they" as the subject of a second clause always mean the subject of the first; "it"
// and "them" as the object of a clause
//   that shares its subject with the first always mean the object of the first; elsewhere "they"
//   and "them" are masculine.
// - I, we and you never stand where a participle or an adjective would show their gender or (vous)
// their number.
namespace heed::toy {
namespace {

using Form = Phrase::Form;
using Core = Clause::Core;
using Kind = Sentence::Kind;
using Question = Sentence::Question;
using Connective = Sentence::Connective;
template <class T>
using List = std::vector<T>;

class Grammar {
 public:
  explicit Grammar(Random& random) : random_(random), words_(dictionary()) {}

  Sentence sentence() {
    const double kind = random_.uniform();
    if (kind < 0.15) return question();
    if (kind < 0.19) return imperative();
    if (kind < 0.23) return exclamation();
    return statement();
  }

 private:
  bool chance(double p) { return random_.chance(p); }
  int between(int low, int high) {
    return low + static_cast<int>(random_.below(static_cast<std::uint64_t>(high - low + 1)));
  }
  template <class Range>
  const auto& pick(const Range& range) {
    return range[random_.below(std::size(range))];
  }
  template <class T>
  T pick_of(std::initializer_list<T> list) {
    return list.begin()[random_.below(list.size())];
  }
  static std::unique_ptr<Phrase> boxed(Phrase phrase) {
    return std::make_unique<Phrase>(std::move(phrase));
  }

  // ---- noun phrases

  static Phrase pronoun(Person person, Gender gender = Gender::masculine, bool human = true) {
    Phrase phrase;
    phrase.form = Form::pronoun;
    phrase.person = person;
    phrase.gender = gender;
    phrase.human = human;
    return phrase;
  }

  Phrase name() {
    Phrase phrase;
    const Name& who = pick(names_of_people());
    phrase.form = Form::name;
    phrase.name = who.text;
    phrase.gender = who.gender;
    return phrase;
  }

  static Phrase gap(const Phrase& antecedent) {
    Phrase phrase;
    phrase.form = Form::gap;
    phrase.person = antecedent.person;
    phrase.gender = antecedent.gender;
    phrase.human = antecedent.human;
    return phrase;
  }

  static bool determined_plural(Determiner d) {
    return d == Determiner::many || d == Determiner::several || d == Determiner::all ||
           d == Determiner::number;
  }
  static bool determined_singular(Determiner d) {
    return d == Determiner::a || d == Determiner::every || d == Determiner::no;
  }

  /// The noun with its number fixed by the determiner, or by chance; "a" turns into "some" where it
  /// must.
  Phrase noun_phrase(const Noun* noun, Determiner determiner, double adjectives = 0.4) {
    Phrase phrase;
    phrase.noun = noun;
    phrase.gender = noun->entry->gender;
    phrase.human = noun->is(kind::person);
    const bool mass = noun->is(kind::mass);
    const bool owned = determiner == Determiner::my || determiner == Determiner::your ||
                       determiner == Determiner::our;
    if (owned && noun->is(kind::anyone)) determiner = Determiner::the;
    if (mass && (determined_plural(determiner) || determined_singular(determiner)))
      determiner = Determiner::some;
    bool plural = determined_plural(determiner);
    if (!plural && !determined_singular(determiner) && !mass)
      plural = determiner == Determiner::some || chance(0.3);
    if (determiner == Determiner::number)
      phrase.count = chance(0.6) ? between(2, 12) : between(13, 60);
    if (determiner == Determiner::the && plural && chance(0.12)) phrase.count = between(2, 12);
    phrase.determiner = determiner;
    phrase.person = plural ? Person::ils : Person::il;
    if (chance(adjectives)) {
      const bool second = chance(0.2);
      const bool prefer_before = chance(0.35);
      if ((prefer_before || second) && !noun->before.empty()) phrase.before = pick(noun->before);
      if ((!prefer_before || second) && !noun->after.empty()) phrase.after = pick(noun->after);
    }
    return phrase;
  }

  Determiner any_determiner() {
    const double p = random_.uniform();
    if (p < 0.40) return Determiner::the;
    if (p < 0.60) return Determiner::a;
    if (p < 0.68) return Determiner::some;
    return pick_of({Determiner::this_, Determiner::my, Determiner::your, Determiner::our,
                    Determiner::number, Determiner::number, Determiner::many, Determiner::several});
  }

  Determiner definite() {
    return pick_of({Determiner::the, Determiner::the, Determiner::the, Determiner::this_,
                    Determiner::my, Determiner::your, Determiner::our});
  }

  /// Its owner, its clothes: what may follow a noun that is not itself inside such an addition.
  void adorn(Phrase& phrase, double relative) {
    const bool definite_article = phrase.determiner == Determiner::the && phrase.count == 0;
    if (phrase.noun->is(kind::portable | kind::building | kind::vehicle) && definite_article &&
        chance(0.25)) {
      Phrase owner = chance(0.2) ? name()
                                 : noun_phrase(pick(words_.people),
                                               chance(0.7) ? Determiner::the : definite(), 0.2);
      phrase.owner = boxed(std::move(owner));
    } else if (phrase.noun->is(kind::person) && chance(0.07)) {
      Phrase clothes = noun_phrase(pick(words_.garments), Determiner::the, 0);
      clothes.person = Person::il;
      clothes.count = 0;
      clothes.after = pick(clothes.noun->after);
      if (clothes.after->entry->rank == 3) phrase.wearing = boxed(std::move(clothes));
    } else if (!phrase.noun->is(kind::mass) && chance(relative)) {
      phrase.relative = relative_clause(phrase);
    }
  }

  std::unique_ptr<Clause> relative_clause(const Phrase& head) {
    auto clause = std::make_unique<Clause>();
    clause->tense =
        pick_of({Tense::present, Tense::present, Tense::past, Tense::past, Tense::imperfect});
    if (head.noun->is(kind::animate) && chance(0.5)) {
      clause->link = Clause::Link::subject;
      clause->subject = gap(head);
      predicate(*clause, head.noun, 0.15);
    } else if (head.noun->is(kind::building | kind::place) && chance(0.4)) {
      clause->link = Clause::Link::place;
      clause->verb = pick(words_.alone);
      clause->subject = noun_phrase(pick(clause->verb->subjects), definite(), 0.2);
      settle(*clause);
    } else {
      clause->link = Clause::Link::object;
      do
        clause->verb = pick(words_.fronting);
      while (!takes(*clause->verb, head.noun));
      if (chance(0.5)) clause->tense = Tense::past;
      clause->object = boxed(gap(head));
      clause->subject = chance(0.3) ? pronoun(pick_of({Person::je, Person::nous, Person::vous}))
                                    : noun_phrase(pick(words_.people), definite(), 0.2);
      settle(*clause);
    }
    if (clause->places.empty() && !clause->time && clause->link != Clause::Link::place &&
        chance(0.3))
      clause->time = time(clause->tense);
    return clause;
  }

  static bool takes(const Verb& verb, const Noun* noun) {
    return std::find(verb.objects.begin(), verb.objects.end(), noun) != verb.objects.end();
  }

  // ---- times and places

  std::optional<Time> time(Tense tense) {
    const double p = random_.uniform();
    const unsigned bit = 1u << static_cast<int>(tense);
    const int rows = static_cast<int>(time_words().size());
    if (p < 0.4) {
      int row = between(0, rows - 1);
      while (!(time_words()[static_cast<std::size_t>(row)].tenses & bit))
        row = (row + 1) % rows;
      return Time{Time::Kind::word, row, 0};
    }
    if (p < 0.68) return Time{Time::Kind::hour, between(1, 11), between(0, 3)};
    if (chance(0.45))
      return Time{Time::Kind::date, chance(0.08) ? 1 : between(2, 31), between(0, 11)};
    if (tense == Tense::present || tense == Tense::imperfect) {
      return chance(0.6) ? Time{Time::Kind::every_day, between(0, 6), 0}
                         : Time{Time::Kind::month, between(0, 11), 0};
    }
    return chance(0.5) ? Time{Time::Kind::day, between(0, 6), 0}
                       : Time{Time::Kind::month, between(0, 11), 0};
  }

  Place place() {
    if (chance(0.2)) {
      const Noun* noun = pick(words_.furniture);
      const bool hollow = noun->entry->english == "table" || noun->entry->english == "bed" ||
                          noun->entry->english == "bench" || noun->entry->english == "tree";
      const Preposition where =
          hollow ? Preposition::under
                 : pick_of({Preposition::behind, Preposition::near, Preposition::next_to});
      Phrase phrase = noun_phrase(noun, definite(), 0.25);
      phrase.person = Person::il;
      phrase.count = 0;
      return {where, std::move(phrase)};
    }
    Phrase phrase = noun_phrase(pick(words_.sites),
                                chance(0.75)  ? Determiner::the
                                : chance(0.5) ? Determiner::a
                                              : definite(),
                                0.3);
    phrase.person = Person::il;
    phrase.count = 0;
    if (phrase.determiner == Determiner::the && phrase.noun->is(kind::building) && chance(0.12)) {
      phrase.owner = boxed(noun_phrase(pick(words_.people), Determiner::the, 0.1));
    }
    const Preposition where = chance(0.65) ? Preposition::located
                                           : pick_of({Preposition::near, Preposition::in_front_of,
                                                      Preposition::behind, Preposition::next_to});
    return {where, std::move(phrase)};
  }

  // ---- clauses

  static bool shows_gender(const Clause& c) {
    return c.core == Core::copula || c.alone ||
           (c.core == Core::verb && c.tense == Tense::past && c.verb && c.verb->has(trait::etre));
  }

  /// Makes tense, aspect and verb agree with what English can say.
  void settle(Clause& c) {
    if (c.core != Core::verb) {
      if (c.tense == Tense::past) c.tense = Tense::imperfect;
      return;
    }
    if (c.tense == Tense::past && c.verb->has(trait::stative)) c.tense = Tense::imperfect;
    if (c.tense == Tense::past && c.verb->entry->past.empty()) c.tense = Tense::present;
    if (c.tense == Tense::imperfect && c.verb->has(trait::etre)) c.tense = Tense::past;
    if (c.tense == Tense::imperfect) {
      c.aspect = c.verb->has(trait::stative)                 ? Aspect::simple
                 : c.verb->entry->ing.empty() || chance(0.3) ? Aspect::habitual
                                                             : Aspect::progressive;
    }
    if (shows_gender(c) && !c.subject.third()) {
      const bool gone = c.subject.form == Form::gap;
      c.alone = false;
      if (shows_gender(c) && !gone) c.subject = pronoun(pick_of({Person::il, Person::ils}));
      if (shows_gender(c) && gone) c.tense = Tense::present;
    }
    const bool unusual = c.tense == Tense::future || c.tense == Tense::imperfect;
    if (unusual && c.subject.form == Form::pronoun && !c.subject.third() &&
        c.link != Clause::Link::subject) {
      c.tense = Tense::present;
      c.aspect = Aspect::simple;
    }
    if (c.verb->entry->english == "live" && c.places.empty() && c.link != Clause::Link::place)
      c.places.push_back(place());
  }

  static Determiner possessive(const Phrase& owner) {
    switch (owner.person) {
      case Person::je: return Determiner::my;
      case Person::nous: return Determiner::our;
      case Person::vous: return Determiner::your;
      case Person::ils: return Determiner::their;
      default: return owner.gender == Gender::feminine ? Determiner::her : Determiner::his;
    }
  }

  void object_of(Clause& c) {
    const bool negated = c.negation != Negation::none;
    const Kinds kinds = c.verb->entry->object;
    if (c.verb->has(trait::de)) {
      c.object = boxed(noun_phrase(pick(c.verb->objects), Determiner::the, 0));
      c.object->person = Person::il;
      c.object->count = 0;
      return;
    }
    const bool people = kinds & kind::person;
    const bool third = c.subject.third();
    // too few to learn its participles
    const bool rare = c.tense == Tense::past && !c.verb->has(trait::fronting | trait::a);
    if (people && c.verb->entry->english != "have" && !rare && chance(0.35)) {
      Person person = pick_of({Person::il, Person::il, Person::ils, Person::ils, Person::je,
                               Person::nous, Person::vous});
      const bool same =
          person == c.subject.person || (c.subject.person == Person::nous && person == Person::je);
      const bool agrees_unseen =
          c.tense == Tense::past && person != Person::il && person != Person::ils;
      if ((same && !third) || agrees_unseen) person = Person::il;
      // "she sees him", never "she sees her" nor "they see them": those could be the same people
      const bool echo = c.subject.form == Form::pronoun && third && person == c.subject.person;
      if (echo && person == Person::ils) person = Person::il;
      const bool opposite = c.subject.gender == Gender::masculine;
      const bool feminine =
          person == Person::il && (echo && c.subject.person == Person::il ? opposite : chance(0.5));
      c.object = boxed(pronoun(person, feminine ? Gender::feminine : Gender::masculine));
      return;
    }
    if (!negated && c.subject.form != Form::nobody && c.subject.determiner != Determiner::no &&
        chance(0.06)) {
      Phrase none;
      none.form = people ? Form::nobody : Form::nothing;
      c.object = boxed(std::move(none));
      if (c.frequency) c.frequency = nullptr;
      return;
    }
    const Noun* noun = pick(c.verb->objects);
    Determiner determiner = any_determiner();
    if (c.subject.human && noun->is(kind::portable) && c.link == Clause::Link::none &&
        c.subject.form != Form::gap && chance(0.2)) {
      determiner = possessive(c.subject);
    }
    if (negated && (determiner == Determiner::many || determiner == Determiner::several ||
                    determiner == Determiner::number)) {
      determiner = Determiner::the;
    }
    if (negated && (determiner == Determiner::a || determiner == Determiner::some)) {
      determiner = Determiner::any;
      if (c.verb->has(trait::a)) determiner = Determiner::the;
    }
    if (!negated && c.subject.form == Form::noun && c.subject.determiner != Determiner::no &&
        !c.frequency && chance(0.02)) {
      determiner = Determiner::no;
    }
    if (c.verb->entry->english == "love" &&
        (determiner == Determiner::a || determiner == Determiner::some))
      determiner = Determiner::this_;
    c.object = boxed(noun_phrase(noun, determiner));
    if (c.link == Clause::Link::none) adorn(*c.object, 0.13);
  }

  /// Verb, object and the rest for a subject that is already there. `noun` is what the subject
  /// denotes.
  void predicate(Clause& c, const Noun* noun, double details = 0.5) {
    const bool person = noun == nullptr || noun->is(kind::person);
    const bool third = c.subject.third() && c.subject.form != Form::nobody;
    const bool positive = c.subject.form == Form::nobody ||
                          c.subject.determiner == Determiner::no ||
                          c.subject.determiner == Determiner::every;
    if (third && (!person ? !noun->is(kind::animal) || chance(0.3) : chance(0.17)))
      return copula(c, noun);
    const double choice = random_.uniform();
    do {
      c.verb = choice < 0.62   ? pick(words_.transitive)
               : choice < 0.72 ? pick(words_.recipient)
               : choice < 0.80 ? pick(words_.to_place)
                               : pick(words_.alone);
    } while (!person && !(c.verb->entry->subject & kind::animal) &&
             (choice < 0.62 || choice >= 0.80));
    if (!person && !(c.verb->entry->subject & kind::animal)) c.verb = pick(words_.alone);
    while (!person && !(c.verb->entry->subject & kind::animal))
      c.verb = pick(words_.alone);
    if (!positive && c.negation == Negation::none && chance(0.13)) {
      c.negation = pick_of({Negation::not_, Negation::not_, Negation::never, Negation::no_longer});
    }
    if (c.negation == Negation::no_longer && c.tense == Tense::past) c.negation = Negation::not_;
    if (c.negation == Negation::none && !positive && !c.verb->has(trait::stative) && chance(0.07))
      c.frequency = &pick(frequencies);
    if (c.tense == Tense::present && !c.verb->has(trait::modal_free) && chance(0.12)) {
      c.modal = pick_of({Modal::want, Modal::can, Modal::must});
      if (c.negation == Negation::no_longer) c.negation = Negation::not_;
      if (c.modal != Modal::want && c.negation == Negation::never) c.negation = Negation::not_;
    }
    settle(c);
    if (c.tense != Tense::present) c.modal = Modal::none;
    if (c.aspect == Aspect::habitual) c.negation = Negation::none;
    if (c.aspect == Aspect::progressive) {
      c.frequency = nullptr;
      if (c.negation != Negation::none) c.negation = Negation::not_;
    }
    if (c.negation == Negation::no_longer && c.tense == Tense::past) c.negation = Negation::not_;
    if (c.verb->entry->object) object_of(c);
    if (c.verb->has(trait::recipient) && c.object->form != Form::nobody &&
        c.object->form != Form::nothing) {
      if (chance(0.45)) {
        const Person person_to =
            c.subject.third()
                ? pick_of({Person::il, Person::ils, Person::je, Person::nous, Person::vous})
                : pick_of({Person::il, Person::ils});
        c.recipient =
            boxed(pronoun(person_to, chance(0.5) && person_to == Person::il ? Gender::feminine
                                                                            : Gender::masculine));
      } else {
        c.recipient = boxed(noun_phrase(pick(words_.people), definite(), 0.3));
      }
      if (c.object->relative || c.object->wearing) {
        c.object->relative.reset();
        c.object->wearing.reset();
      }
    }
    if (c.verb->has(trait::to_place)) {
      Place goal = place();
      while (!goal.phrase.noun->is(kind::building | kind::place))
        goal = place();
      goal.preposition = c.verb->entry->to_french == "à" ? Preposition::to : Preposition::from;
      if (goal.phrase.determiner == Determiner::a) goal.phrase.determiner = Determiner::the;
      c.places.push_back(std::move(goal));
    }
    if (!c.verb->entry->object && !c.verb->has(trait::to_place | trait::stative) && chance(0.22)) {
      if (third && chance(0.35) && !positive)
        c.alone = true;
      else
        c.manner = c.subject.plural() && chance(0.6) ? &manners[2] : &manners[between(0, 1)];
    }
    if (c.places.empty() && !(c.object && c.object->relative) && !c.verb->has(trait::placeless) &&
        chance(details))
      c.places.push_back(place());
    if (!c.verb->has(trait::timeless) && !c.frequency && chance(details * 0.8))
      c.time = time(c.tense);
  }

  // no "the red key is green"; and what a pronoun stands for has its colour already
  static bool says_something(const Adjective* predicate, const Phrase& subject) {
    if (predicate == subject.before || predicate == subject.after) return false;
    if (subject.form == Form::gap && predicate->entry->rank > 1) return false;
    const bool coloured = subject.after && subject.after->entry->rank >= 3;
    return predicate->entry->rank <= 1 || (!coloured && subject.form == Form::noun);
  }

  void copula(Clause& c, const Noun* noun) {
    c.core = Core::copula;
    settle(c);
    const Noun* model = noun ? noun : &words_.nouns[c.subject.gender == Gender::feminine ? 1 : 0];
    do {
      const bool after = model->before.empty() || (!model->after.empty() && chance(0.7));
      c.predicate = pick(after ? model->after : model->before);
    } while (!says_something(c.predicate, c.subject));
    const bool positive = c.subject.form == Form::nobody ||
                          c.subject.determiner == Determiner::no ||
                          c.subject.determiner == Determiner::every;
    if (!c.predicate->entry->comparative.empty()) {
      c.degree = pick_of(
          {Degree::plain, Degree::very, Degree::too, Degree::more, Degree::more, Degree::as});
    }
    if (c.degree == Degree::more || c.degree == Degree::as) {
      const Noun* other = &pick(words_.nouns);
      for (int tries = 0;
           !(other->entry->kinds & model->entry->kinds & ~kind::mass) || other == noun; ++tries)
        other = &pick(words_.nouns);
      if (c.predicate->entry->kinds & other->entry->kinds) {
        c.standard = boxed(
            model->is(kind::person) && chance(0.2) ? name() : noun_phrase(other, definite(), 0.2));
      } else {
        c.degree = Degree::very;
      }
    }
    if (!positive && chance(0.13)) {
      c.negation = c.predicate->entry->rank > 1 || c.standard
                       ? Negation::not_
                       : pick_of({Negation::not_, Negation::never, Negation::no_longer});
    }
    if (c.negation == Negation::none && !positive && c.degree != Degree::too &&
        c.predicate->entry->rank <= 1 && noun && noun->is(kind::animate) && chance(0.05)) {
      c.frequency = &frequencies[0];
    }
  }

  /// A clause with a subject of its own.
  Clause clause(Tense tense, double details) {
    Clause c;
    c.tense = tense;
    const double p = random_.uniform();
    if (p < 0.06) return existence(tense);
    if (p < 0.10) return age(tense);
    if (p < 0.33) {
      c.subject = pronoun(pick_of({Person::je, Person::je, Person::nous, Person::vous, Person::il,
                                   Person::il, Person::ils}));
      if (c.subject.person == Person::il && chance(0.5)) c.subject.gender = Gender::feminine;
      predicate(c, nullptr, details);
    } else if (p < 0.41) {
      c.subject = name();
      predicate(c, nullptr, details);
    } else if (p < 0.44) {
      c.subject.form = Form::nobody;
      predicate(c, nullptr, details);
    } else if (p < 0.54) {
      const Noun* noun = &pick(words_.nouns);
      c.subject = noun_phrase(noun, definite());
      adorn(c.subject, 0.3);
      predicate(c, noun, details);
    } else {
      const Noun* noun = pick(verb_subjects());
      Determiner determiner = any_determiner();
      if (chance(0.1)) determiner = pick_of({Determiner::every, Determiner::all, Determiner::no});
      c.subject = noun_phrase(noun, determiner);
      if (determiner != Determiner::no && determiner != Determiner::every) adorn(c.subject, 0.14);
      predicate(c, noun, details);
    }
    return c;
  }
  const std::vector<const Noun*>& verb_subjects() {
    return chance(0.75) ? words_.people : words_.verbs.front().subjects;
  }

  Clause existence(Tense tense) {
    Clause c;
    c.core = Core::existence;
    c.tense = tense;
    settle(c);
    const bool none = chance(0.15);
    Determiner determiner = pick_of(
        {Determiner::a, Determiner::a, Determiner::some, Determiner::number, Determiner::many});
    if (none) {
      c.negation = Negation::not_;
      determiner = Determiner::any;
    }
    const Noun* noun = pick(words_.placed);
    c.subject = noun_phrase(noun, determiner);
    if (none) c.subject.person = Person::ils;
    if (!none) adorn(c.subject, 0.3);
    if (!c.subject.relative) c.places.push_back(place());
    return c;
  }

  Clause age(Tense tense) {
    Clause c;
    c.core = Core::age;
    c.tense = tense;
    settle(c);
    if (chance(0.2))
      c.subject = name();
    else {
      c.subject = noun_phrase(pick(words_.people), definite(), 0.3);
      c.subject.person = Person::il;
      c.subject.count = 0;
    }
    c.age = chance(0.5) ? between(60, 99) : between(5, 59);
    return c;
  }

  // ---- sentences

  Tense any_tense() {
    return pick_of({Tense::present, Tense::present, Tense::present, Tense::past, Tense::past,
                    Tense::future, Tense::future, Tense::imperfect});
  }

  Sentence statement() {
    Sentence s;
    const bool two = chance(0.42);
    s.main = clause(any_tense(), two ? 0.25 : 0.6);
    if (!two && s.main.time && s.main.time->kind != Time::Kind::hour && chance(0.2))
      s.main.time_first = true;
    if (two) extend(s);
    return s;
  }

  void extend(Sentence& s) {
    const Clause& first = s.main;
    const Phrase* object = first.object.get();
    const bool shares =
        first.core == Core::verb && object && object->form == Form::noun && !first.recipient &&
        !first.time && first.places.empty() && first.negation == Negation::none &&
        first.modal == Modal::none && object->determiner != Determiner::no &&
        !first.verb->has(trait::a | trait::de | trait::stative) && first.aspect == Aspect::simple &&
        first.subject.form != Form::nobody && first.subject.determiner != Determiner::no &&
        !object->noun->is(kind::animate) && !gone_after(*first.verb);
    if (shares && chance(0.6)) return follow_up(s);
    s.connective =
        pick_of({Connective::and_, Connective::but, Connective::because, Connective::because,
                 Connective::when, Connective::when, Connective::while_});
    if (first.core == Core::existence || first.core == Core::age) {
      s.connective = pick_of({Connective::and_, Connective::but});
    }
    Tense tense = first.tense;
    if (s.connective == Connective::when && tense == Tense::imperfect)
      tense = Tense::past;
    else if (tense == Tense::past && s.connective == Connective::while_)
      tense = Tense::imperfect;
    else if (tense == Tense::imperfect && s.connective != Connective::while_ && chance(0.3))
      tense = Tense::past;
    else if (tense == Tense::past && chance(0.3))
      tense = Tense::imperfect;
    if (s.connective == Connective::when && (tense == Tense::imperfect)) tense = Tense::past;
    if (s.connective == Connective::while_ && first.tense == Tense::future)
      s.connective = Connective::when;

    const bool definite_subject =
        first.subject.form != Form::nobody && first.subject.determiner != Determiner::no &&
        first.subject.determiner != Determiner::every && first.subject.form != Form::gap;
    Clause second;
    const bool thing = !first.subject.human && first.core == Core::copula;
    if (thing && s.connective != Connective::and_) s.connective = Connective::but;
    if (thing && tense == Tense::past) tense = Tense::imperfect;
    int tries = 0;
    do {
      second = second_clause(first, tense, definite_subject);
    } while (++tries < 50 && !sensible(s.connective, first, second));
    // a third person outside follow_up() could mean anybody
    const bool vague = second.object && second.object->form == Form::pronoun &&
                       second.object->person == Person::ils;
    if (vague) second.object->person = Person::il;
    if (tries == 50) s.connective = Connective::and_;
    if (s.connective == Connective::when && second.tense == Tense::future)
      second.when_future = true;
    s.second = std::make_unique<Clause>(std::move(second));
    const bool subordinate = s.connective == Connective::when || s.connective == Connective::while_;
    s.second_first = subordinate && s.second->subject.form != Form::pronoun && chance(0.35);
  }

  // "when" and "while" want events; because of a fact one does not own a hat "while"
  static bool sensible(Connective connective, const Clause& first, const Clause& second) {
    if (first.predicate && first.predicate == second.predicate) return false;
    if (connective == Connective::and_ || connective == Connective::but) return true;
    if (connective == Connective::because) return second.core != Core::existence;
    if (second.core != Core::verb || second.verb->has(trait::stative) ||
        second.negation != Negation::none)
      return false;
    return connective == Connective::when || second.tense == Tense::present ||
           second.aspect == Aspect::progressive;
  }

  Clause second_clause(const Clause& first, Tense tense, bool definite_subject) {
    Clause second;
    if (definite_subject && first.core != Core::existence && chance(0.6)) {
      second.tense = tense;
      second.subject = pronoun(first.subject.person, first.subject.gender, first.subject.human);
      const Noun* noun = first.subject.form == Form::noun ? first.subject.noun : nullptr;
      predicate(second, noun, 0.25);
    } else {
      do
        second = clause(tense, 0.25);
      while (second.subject.form == Form::pronoun && second.subject.third());
    }
    return second;
  }

  static bool gone_after(const Verb& verb) {
    const auto v = verb.entry->english;
    return v == "eat" || v == "drink" || v == "sell" || v == "lose" || v == "forget" ||
           v == "look" || v == "give" || v == "send";
  }

  // "buys a hat and hides it": the subject is shared, and "it" is the first object
  void follow_up(Sentence& s) {
    const Phrase& object = *s.main.object;
    auto second = std::make_unique<Clause>();
    second->tense = s.main.tense;
    second->subject = gap(s.main.subject);
    for (int tries = 0; tries < 20; ++tries) {
      const Verb* verb = pick(words_.transitive);
      const auto& objects = verb->objects;
      const bool fits = std::find(objects.begin(), objects.end(), object.noun) != objects.end() &&
                        (s.main.subject.human || (verb->entry->subject & kind::animal));
      const bool bent =
          verb->has(trait::stative) || (second->tense == Tense::past &&
                                        (verb->entry->past.empty() || !verb->has(trait::fronting)));
      if (fits && !bent && verb != s.main.verb) second->verb = verb;
    }
    if (!second->verb) return;
    second->object = boxed(pronoun(object.person, object.gender, object.noun->is(kind::person)));
    if (second->verb->has(trait::recipient)) {
      const Person to = pick_of({Person::il, Person::ils});
      second->recipient =
          boxed(chance(0.5) ? pronoun(to, chance(0.5) && to == Person::il ? Gender::feminine
                                                                          : Gender::masculine)
                            : noun_phrase(pick(words_.people), definite(), 0.3));
    } else if (chance(0.5)) {
      second->places.push_back(place());
    }
    s.connective = Connective::and_;
    s.second = std::move(second);
  }

  Sentence question() {
    Sentence s;
    s.kind = Kind::question;
    s.question =
        pick_of({Question::yes_no, Question::yes_no, Question::who, Question::whom, Question::what,
                 Question::where, Question::when, Question::why, Question::how_many});
    const Tense tense =
        pick_of({Tense::present, Tense::present, Tense::past, Tense::past, Tense::future});
    Clause& c = s.main;
    switch (s.question) {
      case Question::yes_no:
      case Question::why:
        do
          c = clause(tense, 0.35);
        while (c.subject.form == Form::nobody || c.subject.determiner == Determiner::no ||
               c.core == Core::age);
        if (s.question == Question::yes_no || c.negation != Negation::not_)
          c.negation = Negation::none;
        if (c.object && c.object->determiner == Determiner::any)
          c.object->determiner = Determiner::the;
        if (c.core == Core::existence && c.subject.determiner == Determiner::any)
          c.subject.determiner = Determiner::many;
        break;
      case Question::who:
        c.tense = tense;
        c.subject.form = Form::gap;
        predicate(c, nullptr, 0.45);
        if (c.negation != Negation::none) c.negation = Negation::none;
        if (c.object && c.object->determiner == Determiner::any)
          c.object->determiner = Determiner::the;
        break;
      case Question::where:
      case Question::when:
        do
          c = clause(tense, 0);
        while (c.core != Core::verb || !c.places.empty() || c.subject.form == Form::nobody ||
               c.subject.determiner == Determiner::no ||
               (c.object && (c.object->form == Form::nothing || c.object->form == Form::nobody)));
        c.negation = Negation::none;
        c.frequency = nullptr;
        c.time.reset();
        if (c.object && c.object->determiner == Determiner::any)
          c.object->determiner = Determiner::the;
        break;
      case Question::whom:
      case Question::what:
      case Question::how_many: fronted_question(s, tense); break;
    }
    if (c.aspect == Aspect::habitual) {
      c.tense = Tense::present;
      c.aspect = Aspect::simple;
    }
    return s;
  }

  void fronted_question(Sentence& s, Tense tense) {
    Clause& c = s.main;
    c.tense = tense;
    const Kinds wanted =
        s.question == Question::whom ? kind::person : kind::portable | kind::countable_food;
    do
      c.verb = pick(words_.transitive);
    while (!(c.verb->entry->object & wanted) ||
           c.verb->has(trait::a | trait::de | trait::recipient) ||
           (s.question == Question::how_many && !c.verb->has(trait::fronting)));
    c.subject = chance(0.25) ? pronoun(pick_of({Person::vous, Person::il, Person::ils}))
                             : noun_phrase(pick(words_.people), definite(), 0.4);
    settle(c);
    if (c.aspect == Aspect::habitual) {
      c.tense = Tense::present;
      c.aspect = Aspect::simple;
    }
    Phrase object;
    if (s.question == Question::how_many) {
      const Noun* noun;
      do
        noun = pick(c.verb->objects);
      while (noun->is(kind::mass));
      s.fronted = boxed(noun_phrase(noun, Determiner::how_many, 0.3));
      s.fronted->person = Person::ils;
      object = gap(*s.fronted);
    } else {
      object.form = Form::gap;
    }
    c.object = boxed(std::move(object));
    if (chance(0.45)) c.places.push_back(place());
    if (chance(0.35)) c.time = time(c.tense);
  }

  Sentence imperative() {
    Sentence s;
    s.kind = Kind::imperative;
    s.please = chance(0.3);
    Clause& c = s.main;
    c.subject = gap(pronoun(Person::vous));
    if (chance(0.3)) c.negation = pick_of({Negation::not_, Negation::never});
    do
      c.verb = pick(words_.transitive);
    while (c.verb->has(trait::stative | trait::a));
    do
      object_of(c);
    while (c.object->form != Form::noun || c.object->determiner == Determiner::your);
    if (c.negation != Negation::none) s.please = false;
    if (c.verb->has(trait::recipient))
      c.recipient = boxed(noun_phrase(pick(words_.people), definite(), 0.3));
    if (chance(0.4)) c.places.push_back(place());
    return s;
  }

  Sentence exclamation() {
    Sentence s;
    s.kind = Kind::exclamation;
    Clause& c = s.main;
    c.tense = pick_of({Tense::present, Tense::past, Tense::past});
    do
      c.verb = pick(words_.fronting);
    while (c.verb->has(trait::recipient));
    const Noun* noun;
    do
      noun = pick(c.verb->objects);
    while (noun->is(kind::mass));
    s.fronted = boxed(noun_phrase(noun, Determiner::what, 0));
    if (!noun->before.empty())
      s.fronted->before = pick(noun->before);
    else if (!noun->after.empty())
      s.fronted->after = pick(noun->after);
    c.object = boxed(gap(*s.fronted));
    c.subject = chance(0.3)
                    ? pronoun(pick_of({Person::vous, Person::il, Person::ils, Person::nous}))
                    : noun_phrase(pick(words_.people), definite(), 0.4);
    settle(c);
    if (chance(0.5)) c.places.push_back(place());
    if (chance(0.2)) c.time = time(c.tense);
    return s;
  }

  Random& random_;
  const Dictionary& words_;
};

}  // namespace

Sentence draw_sentence(Random& random) { return Grammar(random).sentence(); }

}  // namespace heed::toy
