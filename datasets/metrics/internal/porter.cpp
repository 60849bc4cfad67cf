#include "datasets/metrics/internal/porter.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

namespace heed {

namespace {

using std::string_view;

constexpr std::pair<string_view, string_view> irregular[] = {
    {"sky", "sky"},        {"skies", "sky"},       {"dying", "die"},        {"lying", "lie"},
    {"tying", "tie"},      {"news", "news"},       {"innings", "inning"},   {"inning", "inning"},
    {"outings", "outing"}, {"outing", "outing"},   {"cannings", "canning"}, {"canning", "canning"},
    {"howe", "howe"},      {"proceed", "proceed"}, {"exceed", "exceed"},    {"succeed", "succeed"}};

// Whether each letter is a consonant. y is one at the start of a word and after a vowel.
std::vector<bool> consonants(string_view word) {
  std::vector<bool> result(word.size());
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (word[i] == 'y')
      result[i] = i == 0 || !result[i - 1];
    else
      result[i] = string_view("aeiou").find(word[i]) == string_view::npos;
  }
  return result;
}

// The measure m of a stem [C](VC){m}[V], where C are consonants and V are vowels.
int measure(string_view stem) {
  const auto consonant = consonants(stem);
  int m = 0;
  for (std::size_t i = 1; i < stem.size(); ++i)
    m += !consonant[i - 1] && consonant[i];
  return m;
}

// Porter's condition *v*.
bool has_vowel(string_view stem) {
  const auto consonant = consonants(stem);
  return std::find(consonant.begin(), consonant.end(), false) != consonant.end();
}

// Porter's condition *d.
bool ends_doubled(string_view word) {
  return word.size() >= 2 && word.back() == word[word.size() - 2] && consonants(word).back();
}

// Porter's condition *o: the word ends in consonant, vowel, consonant, the last of which is not w,
// x or y. NLTK: or the word is one vowel and one consonant.
bool ends_short(string_view word) {
  const auto consonant = consonants(word);
  const std::size_t n = word.size();
  if (n == 2) return !consonant[0] && consonant[1];
  return n >= 3 && consonant[n - 3] && !consonant[n - 2] && consonant[n - 1] &&
         string_view("wxy").find(word.back()) == string_view::npos;
}

struct Rule {
  string_view suffix;
  string_view replacement;
};

// Tries only the first rule whose suffix the word has. It changes the word if the measure of the
// stem is above `m`.
void apply(std::string& word, std::initializer_list<Rule> rules, int m) {
  for (const Rule& rule : rules) {
    if (!word.ends_with(rule.suffix)) continue;
    const std::size_t stem = word.size() - rule.suffix.size();
    if (measure(string_view(word).substr(0, stem)) > m)
      word.replace(stem, std::string::npos, rule.replacement);
    return;
  }
}

bool remove_suffix(std::string& word, string_view suffix) {
  if (!word.ends_with(suffix)) return false;
  word.resize(word.size() - suffix.size());
  return true;
}

// Step 1a.
void plurals(std::string& word) {
  if (word.ends_with("ies") && word.size() == 4)
    word.pop_back();
  else if (word.ends_with("sses") || word.ends_with("ies"))
    word.resize(word.size() - 2);
  else if (!word.ends_with("ss"))
    remove_suffix(word, "s");
}

// Step 1b.
void past_and_gerund(std::string& word) {
  if (word.ends_with("ied")) return word.resize(word.size() - (word.size() == 4 ? 1 : 2));
  if (word.ends_with("eed")) return apply(word, {{"eed", "ee"}}, 0);
  std::string stem = word;
  const bool removed = remove_suffix(stem, "ed") || remove_suffix(stem, "ing");
  if (!removed || !has_vowel(stem)) return;
  word = stem;
  if (word.ends_with("at") || word.ends_with("bl") || word.ends_with("iz")) {
    word += 'e';
  } else if (ends_doubled(word)) {
    if (string_view("lsz").find(word.back()) == string_view::npos) word.pop_back();
  } else if (measure(word) == 1 && ends_short(word)) {
    word += 'e';
  }
}

// Step 1c.
void final_y(std::string& word) {
  const std::size_t stem = word.size() - 1;
  if (word.ends_with('y') && stem > 1 && consonants(word)[stem - 1]) word.back() = 'i';
}

// Step 2.
void double_suffixes(std::string& word) {
  if (word.ends_with("alli") && measure(string_view(word).substr(0, word.size() - 4)) > 0)
    word.resize(word.size() - 2);
  // The stem includes the l.
  if (word.ends_with("logi") && measure(string_view(word).substr(0, word.size() - 3)) > 0)
    return word.pop_back();
  apply(word, {{"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"},   {"anci", "ance"},
               {"izer", "ize"},    {"bli", "ble"},     {"alli", "al"},     {"entli", "ent"},
               {"eli", "e"},       {"ousli", "ous"},   {"ization", "ize"}, {"ation", "ate"},
               {"ator", "ate"},    {"alism", "al"},    {"iveness", "ive"}, {"fulness", "ful"},
               {"ousness", "ous"}, {"aliti", "al"},    {"iviti", "ive"},   {"biliti", "ble"},
               {"fulli", "ful"}},
        0);
}

// Step 3.
void ical_and_others(std::string& word) {
  // clang-format off
  apply(word, {{"icate", "ic"}, {"ative", ""}, {"alize", "al"}, {"iciti", "ic"}, {"ical", "ic"},
               {"ful", ""}, {"ness", ""}}, 0);
  // clang-format on
}

// Step 4.
void final_ion_and_others(std::string& word) {
  if (word.ends_with("ion")) {
    const string_view stem = string_view(word).substr(0, word.size() - 3);
    if (measure(stem) > 1 && (stem.back() == 's' || stem.back() == 't')) remove_suffix(word, "ion");
    return;
  }
  // clang-format off
  apply(word, {{"al", ""}, {"ance", ""}, {"ence", ""}, {"er", ""}, {"ic", ""}, {"able", ""},
               {"ible", ""}, {"ant", ""}, {"ement", ""}, {"ment", ""}, {"ent", ""}, {"ou", ""},
               {"ism", ""}, {"ate", ""}, {"iti", ""}, {"ous", ""}, {"ive", ""}, {"ize", ""}}, 1);
  // clang-format on
}

// Step 5.
void final_e_and_l(std::string& word) {
  if (word.ends_with('e')) {
    const string_view stem = string_view(word).substr(0, word.size() - 1);
    const int m = measure(stem);
    if (m > 1 || (m == 1 && !ends_short(stem))) word.pop_back();
  }
  if (word.ends_with("ll") && measure(string_view(word).substr(0, word.size() - 1)) > 1)
    word.pop_back();
}

}  // namespace

std::string porter_stem(std::string word) {
  for (const auto& [form, stem] : irregular)
    if (word == form) return std::string(stem);
  if (word.size() <= 2) return word;
  plurals(word);
  past_and_gerund(word);
  final_y(word);
  double_suffixes(word);
  ical_and_others(word);
  final_ion_and_others(word);
  final_e_and_l(word);
  return word;
}

}  // namespace heed
