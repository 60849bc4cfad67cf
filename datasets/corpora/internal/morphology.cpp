#include "datasets/corpora/internal/morphology.h"

#include <algorithm>

#include "framework/error.h"

namespace heed::toy {
namespace {

using std::string, std::string_view;

template <class List>
bool contains(const List& list, string_view word) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

bool ends_with_any(string_view word, std::initializer_list<string_view> endings) {
  return std::any_of(endings.begin(), endings.end(),
                     [&](string_view ending) { return word.ends_with(ending); });
}

string without(string_view word, std::size_t bytes) {
  return string(word.substr(0, word.size() - bytes));
}

// ---- verbs

constexpr string_view present_er[] = {"e", "es", "e", "ons", "ez", "ent"};
constexpr string_view present_ir[] = {"is", "is", "it", "issons", "issez", "issent"};
constexpr string_view present_re[] = {"s", "s", "", "ons", "ez", "ent"};
constexpr string_view imparfait_endings[] = {"ais", "ais", "ait", "ions", "iez", "aient"};
constexpr string_view futur_endings[] = {"ai", "as", "a", "ons", "ez", "ont"};

// mang + ons -> mangeons, commenc + ons -> commençons
string soften(string stem, string_view ending) {
  const bool hard = ending.starts_with("a") || ending.starts_with("o");
  if (hard && stem.ends_with("g")) stem += "e";
  if (hard && stem.ends_with("c")) stem.replace(stem.size() - 1, 1, "ç");
  return stem;
}

// The stem before a mute e: achet -> achèt, nettoy -> nettoi; prépar does not change.
string weaken(string stem) {
  if (stem.ends_with("oy") || stem.ends_with("uy")) {
    stem.back() = 'i';
  } else if (ends_with_any(stem, {"et", "en", "ev"})) {
    stem.replace(stem.size() - 2, 1, "è");
  }
  return stem;
}

bool mute(string_view ending) { return ending == "e" || ending == "es" || ending == "ent"; }

struct Parts {
  std::array<string, 6> present;
  string future;
  string participle;
};

Parts regular(string_view infinitive) {
  Parts parts;
  const string stem = without(infinitive, 2);
  if (infinitive.ends_with("er")) {
    for (int p = 0; p < 6; ++p) {
      parts.present[p] = (mute(present_er[p]) ? weaken(stem) : soften(stem, present_er[p])) +
                         string(present_er[p]);
    }
    parts.future = weaken(stem) + "er";
    parts.participle = stem + "é";
  } else if (infinitive.ends_with("ir")) {
    for (int p = 0; p < 6; ++p)
      parts.present[p] = stem + string(present_ir[p]);
    parts.future = infinitive;
    parts.participle = stem + "i";
  } else {
    check(infinitive.ends_with("re"), "conjugate",
          "expected an infinitive in -er, -ir or -re; got '{}'", infinitive);
    for (int p = 0; p < 6; ++p)
      parts.present[p] = stem + string(present_re[p]);
    parts.future = without(infinitive, 1);
    parts.participle = stem + "u";
  }
  return parts;
}

Parts irregular(const IrregularVerb& verb) {
  Parts parts{{}, string(verb.future), string(verb.participle)};
  string_view rest = verb.present;
  for (string& form : parts.present) {
    form = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(rest.size(), form.size() + 1));
  }
  return parts;
}

// ---- numbers

constexpr string_view ones_french[] = {"zéro",  "un",     "deux",     "trois",  "quatre", "cinq",
                                       "six",   "sept",   "huit",     "neuf",   "dix",    "onze",
                                       "douze", "treize", "quatorze", "quinze", "seize"};
constexpr string_view tens_french[] = {"",         "dix",       "vingt",   "trente",
                                       "quarante", "cinquante", "soixante"};
constexpr string_view ones_english[] = {"zero",    "one",     "two",       "three",    "four",
                                        "five",    "six",     "seven",     "eight",    "nine",
                                        "ten",     "eleven",  "twelve",    "thirteen", "fourteen",
                                        "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"};
constexpr string_view tens_english[] = {"",      "ten",   "twenty",  "thirty", "forty",
                                        "fifty", "sixty", "seventy", "eighty", "ninety"};

// The contraction of "de" or "à" with the article "le" or "les".
string_view contraction(string_view preposition, string_view article) {
  if (preposition == "de") return article == "les" ? "des" : "du";
  return article == "les" ? "aux" : "au";
}

}  // namespace

bool elides(string_view word) {
  constexpr string_view aspirated[] = {"héros",     "hibou", "hiboux", "hérisson",
                                       "hérissons", "harpe", "harpes", "huit"};
  constexpr string_view vowels[] = {"é", "è", "ê", "â", "î", "ô", "œ", "É", "Î", "à"};
  constexpr string_view exceptions[] = {"onze", "oui"};
  if (word.empty()) return false;
  if (word[0] == 'h') return !contains(aspirated, word);
  if (word[0] == 'o' && contains(exceptions, word)) return false;
  return string_view("aeiouyAEIOU").find(word[0]) != string_view::npos ||
         contains(vowels, word.substr(0, 2));
}

