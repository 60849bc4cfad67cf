#include "datasets/corpora/internal/grammar.h"

#include <algorithm>

// French expresses more than English, such as the gender of "they". These rules let the English
// text determine the French text all the same:
// - "it" and "they" as the subject of a second clause always mean the subject of the first;
// - "it" and "them" as the object of a clause that shares its subject with the first always mean
//   the object of the first;
// - elsewhere "they" and "them" are masculine;
// - I, we and you never stand where a participle or an adjective would show their gender, or the
//   number of vous.
//
// The order of random draws defines the corpus: it must not change.
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

  // A noun phrase. The determiner decides whether it is plural, or else chance does. A mass noun
  // gets "some" instead of a determiner that counts. `adjectives` is the probability of adjectives.
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
    if (chance(adjectives)) add_adjectives(phrase);
    return phrase;
  }

  void add_adjectives(Phrase& phrase) {
    const Noun& noun = *phrase.noun;
    const bool both = chance(0.2);
    const bool prefer_before = chance(0.35);
    if ((prefer_before || both) && !noun.before.empty()) phrase.before = pick(noun.before);
    if ((!prefer_before || both) && !noun.after.empty()) phrase.after = pick(noun.after);
  }

  static Phrase singular(Phrase phrase) {
    phrase.person = Person::il;
    phrase.count = 0;
    return phrase;
  }

  // A pronoun of the third person. The plural is always masculine.
  Phrase pronoun_of_any_gender(Person person) {
    const bool feminine = chance(0.5) && person == Person::il;
    return pronoun(person, feminine ? Gender::feminine : Gender::masculine);
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

  Determiner owner_determiner() { return chance(0.7) ? Determiner::the : definite(); }

  Phrase owner() {
    if (chance(0.2)) return name();
    return noun_phrase(pick(words_.people), owner_determiner(), 0.2);
  }

  // May add an owner, clothes or a relative clause. Phrases inside such an addition get none.
  // `relative` is the probability of a relative clause.
  void add_modifier(Phrase& phrase, double relative) {
    const bool definite_article = phrase.determiner == Determiner::the && phrase.count == 0;
    if (phrase.noun->is(kind::portable | kind::building | kind::vehicle) && definite_article &&
        chance(0.25)) {
      phrase.owner = boxed(owner());
    } else if (phrase.noun->is(kind::person) && chance(0.07)) {
      Phrase clothes = singular(noun_phrase(pick(words_.garments), Determiner::the, 0));
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
      adjust_tense(*clause);
    } else {
      clause->link = Clause::Link::object;
      do
        clause->verb = pick(words_.fronting);
      while (!takes(*clause->verb, head.noun));
      if (chance(0.5)) clause->tense = Tense::past;
      clause->object = boxed(gap(head));
      clause->subject = chance(0.3) ? pronoun(pick_of({Person::je, Person::nous, Person::vous}))
                                    : noun_phrase(pick(words_.people), definite(), 0.2);
      adjust_tense(*clause);
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

  Place place_by_furniture() {
    const Noun* noun = pick(words_.furniture);
    const bool has_room_below = noun->entry->english == "table" || noun->entry->english == "bed" ||
                                noun->entry->english == "bench" || noun->entry->english == "tree";
    const Preposition where =
        has_room_below ? Preposition::under
                       : pick_of({Preposition::behind, Preposition::near, Preposition::next_to});
    return {where, singular(noun_phrase(noun, definite(), 0.25))};
  }

  Determiner site_determiner() {
    if (chance(0.75)) return Determiner::the;
    if (chance(0.5)) return Determiner::a;
    return definite();
  }

  Place place() {
    if (chance(0.2)) return place_by_furniture();
    Phrase phrase = singular(noun_phrase(pick(words_.sites), site_determiner(), 0.3));
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

  // Of the imperfect.
  Aspect aspect_of(const Verb& verb) {
    if (verb.has(trait::stative)) return Aspect::simple;
    if (verb.entry->ing.empty() || chance(0.3)) return Aspect::habitual;
    return Aspect::progressive;
  }

  // Changes tense, aspect and subject to a combination that English and French can both express.
  void adjust_tense(Clause& c) {
    if (c.core != Core::verb) {
      if (c.tense == Tense::past) c.tense = Tense::imperfect;
      return;
    }
    if (c.tense == Tense::past && c.verb->has(trait::stative)) c.tense = Tense::imperfect;
    if (c.tense == Tense::past && c.verb->entry->past.empty()) c.tense = Tense::present;
    if (c.tense == Tense::imperfect && c.verb->has(trait::etre)) c.tense = Tense::past;
    if (c.tense == Tense::imperfect) c.aspect = aspect_of(*c.verb);
    if (shows_gender(c) && !c.subject.third()) {
      const bool is_gap = c.subject.form == Form::gap;
      c.alone = false;
      if (shows_gender(c) && !is_gap) c.subject = pronoun(pick_of({Person::il, Person::ils}));
      if (shows_gender(c) && is_gap) c.tense = Tense::present;
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
      case Person::je:
        return Determiner::my;
      case Person::nous:
        return Determiner::our;
      case Person::vous:
        return Determiner::your;
      case Person::ils:
        return Determiner::their;
      default:
        return owner.gender == Gender::feminine ? Determiner::her : Determiner::his;
    }
  }

  Phrase object_pronoun(const Clause& c) {
    const bool third = c.subject.third();
    Person person = pick_of(
        {Person::il, Person::il, Person::ils, Person::ils, Person::je, Person::nous, Person::vous});
    const bool same =
        person == c.subject.person || (c.subject.person == Person::nous && person == Person::je);
    // The participle would agree with a person whose gender English does not show.
    const bool hides_agreement =
        c.tense == Tense::past && person != Person::il && person != Person::ils;
    if ((same && !third) || hides_agreement) person = Person::il;
    // "she sees him", but never "she sees her" or "they see them", which could be reflexive.
    const bool same_pronoun =
        c.subject.form == Form::pronoun && third && person == c.subject.person;
    if (same_pronoun && person == Person::ils) person = Person::il;
    bool feminine = false;
    if (person == Person::il && same_pronoun && c.subject.person == Person::il)
      feminine = c.subject.gender == Gender::masculine;
    else if (person == Person::il)
      feminine = chance(0.5);
    return pronoun(person, feminine ? Gender::feminine : Gender::masculine);
  }

  Determiner object_determiner(const Clause& c, const Noun* noun) {
    const bool negated = c.negation != Negation::none;
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
    return determiner;
  }

  void add_object(Clause& c) {
    if (c.verb->has(trait::de)) {
      c.object = boxed(singular(noun_phrase(pick(c.verb->objects), Determiner::the, 0)));
      return;
    }
    const bool people = c.verb->entry->object & kind::person;
    // The corpus has too few of these sentences to learn the participles from.
    const bool rare = c.tense == Tense::past && !c.verb->has(trait::fronting | trait::a);
    if (people && c.verb->entry->english != "have" && !rare && chance(0.35)) {
      c.object = boxed(object_pronoun(c));
      return;
    }
    if (c.negation == Negation::none && c.subject.form != Form::nobody &&
        c.subject.determiner != Determiner::no && chance(0.06)) {
      Phrase none;
      none.form = people ? Form::nobody : Form::nothing;
      c.object = boxed(std::move(none));
      c.frequency = nullptr;
      return;
    }
    const Noun* noun = pick(c.verb->objects);
    c.object = boxed(noun_phrase(noun, object_determiner(c, noun)));
    if (c.link == Clause::Link::none) add_modifier(*c.object, 0.13);
  }

  // Subjects whose clause is never negated.
  static bool excludes_negation(const Phrase& subject) {
    return subject.form == Form::nobody || subject.determiner == Determiner::no ||
           subject.determiner == Determiner::every;
  }

  // Whether the clause has a copula, for a subject of the third person.
  bool takes_copula(const Noun* noun) {
    const bool person = noun == nullptr || noun->is(kind::person);
    if (person) return chance(0.17);
    return !noun->is(kind::animal) || chance(0.3);
  }

  const Verb* verb_for(const Noun* noun) {
    const bool person = noun == nullptr || noun->is(kind::person);
    const auto suits = [&](const Verb* verb) {
      return person || (verb->entry->subject & kind::animal);
    };
    const double choice = random_.uniform();
    const Verb* verb = nullptr;
    if (choice < 0.62) {
      do
        verb = pick(words_.transitive);
      while (!suits(verb));
    } else if (choice < 0.72) {
      verb = pick(words_.recipient);
    } else if (choice < 0.80) {
      verb = pick(words_.to_place);
    } else {
      verb = pick(words_.alone);
    }
    while (!suits(verb))
      verb = pick(words_.alone);
    return verb;
  }

  // Negation, an adverb of frequency and a modal verb, each with some probability.
  void add_negation_and_modal(Clause& c) {
    const bool may_negate = !excludes_negation(c.subject);
    if (may_negate && c.negation == Negation::none && chance(0.13)) {
      c.negation = pick_of({Negation::not_, Negation::not_, Negation::never, Negation::no_longer});
    }
    if (c.negation == Negation::no_longer && c.tense == Tense::past) c.negation = Negation::not_;
    if (c.negation == Negation::none && may_negate && !c.verb->has(trait::stative) && chance(0.07))
      c.frequency = &pick(frequencies);
    if (c.tense == Tense::present && !c.verb->has(trait::modal_free) && chance(0.12)) {
      c.modal = pick_of({Modal::want, Modal::can, Modal::must});
      if (c.negation == Negation::no_longer) c.negation = Negation::not_;
      if (c.modal != Modal::want && c.negation == Negation::never) c.negation = Negation::not_;
    }
    adjust_tense(c);
    if (c.tense != Tense::present) c.modal = Modal::none;
    if (c.aspect == Aspect::habitual) c.negation = Negation::none;
    if (c.aspect == Aspect::progressive) {
      c.frequency = nullptr;
      if (c.negation != Negation::none) c.negation = Negation::not_;
    }
    if (c.negation == Negation::no_longer && c.tense == Tense::past) c.negation = Negation::not_;
  }

  void add_recipient(Clause& c) {
    if (chance(0.45)) {
      const Person person =
          c.subject.third()
              ? pick_of({Person::il, Person::ils, Person::je, Person::nous, Person::vous})
              : pick_of({Person::il, Person::ils});
      c.recipient = boxed(pronoun_of_any_gender(person));
    } else {
      c.recipient = boxed(noun_phrase(pick(words_.people), definite(), 0.3));
    }
    c.object->relative.reset();
    c.object->wearing.reset();
  }

  void add_goal(Clause& c) {
    Place goal = place();
    while (!goal.phrase.noun->is(kind::building | kind::place))
      goal = place();
    goal.preposition = c.verb->entry->to_french == "à" ? Preposition::to : Preposition::from;
    if (goal.phrase.determiner == Determiner::a) goal.phrase.determiner = Determiner::the;
    c.places.push_back(std::move(goal));
  }

  // "alone" or an adverb of manner. `third`: the subject was a third person from the start, before
  // adjust_tense() could change it.
  void add_manner(Clause& c, bool third) {
    if (third && chance(0.35) && !excludes_negation(c.subject))
      c.alone = true;
    else
      c.manner = c.subject.plural() && chance(0.6) ? &manners[2] : &manners[between(0, 1)];
  }

  // Adds the verb, its object and the rest to a clause that has a subject. `noun` is the noun that
  // the subject denotes; null: a person. `details` is the probability of a place.
  void predicate(Clause& c, const Noun* noun, double details = 0.5) {
    const bool third = c.subject.third() && c.subject.form != Form::nobody;
    if (third && takes_copula(noun)) return copula(c, noun);
    c.verb = verb_for(noun);
    add_negation_and_modal(c);
    if (c.verb->entry->object) add_object(c);
    if (c.verb->has(trait::recipient) && c.object->form != Form::nobody &&
        c.object->form != Form::nothing)
      add_recipient(c);
    if (c.verb->has(trait::to_place)) add_goal(c);
    if (!c.verb->entry->object && !c.verb->has(trait::to_place | trait::stative) && chance(0.22))
      add_manner(c, third);
    if (c.places.empty() && !(c.object && c.object->relative) && !c.verb->has(trait::placeless) &&
        chance(details))
      c.places.push_back(place());
    if (!c.verb->has(trait::timeless) && !c.frequency && chance(details * 0.8))
      c.time = time(c.tense);
  }

  // False for "the red key is green", and for a colour of a gap, whose noun may have a colour.
  static bool is_informative(const Adjective* predicate, const Phrase& subject) {
    if (predicate == subject.before || predicate == subject.after) return false;
    if (subject.form == Form::gap && predicate->entry->rank > 1) return false;
    const bool coloured = subject.after && subject.after->entry->rank >= 3;
    return predicate->entry->rank <= 1 || (!coloured && subject.form == Form::noun);
  }

  void copula(Clause& c, const Noun* noun) {
    c.core = Core::copula;
    adjust_tense(c);
    const std::size_t man_or_woman = c.subject.gender == Gender::feminine ? 1 : 0;
    const Noun* model = noun ? noun : &words_.nouns[man_or_woman];
    do {
      const bool after = model->before.empty() || (!model->after.empty() && chance(0.7));
      c.predicate = pick(after ? model->after : model->before);
    } while (!is_informative(c.predicate, c.subject));
    if (!c.predicate->entry->comparative.empty()) {
      c.degree = pick_of(
          {Degree::plain, Degree::very, Degree::too, Degree::more, Degree::more, Degree::as});
    }
    if (c.degree == Degree::more || c.degree == Degree::as) add_standard(c, noun, *model);
    const bool may_negate = !excludes_negation(c.subject);
    if (may_negate && chance(0.13)) {
      c.negation = c.predicate->entry->rank > 1 || c.standard
                       ? Negation::not_
                       : pick_of({Negation::not_, Negation::never, Negation::no_longer});
    }
    if (c.negation == Negation::none && may_negate && c.degree != Degree::too &&
        c.predicate->entry->rank <= 1 && noun && noun->is(kind::animate) && chance(0.05)) {
      c.frequency = &frequencies[0];
    }
  }

  // What the subject is compared with: a name, or a noun of the same kind as `model`, which the
  // adjective may qualify. Without such a noun there is no comparison.
  void add_standard(Clause& c, const Noun* noun, const Noun& model) {
    const Noun* other = nullptr;
    do
      other = &pick(words_.nouns);
    while (!(other->entry->kinds & model.entry->kinds & ~kind::mass) || other == noun);
    if (!(c.predicate->entry->kinds & other->entry->kinds)) {
      c.degree = Degree::very;
      return;
    }
    c.standard =
        boxed(model.is(kind::person) && chance(0.2) ? name() : noun_phrase(other, definite(), 0.2));
  }

  // A clause with a subject of its own.
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
      add_modifier(c.subject, 0.3);
      predicate(c, noun, details);
    } else {
      const Noun* noun = pick(verb_subjects());
      Determiner determiner = any_determiner();
      if (chance(0.1)) determiner = pick_of({Determiner::every, Determiner::all, Determiner::no});
      c.subject = noun_phrase(noun, determiner);
      if (determiner != Determiner::no && determiner != Determiner::every)
        add_modifier(c.subject, 0.14);
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
    adjust_tense(c);
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
    if (!none) add_modifier(c.subject, 0.3);
    if (!c.subject.relative) c.places.push_back(place());
    return c;
  }

  Clause age(Tense tense) {
    Clause c;
    c.core = Core::age;
    c.tense = tense;
    adjust_tense(c);
    if (chance(0.2))
      c.subject = name();
    else
      c.subject = singular(noun_phrase(pick(words_.people), definite(), 0.3));
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

  // Whether a second clause may share the subject, and have the object of the first as "it".
  static bool allows_follow_up(const Clause& first) {
    const Phrase* object = first.object.get();
    if (first.core != Core::verb || !object || object->form != Form::noun) return false;
    if (first.recipient || first.time || !first.places.empty()) return false;
    if (first.negation != Negation::none || first.modal != Modal::none) return false;
    if (object->determiner == Determiner::no || object->noun->is(kind::animate)) return false;
    if (first.subject.form == Form::nobody || first.subject.determiner == Determiner::no)
      return false;
    return !first.verb->has(trait::a | trait::de | trait::stative) &&
           first.aspect == Aspect::simple && !removes_object(*first.verb);
  }

  Tense tense_of_second(Tense tense, Connective connective) {
    if (connective == Connective::when && tense == Tense::imperfect)
      tense = Tense::past;
    else if (tense == Tense::past && connective == Connective::while_)
      tense = Tense::imperfect;
    else if (tense == Tense::imperfect && connective != Connective::while_ && chance(0.3))
      tense = Tense::past;
    else if (tense == Tense::past && chance(0.3))
      tense = Tense::imperfect;
    if (connective == Connective::when && tense == Tense::imperfect) tense = Tense::past;
    return tense;
  }

  // Adds a second clause.
  void extend(Sentence& s) {
    const Clause& first = s.main;
    if (allows_follow_up(first) && chance(0.6)) return follow_up(s);
    s.connective =
        pick_of({Connective::and_, Connective::but, Connective::because, Connective::because,
                 Connective::when, Connective::when, Connective::while_});
    if (first.core == Core::existence || first.core == Core::age) {
      s.connective = pick_of({Connective::and_, Connective::but});
    }
    Tense tense = tense_of_second(first.tense, s.connective);
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
      ++tries;
    } while (tries < most_tries && !is_plausible(s.connective, first, second));
    // The gender of "them" would be unknown: only in follow_up() does it mean the first object.
    const bool ambiguous = second.object && second.object->form == Form::pronoun &&
                           second.object->person == Person::ils;
    if (ambiguous) second.object->person = Person::il;
    if (tries == most_tries) s.connective = Connective::and_;
    if (s.connective == Connective::when && second.tense == Tense::future)
      second.when_future = true;
    s.second = std::make_unique<Clause>(std::move(second));
    const bool subordinate = s.connective == Connective::when || s.connective == Connective::while_;
    s.second_first = subordinate && s.second->subject.form != Form::pronoun && chance(0.35);
  }

  static constexpr int most_tries = 50;

  // "when" and "while" need an event in the second clause, not a state.
  static bool is_plausible(Connective connective, const Clause& first, const Clause& second) {
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

  // Whether the subject no longer has the object after the action.
  static bool removes_object(const Verb& verb) {
    const auto v = verb.entry->english;
    return v == "eat" || v == "drink" || v == "sell" || v == "lose" || v == "forget" ||
           v == "look" || v == "give" || v == "send";
  }

  // "buys a hat and hides it": the clauses share the subject, and "it" is the object of the first.
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
      const bool has_past = !verb->entry->past.empty() && verb->has(trait::fronting);
      const bool unsuitable =
          verb->has(trait::stative) || (second->tense == Tense::past && !has_past);
      if (fits && !unsuitable && verb != s.main.verb) second->verb = verb;
    }
    if (!second->verb) return;
    second->object = boxed(pronoun(object.person, object.gender, object.noun->is(kind::person)));
    if (second->verb->has(trait::recipient)) {
      const Person to = pick_of({Person::il, Person::ils});
      second->recipient = boxed(chance(0.5) ? pronoun_of_any_gender(to)
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
    switch (s.question) {
      case Question::yes_no:
      case Question::why:
        plain_question(s, tense);
        break;
      case Question::who:
        who_question(s.main, tense);
        break;
      case Question::where:
      case Question::when:
        where_question(s.main, tense);
        break;
      case Question::whom:
      case Question::what:
      case Question::how_many:
        fronted_question(s, tense);
        break;
    }
    avoid_habitual(s.main);
    return s;
  }

  // Questions do not use "used to".
  static void avoid_habitual(Clause& c) {
    if (c.aspect != Aspect::habitual) return;
    c.tense = Tense::present;
    c.aspect = Aspect::simple;
  }

  // "any" needs a negation, which questions have lost.
  static void replace_any(Clause& c) {
    if (c.object && c.object->determiner == Determiner::any) c.object->determiner = Determiner::the;
  }

  void plain_question(Sentence& s, Tense tense) {
    Clause& c = s.main;
    do
      c = clause(tense, 0.35);
    while (c.subject.form == Form::nobody || c.subject.determiner == Determiner::no ||
           c.core == Core::age);
    if (s.question == Question::yes_no || c.negation != Negation::not_) c.negation = Negation::none;
    replace_any(c);
    if (c.core == Core::existence && c.subject.determiner == Determiner::any)
      c.subject.determiner = Determiner::many;
  }

  void who_question(Clause& c, Tense tense) {
    c.tense = tense;
    c.subject.form = Form::gap;
    predicate(c, nullptr, 0.45);
    c.negation = Negation::none;
    replace_any(c);
  }

  void where_question(Clause& c, Tense tense) {
    do
      c = clause(tense, 0);
    while (c.core != Core::verb || !c.places.empty() || c.subject.form == Form::nobody ||
           c.subject.determiner == Determiner::no ||
           (c.object && (c.object->form == Form::nothing || c.object->form == Form::nobody)));
    c.negation = Negation::none;
    c.frequency = nullptr;
    c.time.reset();
    replace_any(c);
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
    adjust_tense(c);
    avoid_habitual(c);
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
      add_object(c);
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
    adjust_tense(c);
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
