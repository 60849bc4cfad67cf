#include "datasets/corpora/corpora.h"

#include <algorithm>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <unordered_map>

#include <gtest/gtest.h>

#include "datasets/corpora/internal/dates.h"
#include "datasets/corpora/internal/morphology.h"
#include "framework/error.h"
#include "tests/message_of.h"

namespace heed::toy {
namespace {

using std::string;

std::vector<string> split_words(const string& text) {
  std::istringstream stream(text);
  std::vector<string> words;
  for (string word; stream >> word;)
    words.push_back(word);
  return words;
}

// The words of a text: runs of letters and digits.
std::vector<string> forms(const string& text) {
  std::vector<string> words(1);
  for (const char c : text) {
    const bool inside = std::isalnum(static_cast<unsigned char>(c)) || (c & 0x80);
    if (inside)
      words.back() += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (!words.back().empty())
      words.emplace_back();
  }
  if (words.back().empty()) words.pop_back();
  return words;
}

class EveryCorpus : public testing::TestWithParam<string> {};
INSTANTIATE_TEST_SUITE_P(Toy, EveryCorpus, testing::ValuesIn(names()));

TEST_P(EveryCorpus, IsAFunctionOfItsArguments) {
  const auto one = open(GetParam(), Split::train, 7);
  const auto same = open(GetParam(), Split::train, 7);
  const auto other = open(GetParam(), Split::train, 8);
  EXPECT_EQ(one->size(), -1);
  EXPECT_EQ(one->name(), "toy:" + GetParam());
  int different = 0;
  for (const Index i : {Index{0}, Index{5}, Index{1'000'000'000'000}}) {
    EXPECT_EQ(one->at(i), same->at(i));
    EXPECT_EQ(one->at(i), one->at(i));
    different += !(one->at(i) == other->at(i));
  }
  EXPECT_GE(different, 2);
}

TEST_P(EveryCorpus, SplitsShareNoSource) {
  std::map<string, Split> seen;
  for (const Split split : {Split::train, Split::valid, Split::test}) {
    const auto corpus = open(GetParam(), split, split == Split::test ? 2 : 1);
    for (Index i = 0; i < 7000; ++i) {
      const auto [row, fresh] = seen.emplace(corpus->at(i).source, split);
      ASSERT_TRUE(fresh || row->second == split) << row->first;
    }
  }
}

TEST(Toy, UnknownNamesListTheKnown) {
  EXPECT_EQ(message_of([] { open("translations", Split::train, 1); }),
            fmt::format("unknown corpus 'toy:translations': expected toy:{}; did you mean "
                        "translation?",
                        fmt::join(names(), ", toy:")));
}

TEST(Corpora, HaveARowEach) {
  std::set<string> helps;
  const std::set<string> labelled = {"reviews", "babi1", "babi2", "shapes"};
  for (const char* name : {"translation", "summarization", "dates", "reverse", "copy", "sort",
                           "reviews", "babi1", "babi2", "shapes"}) {
    const CorpusKind& row = corpora().at(name);
    EXPECT_EQ(row.unseen_words, row.name == "summarization");
    EXPECT_EQ(row.labelled, labelled.contains(row.name));
    EXPECT_EQ(row.pictures, row.name == "shapes");
    EXPECT_TRUE(!row.help.empty() && helps.insert(row.help).second) << name;
    EXPECT_EQ(row.open(Split::valid, 3)->at(5), open(name, Split::valid, 3)->at(5));
  }
}

/// What a test adds: one pair, which holds what it was opened with.
std::unique_ptr<PairSource> echo(Split split, std::uint64_t seed) {
  const char* const name = split == Split::train ? "train" : "held out";
  return std::make_unique<MemoryPairs>(std::vector<Pair>{{name, std::to_string(seed)}}, "toy:echo");
}

TEST(Corpora, TakeOneOfAProgram) {
  const std::vector<string> data = {"toy:echo"};
  if (!corpora().find("echo")) {  // the first time, where tests are repeated
    EXPECT_THROW(open_pairs(data, {}, Split::train, 1), Error);
    corpora().add({.name = "echo", .help = "what it was opened with", .open = echo});
  }
  EXPECT_EQ(names().back(), "echo");
  const auto train = open_pairs(data, {}, Split::train, 7);
  EXPECT_EQ(train->name(), "toy:echo");
  EXPECT_EQ(train->size(), 1);
  EXPECT_EQ(train->at(0), (Pair{"train", "7"}));
  EXPECT_EQ(open_pairs(data, {}, Split::test, 8)->at(0), (Pair{"held out", "8"}));
  EXPECT_EQ(message_of([&] {
              open_pairs(data, {"1", "2"}, Split::train, 1);
            }),
            "fields belong to a .tsv or a .jsonl; got 'toy:echo'");
}

TEST(Toy, LettersAreCopiedReversedAndSorted) {
  const auto copy = open("copy", Split::train, 3);
  const auto reverse = open("reverse", Split::valid, 3);
  const auto sort = open("sort", Split::test, 3);
  for (Index i = 0; i < 2000; ++i) {
    const Pair a = copy->at(i);
    const Pair b = reverse->at(i);
    const Pair c = sort->at(i);
    EXPECT_EQ(a.source, a.target);
    auto backward = split_words(b.source);
    auto sorted = split_words(c.source);
    EXPECT_GE(sorted.size(), 4u);
    EXPECT_LE(sorted.size(), 16u);
    std::reverse(backward.begin(), backward.end());
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(backward, split_words(b.target));
    EXPECT_EQ(sorted, split_words(c.target));
  }
}

// Reads a date without knowing how it was written: the four-digit run is the year, a month is a
// name or, between dots or dashes, the middle number, and the other number is the day.
string read_date(string text) {
  static const std::regex apart("([0-9]) (?=[0-9])");
  text = std::regex_replace(text, apart, "$1");
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  static const std::map<string, int> months = {{"jan", 1}, {"feb", 2},  {"mar", 3},  {"apr", 4},
                                               {"may", 5}, {"jun", 6},  {"jul", 7},  {"aug", 8},
                                               {"sep", 9}, {"oct", 10}, {"nov", 11}, {"dec", 12}};
  int year = 0;
  int month = 0;
  int day = 0;
  std::vector<int> numbers;
  for (const string& word : split_words(text)) {
    const bool weekday = word.ends_with("day");
    if (std::isdigit(static_cast<unsigned char>(word[0]))) {
      if (word.size() == 4)
        year = std::stoi(word);
      else
        numbers.push_back(std::stoi(word));
    } else if (!weekday && word.size() >= 3 && months.contains(word.substr(0, 3))) {
      month = months.at(word.substr(0, 3));
    }
  }
  if (month)
    day = numbers.at(0);
  else if (text.find('.') != string::npos) {
    day = numbers.at(0);
    month = numbers.at(1);
  } else {
    month = numbers.at(0);
    day = numbers.at(1);
  }
  string target;
  char digits[16];
  std::snprintf(digits, sizeof digits, "%04u-%02u-%02u", static_cast<unsigned>(year) % 10000,
                static_cast<unsigned>(month) % 100, static_cast<unsigned>(day) % 100);
  for (const char* c = digits; *c; ++c)
    (target += target.empty() ? "" : " ") += *c;
  return target;
}

TEST(Toy, DatesReadBack) {
  const auto dates = open("dates", Split::train, 1);
  std::set<string> years;
  for (Index i = 0; i < 5000; ++i) {
    const Pair pair = dates->at(i);
    EXPECT_EQ(read_date(pair.source), pair.target) << pair.source;
    years.insert(pair.target.substr(0, 7));
  }
  EXPECT_EQ(years.size(), 200u);
}

TEST(Toy, WeekdaysOfKnownDays) {
  struct Row {
    int year;
    int month;
    int day;
    int expected;
  };
  for (const Row& row : {Row{1985, 3, 5, 1},
                         {1900, 1, 1, 0},
                         {2000, 2, 29, 1},
                         {2024, 12, 25, 2},
                         {2099, 12, 31, 3}})
    EXPECT_EQ(day_of_week(row.year, row.month, row.day), row.expected) << row.year;
  EXPECT_EQ(days_in_month(1900, 2), 28);
  EXPECT_EQ(days_in_month(2000, 2), 29);
}

// ---- French

TEST(French, ElisionAndContraction) {
  struct Row {
    std::vector<Word> words;
    string expected;
  };
  const Word le{"le", true};
  const Word la{"la", true};
  const Word les{"les", true};
  const Row rows[] = {
      {{le, {"homme"}}, "l'homme"},
      {{la, {"école"}}, "l'école"},
      {{le, {"héros"}}, "le héros"},
      {{la, {"harpe"}}, "la harpe"},
      {{{"je"}, {"aime"}}, "j'aime"},
      {{{"ne"}, {"aime"}, {"pas"}}, "n'aime pas"},
      {{{"de"}, {"eau"}}, "d'eau"},
      {{{"parce"}, {"que"}, {"il"}}, "parce qu'il"},
      {{{"il"}, {"ne"}, {"y"}, {"a"}}, "il n'y a"},
      {{{"elle"}, {"la"}, {"a"}, {"vue"}}, "elle l'a vue"},
      {{{"elle"}, {"le"}, {"voit"}}, "elle le voit"},
      {{{"de"}, le, {"voisin"}}, "du voisin"},
      {{{"de"}, le, {"ami"}}, "de l'ami"},
      {{{"de"}, le, {"hibou"}}, "du hibou"},
      {{{"de"}, les, {"amis"}}, "des amis"},
      {{{"de"}, la, {"reine"}}, "de la reine"},
      {{{"à"}, le, {"marché"}}, "au marché"},
      {{{"à"}, le, {"hôtel"}}, "à l'hôtel"},
      {{{"à"}, les, {"enfants"}}, "aux enfants"},
      {{{"veut"}, {"le"}, {"voir"}, {"."}}, "veut le voir."},
      {{{"de"}, {"onze"}, {"rois"}, {"?"}}, "de onze rois?"},
  };
  for (const Row& row : rows)
    EXPECT_EQ(join_french(row.words), row.expected);
}

TEST(French, AgreementAndPlurals) {
  struct Row {
    const char* masculine;
    const char* feminine;
    std::array<string, 4> expected;
  };
  const Row rows[] = {
      {"rouge", "", {"rouge", "rouges", "rouge", "rouges"}},
      {"vert", "", {"vert", "verts", "verte", "vertes"}},
      {"heureux", "", {"heureux", "heureux", "heureuse", "heureuses"}},
      {"italien", "", {"italien", "italiens", "italienne", "italiennes"}},
      {"loyal", "", {"loyal", "loyaux", "loyale", "loyales"}},
      {"gris", "", {"gris", "gris", "grise", "grises"}},
      {"bleu", "", {"bleu", "bleus", "bleue", "bleues"}},
      {"fatigué", "", {"fatigué", "fatigués", "fatiguée", "fatiguées"}},
      {"beau", "belle", {"beau", "beaux", "belle", "belles"}},
      {"frais", "fraîche", {"frais", "frais", "fraîche", "fraîches"}},
  };
  for (const Row& row : rows)
    EXPECT_EQ(agree(row.masculine, row.feminine).forms, row.expected);
  const std::pair<const char*, const char*> plurals[] = {
      {"maison", "maisons"}, {"bijou", "bijoux"},     {"hibou", "hiboux"},
      {"voleur", "voleurs"}, {"journal", "journaux"}, {"gâteau", "gâteaux"},
      {"souris", "souris"},  {"hôpital", "hôpitaux"}};
  for (const auto& [one, many] : plurals)
    EXPECT_EQ(plural_french(one), many);
}

TEST(French, Conjugations) {
  struct Row {
    const char* infinitive;
    const char* je;
    const char* il;
    const char* nous;
    const char* ils;
    const char* imparfait;
    const char* futur;
    const char* participle;
  };
  const Row rows[] = {
      {"chanter", "chante", "chante", "chantons", "chantent", "chantait", "chantera", "chanté"},
      {"manger", "mange", "mange", "mangeons", "mangent", "mangeait", "mangera", "mangé"},
      {"commencer", "commence", "commence", "commençons", "commencent", "commençait", "commencera",
       "commencé"},
      {"acheter", "achète", "achète", "achetons", "achètent", "achetait", "achètera", "acheté"},
      {"nettoyer", "nettoie", "nettoie", "nettoyons", "nettoient", "nettoyait", "nettoiera",
       "nettoyé"},
      {"choisir", "choisis", "choisit", "choisissons", "choisissent", "choisissait", "choisira",
       "choisi"},
      {"vendre", "vends", "vend", "vendons", "vendent", "vendait", "vendra", "vendu"},
      {"être", "suis", "est", "sommes", "sont", "était", "sera", "été"},
      {"avoir", "ai", "a", "avons", "ont", "avait", "aura", "eu"},
      {"aller", "vais", "va", "allons", "vont", "allait", "ira", "allé"},
      {"voir", "vois", "voit", "voyons", "voient", "voyait", "verra", "vu"},
      {"boire", "bois", "boit", "buvons", "boivent", "buvait", "boira", "bu"},
      {"peindre", "peins", "peint", "peignons", "peignent", "peignait", "peindra", "peint"},
      {"envoyer", "envoie", "envoie", "envoyons", "envoient", "envoyait", "enverra", "envoyé"},
      {"pouvoir", "peux", "peut", "pouvons", "peuvent", "pouvait", "pourra", "pu"},
  };
  for (const Row& row : rows) {
    const Conjugation verb = conjugate(row.infinitive);
    EXPECT_EQ(verb.present[0], row.je);
    EXPECT_EQ(verb.present[2], row.il);
    EXPECT_EQ(verb.present[3], row.nous);
    EXPECT_EQ(verb.present[5], row.ils);
    EXPECT_EQ(verb.imparfait[2], row.imparfait);
    EXPECT_EQ(verb.futur[2], row.futur);
    EXPECT_EQ(verb.participle.of(Gender::masculine, false), row.participle);
  }
  EXPECT_EQ(conjugate("manger").imparfait[3], "mangions");
  EXPECT_THROW(conjugate("maison"), Error);
}

TEST(French, Numbers) {
  const std::pair<int, const char*> rows[] = {{1, "un"},
                                              {7, "sept"},
                                              {16, "seize"},
                                              {17, "dix-sept"},
                                              {20, "vingt"},
                                              {21, "vingt et un"},
                                              {22, "vingt-deux"},
                                              {60, "soixante"},
                                              {61, "soixante et un"},
                                              {70, "soixante-dix"},
                                              {71, "soixante et onze"},
                                              {77, "soixante-dix-sept"},
                                              {80, "quatre-vingts"},
                                              {81, "quatre-vingt-un"},
                                              {90, "quatre-vingt-dix"},
                                              {91, "quatre-vingt-onze"},
                                              {95, "quatre-vingt-quinze"},
                                              {99, "quatre-vingt-dix-neuf"},
                                              {100, "cent"}};
  for (const auto& [n, expected] : rows)
    EXPECT_EQ(number_french(n), expected);
  EXPECT_EQ(number_french(31, Gender::feminine), "trente et une");
  EXPECT_EQ(number_english(42), "forty-two");
  EXPECT_THROW(number_french(0), Error);
  std::set<string> different;
  for (int n = 1; n <= 100; ++n)
    different.insert(number_french(n));
  EXPECT_EQ(different.size(), 100u);
}

// ---- sentences

// Patterns of English sentences, and the patterns that their French must have.
TEST(Translation, ConstructionsCorrespond) {
  struct Row {
    const char* english;
    const char* french;
    int found = 0;
  };
  Row rows[] = {
      {"^(He|She) (does not|did not) [a-z]+ ", "(ne |n').* pas[ .]"},
      {"^(He|She) never ", "(ne |n').* jamais"},
      {"^(He|She) no longer ", "(ne |n').* plus"},
      {"^Nobody ", "^Personne (ne |n')"},
      {"^(He|She|They) [a-z]+ nothing", "(ne |n').*rien"},
      {"^No [a-z]+ ", "^Aucune? .*(ne |n')"},
      {"^There were no ", "^Il n'y avait pas (de |d')"},
      {"^(Do|Does|Did) (?!not )", "^Est-ce qu(e |')"},
      {"^What (do|does|did|will) ", "^Qu'est-ce qu(e |')"},
      {"^Whom ", "^Qui est-ce qu(e |')"},
      {"^How many ", "^Combien (de |d').* est-ce qu(e |')"},
      {"^(The|This|My) .* is [a-z]+-one years old\\.$", " a .*(et un|et onze|-un|-onze) ans\\.$"},
      {"^She has ", "^Elle a "},
      {"^(The|This|My|Our) (queen|princess|nurse|aunt|sister) (went|arrived|left) ",
       "est (allée|arrivée|partie)"},
      {"^She saw them", "^Elle les a vus"},
      {"^She [a-z]+s him ", "^Elle (le |l'|lui )"},
      {"^What (a|an) [a-z]+ house ", "^Quelle [^ ]+ maison "},
      {"half past [a-z]+\\.$", "heures? et demie\\.$"},
      {"on the first of May", "le premier mai"},
      {"the king's (house|tower|farm)", "(maison|tour|ferme) du roi"},
  };
  std::vector<std::pair<std::regex, std::regex>> patterns;
  for (const Row& row : rows)
    patterns.emplace_back(row.english, row.french);
  const auto corpus = open("translation", Split::train, 11);
  for (Index i = 0; i < 60000; ++i) {
    const Pair pair = corpus->at(i);
    for (std::size_t r = 0; r < std::size(rows); ++r) {
      if (!std::regex_search(pair.source, patterns[r].first)) continue;
      ++rows[r].found;
      EXPECT_TRUE(std::regex_search(pair.target, patterns[r].second)) << pair.source << "\n"
                                                                      << pair.target;
    }
  }
  for (const Row& row : rows)
    EXPECT_GT(row.found, 0) << row.english;
}

TEST(Translation, IsAFunctionOfTheSource) {
  std::unordered_map<string, string> seen;
  const auto corpus = open("translation", Split::train, 5);
  double words = 0;
  const int n = 50000;
  for (Index i = 0; i < n; ++i) {
    const Pair pair = corpus->at(i);
    const auto [row, fresh] = seen.emplace(pair.source, pair.target);
    EXPECT_EQ(row->second, pair.target) << pair.source;
    const auto length = split_words(pair.source).size();
    EXPECT_GE(length, 3u);
    EXPECT_LE(length, 30u);
    words += static_cast<double>(length);
  }
  EXPECT_GT(seen.size(), 0.95 * n);
  EXPECT_NEAR(words / n, 11.5, 1.0);
}

TEST(Translation, EveryWordIsCommonEnoughToLearn) {
  std::unordered_map<string, int> source;
  std::unordered_map<string, int> target;
  const auto train = open("translation", Split::train, 1);
  const auto test = open("translation", Split::test, 1);
  for (Index i = 0; i < 200000; ++i) {
    const Pair pair = train->at(i);
    for (const string& word : forms(pair.source))
      ++source[word];
    for (const string& word : forms(pair.target))
      ++target[word];
  }
  EXPECT_GE(source.size(), 500u);
  EXPECT_LE(source.size(), 720u);
  EXPECT_LE(target.size(), 1200u);
  for (Index i = 0; i < 1000; ++i) {
    const Pair pair = test->at(i);
    for (const string& word : forms(pair.source))
      EXPECT_GE(source[word], 20) << word;
    for (const string& word : forms(pair.target))
      EXPECT_GE(target[word], 20) << word;
  }
}

}  // namespace
}  // namespace heed::toy