string join_french(const std::vector<Word>& words) {
  constexpr string_view elidable[] = {"le", "la", "de", "je", "me", "ne", "que", "se", "te"};
  string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    string_view word = words[i].text;
    const bool punctuation = word == "." || word == "," || word == "!" || word == "?";
    if (!text.empty() && text.back() != '\'' && !punctuation) text += ' ';
    const bool last = i + 1 == words.size();
    const bool opens_vowel = !last && elides(words[i + 1].text);
    if ((word == "de" || word == "à") && !last && words[i + 1].article) {
      const string_view article = words[i + 1].text;
      const bool apostrophe = i + 2 < words.size() && elides(words[i + 2].text);
      const bool contracts = article == "les" || (article == "le" && !apostrophe);
      if (contracts) {
        text += contraction(word, article);
        ++i;
        continue;
      }
    }
    if (opens_vowel && word.size() <= 3 && contains(elidable, word)) {
      text.append(word.substr(0, word.size() - 1)) += '\'';
    } else {
      text += word;
    }
  }
  return text;
}

string plural_french(string_view noun) {
  constexpr string_view in_x[] = {"bijou", "caillou", "chou", "genou", "hibou", "joujou", "pou"};
  if (ends_with_any(noun, {"s", "x", "z"})) return string(noun);
  if (noun.ends_with("al")) return without(noun, 1) + "ux";
  if (ends_with_any(noun, {"eau", "eu"}) && noun != "bleu") return string(noun) + "x";
  if (contains(in_x, noun)) return string(noun) + "x";
  return string(noun) + "s";
}

string feminine_french(string_view adjective) {
  if (adjective.ends_with("e")) return string(adjective);
  if (adjective.ends_with("eux")) return without(adjective, 1) + "se";
  if (adjective.ends_with("ien")) return string(adjective) + "ne";
  return string(adjective) + "e";
}

Agreement agree(string_view masculine, string_view feminine, string_view masculine_plural) {
  const string she = feminine.empty() ? feminine_french(masculine) : string(feminine);
  return {{string(masculine),
           masculine_plural.empty() ? plural_french(masculine) : string(masculine_plural), she,
           she + "s"}};
}

Conjugation conjugate(string_view infinitive) {
  const auto table = irregular_verbs();
  const auto entry = std::find_if(table.begin(), table.end(), [&](const IrregularVerb& v) {
    return v.infinitive == infinitive;
  });
  const Parts parts = entry == table.end() ? regular(infinitive) : irregular(*entry);
  // The imparfait has the stem of "nous": nous buvons, il buvait. Only être is an exception.
  string past_stem = without(parts.present[static_cast<std::size_t>(Person::nous)], 3);
  if (infinitive == "être") past_stem = "ét";
  Conjugation verb{string(infinitive), parts.present, {}, {}, agree(parts.participle)};
  if (infinitive == "devoir") verb.participle = agree("dû", "due", "dus");
  for (int p = 0; p < 6; ++p) {
    const string_view ending = imparfait_endings[p];
    string stem = past_stem;
    if (ending.starts_with("i") && stem.ends_with("ge")) stem.pop_back();  // mangeait, but mangions
    if (ending.starts_with("i") && stem.ends_with("ç")) stem.replace(stem.size() - 2, 2, "c");
    verb.imparfait[p] = stem + string(ending);
    verb.futur[p] = parts.future + string(futur_endings[p]);
  }
  return verb;
}

string number_french(int n, Gender gender) {
  check(n >= 1 && n <= 100, "number_french", "expected 1 to 100; got {}", n);
  if (n == 1) return gender == Gender::feminine ? "une" : "un";
  if (n == 100) return "cent";
  if (n <= 16) return string(ones_french[n]);
  if (n < 20) return "dix-" + string(ones_french[n - 10]);
  if (n >= 80) return n == 80 ? "quatre-vingts" : "quatre-vingt-" + number_french(n - 80, gender);
  const int tens = n >= 70 ? 6 : n / 10;
  const int rest = n - 10 * tens;
  const string_view stem = tens_french[tens];
  if (rest == 0) return string(stem);
  const string tail = number_french(rest, gender);
  return string(stem) + (rest == 1 || rest == 11 ? " et " : "-") + tail;
}

string number_english(int n) {
  check(n >= 1 && n <= 100, "number_english", "expected 1 to 100; got {}", n);
  if (n == 100) return "a hundred";
  if (n < 20) return string(ones_english[n]);
  return string(tens_english[n / 10]) + (n % 10 ? "-" + string(ones_english[n % 10]) : "");
}

string plural_english(string_view noun) {
  const bool vowel_y = ends_with_any(noun, {"ay", "ey", "oy", "uy"});
  if (noun.ends_with("y") && !vowel_y) return without(noun, 1) + "ies";
  if (ends_with_any(noun, {"s", "x", "z", "ch", "sh"})) return string(noun) + "es";
  return string(noun) + "s";
}

string third_person_english(string_view verb) {
  if (verb == "have") return "has";
  if (verb == "go") return "goes";
  return plural_english(verb);  // the same spelling rule
}

}  // namespace heed::toy
