#include "datasets/corpora/internal/tree.h"

namespace heed::toy {
namespace {

using std::string, std::string_view;
using Form = Phrase::Form;
using Core = Clause::Core;

constexpr string_view subjects[] = {"je", "tu", "il", "nous", "vous", "ils"};
constexpr string_view direct[] = {"me", "te", "le", "nous", "vous", "les"};
constexpr string_view indirect[] = {"me", "te", "lui", "nous", "vous", "leur"};
constexpr string_view articles[] = {"le", "les", "la", "les"};  // in the order of Agreement

// The forms of a determiner: by gender and number, and in the singular before a vowel.
struct Determined {
  string_view forms[4];  // in the order of Agreement
  string_view masculine_vowel;
  string_view feminine_vowel;
  string_view of(Gender gender, bool plural, bool vowel) const {
    if (vowel && !plural) return gender == Gender::feminine ? feminine_vowel : masculine_vowel;
    return forms[2 * static_cast<int>(gender) + plural];
  }
};
constexpr Determined a = {{"un", "des", "une", "des"}, "un", "une"};
constexpr Determined this_ = {{"ce", "ces", "cette", "ces"}, "cet", "cette"};
constexpr Determined my = {{"mon", "mes", "ma", "mes"}, "mon", "mon"};
constexpr Determined his = {{"son", "ses", "sa", "ses"}, "son", "son"};
constexpr Determined your = {{"votre", "vos", "votre", "vos"}, "votre", "votre"};
constexpr Determined our = {{"notre", "nos", "notre", "nos"}, "notre", "notre"};
constexpr Determined their = {{"leur", "leurs", "leur", "leurs"}, "leur", "leur"};
constexpr Determined no = {{"aucun", "", "aucune", ""}, "aucun", "aucune"};
constexpr Determined what = {{"quel", "quels", "quelle", "quelles"}, "quel", "quelle"};

class Writer {
 public:
  std::vector<Word> words;

  // Keeps views of its arguments, which must be literals or entries of the dictionary.
  void say(string_view word) { words.push_back({word}); }
  void say(std::initializer_list<string_view> several) {
    for (string_view word : several)
      say(word);
  }
  void article(Gender gender, bool plural) {
    words.push_back({articles[2 * static_cast<int>(gender) + plural], true});
  }

  // ---- noun phrases

  void phrase(const Phrase& p) {
    switch (p.form) {
      case Form::gap:
        return;
      case Form::name:
        return say(p.name);
      case Form::nobody:
        return say("personne");
      case Form::nothing:
        return say("rien");
      case Form::pronoun:
        return say(pronoun(p));
      case Form::noun:
        break;
    }
    const bool plural = p.person == Person::ils;
    const Gender gender = p.gender;
    const string_view noun = p.noun->french[plural];
    string_view before;
    if (p.before) {
      before = p.before->french.of(gender, plural);
      const bool bends = gender == Gender::masculine && !plural &&
                         !p.before->entry->before_vowel.empty() && elides(noun);
      if (bends) before = p.before->entry->before_vowel;
    }
    determiner(p, before.empty() ? noun : before);
    if (!before.empty()) say(before);
    say(noun);
    if (p.after) say(p.after->french.of(gender, plural));
    if (p.wearing) {
      say("à");
      phrase(*p.wearing);
    }
    if (p.owner) {
      say("de");
      phrase(*p.owner);
    }
    if (p.relative) relative(*p.relative);
  }

  void determiner(const Phrase& p, string_view next) {
    const bool plural = p.person == Person::ils;
    const int gender = static_cast<int>(p.gender);
    if (const Determined* const forms = inflected(p.determiner)) {
      say(forms->of(p.gender, plural, elides(next)));
    } else {
      other_determiner(p, plural);
    }
    if (p.count) say(dictionary().numbers_french[gender][p.count]);
  }

  /// The forms of a determiner that agrees with the noun and the sound after it; null: it does not.
  static const Determined* inflected(Determiner determiner) {
    switch (determiner) {
      case Determiner::a:
        return &a;
      case Determiner::this_:
        return &this_;
      case Determiner::my:
        return &my;
      case Determiner::your:
        return &your;
      case Determiner::our:
        return &our;
      case Determiner::his:
      case Determiner::her:
        return &his;
      case Determiner::their:
        return &their;
      case Determiner::no:
        return &no;
      case Determiner::what:
        return &what;
      default:
        return nullptr;
    }
  }

  void other_determiner(const Phrase& p, bool plural) {
    switch (p.determiner) {
      case Determiner::the:
        article(p.gender, plural);
        break;
      case Determiner::some:
        some(p, plural);
        break;
      case Determiner::any:
        say("de");
        break;
      case Determiner::many:
        say({"beaucoup", "de"});
        break;
      case Determiner::several:
        say("plusieurs");
        break;
      case Determiner::every:
        say("chaque");
        break;
      case Determiner::all:
        say(p.gender == Gender::feminine ? "toutes" : "tous");
        article(p.gender, true);
        break;
      case Determiner::how_many:
        say({"combien", "de"});
        break;
      default:
        break;
    }
  }

  void some(const Phrase& p, bool plural) {
    if (!plural) {
      say("de");
      article(p.gender, false);
      return;
    }
    say(p.before ? "de" : "des");  // de beaux jardins
  }

  static string_view pronoun(const Phrase& p) {
    if (p.gender == Gender::feminine && p.third())
      return p.person == Person::ils ? "elles" : "elle";
    return subjects[static_cast<int>(p.person)];
  }

  void relative(const Clause& c) {
    switch (c.link) {
      case Clause::Link::subject:
        say("qui");
        break;
      case Clause::Link::place:
        say("où");
        break;
      default:
        say("que");
    }
    clause(c);
  }

  // ---- clauses

  static const string& conjugated(const Conjugation& verb, Tense tense, Person person) {
    const auto p = static_cast<std::size_t>(person);
    if (tense == Tense::future) return verb.futur[p];
    if (tense == Tense::imperfect) return verb.imparfait[p];
    return verb.present[p];
  }

  static bool goes_before(const Phrase* p) { return p && p->form == Form::pronoun; }

  // Pronouns before the verb, in the order me te nous vous, then le la les, then lui leur.
  void clitics(const Clause& c) {
    const bool a_verb = c.verb && c.verb->has(trait::a);  // the object is indirect in French
    const Phrase* object = goes_before(c.object.get()) ? c.object.get() : nullptr;
    const Phrase* recipient = goes_before(c.recipient.get()) ? c.recipient.get() : nullptr;
    if (recipient && !recipient->third()) say(indirect[static_cast<int>(recipient->person)]);
    if (object) {
      const bool la = !a_verb && object->person == Person::il && object->gender == Gender::feminine;
      const auto& pronouns = a_verb ? indirect : direct;
      say(la ? "la" : pronouns[static_cast<int>(object->person)]);
    }
    if (recipient && recipient->third()) say(indirect[static_cast<int>(recipient->person)]);
  }

  string_view participle(const Clause& c) const {
    const Agreement& forms = c.verb->french.participle;
    if (c.verb->has(trait::etre)) return forms.of(c.subject.gender, c.subject.plural());
    const Phrase* object = c.object.get();
    const bool precedes = object && !c.verb->has(trait::a | trait::de) &&
                          (object->form == Form::gap || goes_before(object));
    return precedes ? forms.of(object->gender, object->plural())
                    : forms.of(Gender::masculine, false);
  }

  void clause(const Clause& c) {
    if (c.time && c.time_first) {
      time(*c.time);
      say(",");
    }
    if (c.core == Core::existence) {
      say("il");
    } else {
      phrase(c.subject);
    }
    verb_group(c);
    rest(c);
    if (c.time && !c.time_first) time(*c.time);
  }

  // Whether a negation or a word such as personne, rien or aucun requires "ne".
  static bool needs_ne(const Clause& c) {
    const Phrase* object = c.object.get();
    const bool object_no =
        object && (object->form == Form::nothing || object->form == Form::nobody ||
                   object->determiner == Determiner::no);
    const bool subject_no =
        c.subject.form == Form::nobody ||
        (c.subject.form == Form::noun && c.subject.determiner == Determiner::no);
    return c.negation != Negation::none || object_no || subject_no;
  }

  // The passé composé: an auxiliary in the present and a participle.
  static bool is_composed(const Clause& c) {
    return c.core == Core::verb && c.tense == Tense::past;
  }

  // The verb that is conjugated: the verb of the clause, an auxiliary or a modal.
  static const Conjugation& finite_verb(const Clause& c) {
    const Dictionary& d = dictionary();
    if (is_composed(c)) return c.verb->has(trait::etre) ? d.etre.french : d.avoir.french;
    switch (c.modal) {
      case Modal::want:
        return d.vouloir.french;
      case Modal::can:
        return d.pouvoir.french;
      case Modal::must:
        return d.devoir.french;
      case Modal::none:
        break;
    }
    if (c.core == Core::existence || c.core == Core::age) return d.avoir.french;
    return c.verb ? c.verb->french : d.etre.french;
  }

  void verb_group(const Clause& c) {
    static constexpr string_view negations[] = {"", "pas", "jamais", "plus"};
    const bool composed = is_composed(c);
    const bool infinitive = c.modal != Modal::none;
    if (needs_ne(c)) say("ne");
    if (c.core == Core::existence) say("y");
    if (!infinitive) clitics(c);
    const Person person = c.core == Core::existence ? Person::il : c.subject.person;
    say(conjugated(finite_verb(c), composed ? Tense::present : c.tense, person));
    if (c.negation != Negation::none) say(negations[static_cast<int>(c.negation)]);
    if (c.object && c.object->form == Form::nothing) say("rien");
    if (c.frequency) say(c.frequency->french);
    if (composed) say(participle(c));
    if (infinitive) {
      clitics(c);
      say(c.verb->french.infinitive);
    }
  }

  void rest(const Clause& c) {
    if (c.core == Core::existence) phrase(c.subject);
    if (c.core == Core::age) say({dictionary().numbers_french[0][c.age], "ans"});
    if (c.predicate) predicate(c);
    if (c.object && !goes_before(c.object.get()) && c.object->form != Form::nothing) {
      if (c.verb->has(trait::a)) say("à");
      if (c.verb->has(trait::de)) say("de");
      phrase(*c.object);
    }
    if (c.recipient && !goes_before(c.recipient.get())) {
      say("à");
      phrase(*c.recipient);
    }
    if (c.manner) say(c.manner->french);
    if (c.alone) {
      static const Agreement seul = agree("seul");
      say(seul.of(c.subject.gender, c.subject.plural()));
    }
    for (const Place& p : c.places)
      place(p);
  }

  void predicate(const Clause& c) {
    static constexpr string_view degrees[] = {"", "très", "trop", "plus", "aussi"};
    const bool plural = c.subject.plural();
    if (c.degree != Degree::plain) say(degrees[static_cast<int>(c.degree)]);
    say(c.predicate->french.of(c.subject.gender, plural));
    if (c.standard) {
      say("que");
      phrase(*c.standard);
    }
  }

  void place(const Place& p) {
    static constexpr string_view locations[] = {"", "dans", "sur", "à"};
    switch (p.preposition) {
      case Preposition::located: {  // au marché, but dans un marché
        const Location where = p.phrase.noun->entry->location;
        const bool within = where == Location::at && p.phrase.determiner != Determiner::the;
        say(locations[static_cast<int>(within ? Location::in : where)]);
        break;
      }
      case Preposition::near:
        say({"près", "de"});
        break;
      case Preposition::in_front_of:
        say("devant");
        break;
      case Preposition::behind:
        say("derrière");
        break;
      case Preposition::under:
        say("sous");
        break;
      case Preposition::next_to:
        say({"à", "côté", "de"});
        break;
      case Preposition::to:
        say("à");
        break;
      case Preposition::from:
        say("de");
        break;
    }
    phrase(p.phrase);
  }

  void time(const Time& t) {
    const Dictionary& d = dictionary();
    switch (t.kind) {
      case Time::Kind::word:
        return say(time_words()[static_cast<std::size_t>(t.a)].french);
      case Time::Kind::day:
        return say(weekdays[t.a].french);
      case Time::Kind::every_day:
        return say({"chaque", weekdays[t.a].french});
      case Time::Kind::month:
        return say({"en", months[t.a].french});
      case Time::Kind::date:
        say("le");
        say(t.a == 1 ? string_view("premier") : string_view(d.digits[t.a]));
        return say(months[t.b].french);
      case Time::Kind::hour:
        return hour(t.a, t.b);
    }
  }

  void hour(int named, int quarters) {
    say({"à", dictionary().numbers_french[1][named], named == 1 ? "heure" : "heures"});
    if (quarters == 1) say({"et", "quart"});
    if (quarters == 2) say({"et", "demie"});
    if (quarters == 3) say({"moins", "le", "quart"});
  }
};

void connective(Writer& w, Sentence::Connective connective) {
  using Connective = Sentence::Connective;
  switch (connective) {
    case Connective::and_:
      return w.say("et");
    case Connective::but:
      return w.say({",", "mais"});
    case Connective::because:
      return w.say({"parce", "que"});
    case Connective::when:
      return w.say("quand");
    case Connective::while_:
      return w.say({"pendant", "que"});
  }
}

void question(Writer& w, const Sentence& s) {
  using Question = Sentence::Question;
  static constexpr string_view openers[] = {"", "qui", "qui", "que", "où", "quand", "pourquoi", ""};
  if (s.fronted) w.phrase(*s.fronted);
  const string_view opener = openers[static_cast<int>(s.question)];
  if (s.question == Question::what)
    w.say({"qu'est-ce", "que"});
  else if (!opener.empty())
    w.say(opener);
  if (s.question != Question::who && s.question != Question::what) w.say({"est-ce", "que"});
  w.clause(s.main);
}

string_view end_mark(const Sentence& s) {
  if (s.kind == Sentence::Kind::question) return "?";
  const bool command = s.kind == Sentence::Kind::imperative && !s.please;
  return s.kind == Sentence::Kind::exclamation || command ? "!" : ".";
}

}  // namespace

string french(const Sentence& s) {
  Writer w;
  if (s.second && s.second_first) {
    connective(w, s.connective);
    w.clause(*s.second);
    w.say(",");
  }
  switch (s.kind) {
    case Sentence::Kind::statement:
      w.clause(s.main);
      break;
    case Sentence::Kind::question:
      question(w, s);
      break;
    case Sentence::Kind::imperative:
      w.verb_group(s.main);
      w.rest(s.main);
      break;
    case Sentence::Kind::exclamation:
      w.phrase(*s.fronted);
      w.clause(s.main);
      break;
  }
  if (s.second && !s.second_first) {
    connective(w, s.connective);
    w.clause(*s.second);
  }
  if (s.please) w.say({",", "s'il vous plaît"});
  w.say(end_mark(s));
  string text = join_french(w.words);
  if (text.starts_with("à ")) text.replace(0, std::string_view("à").size(), "À");
  if (text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
  return text;
}

}  // namespace heed::toy
