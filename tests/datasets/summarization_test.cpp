#include "datasets/corpora/internal/summarization.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include <gtest/gtest.h>

#include "datasets/corpora/corpora.h"
#include "datasets/text/tokenizers/words.h"
#include "tests/datasets/news_reader.h"

namespace heed::toy {
namespace {

using std::string;

std::unique_ptr<PairSource> reports(Split split, std::uint64_t seed = 1) {
  return open("summarization", split, seed);
}

// Tokens of the word tokenizer, without joiners.
std::vector<string> tokens(const string& text) {
  static const string joiner = "￭";
  static const Words words{Vocabulary(std::vector<string>{})};
  std::vector<string> pieces = words.tokens(text);
  for (string& piece : pieces)
    if (!std::isalnum(static_cast<unsigned char>(piece[0])))
      for (std::size_t at; (at = piece.find(joiner)) != string::npos;)
        piece.erase(at, joiner.size());
  return pieces;
}

string lower(string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return text;
}

bool ordinary(const string& token) {
  static const auto all = [] {
    const auto words = ordinary_words();
    return std::unordered_set<string>(words.begin(), words.end());
  }();
  return !std::isalnum(static_cast<unsigned char>(token[0])) || all.contains(lower(token));
}

bool is_number(const string& token) {
  return token.find_first_not_of("0123456789") == string::npos;
}
bool is_score(const string& token) {
  return token.size() == 3 && token[1] == '-' && std::isdigit(static_cast<unsigned char>(token[0]));
}
bool is_name(const string& token) {
  return token.size() >= 5 && std::isupper(static_cast<unsigned char>(token[0])) &&
         std::all_of(token.begin() + 1, token.end(), [](char c) { return c >= 'a' && c <= 'z'; });
}

// These reports were read by a person: each headline tells the most important event.
TEST(Summarization, FirstReports) {
  const Pair golden[] = {
      {"On Monday evening, the trawler Mumhanis went down near Nulevik, and 11 people are missing. "
       "Apples cost 378 crowns a "
       "sack at the market of Hesteby on Wednesday. Fledimdon went down 4-1 against the hockey "
       "team of Pumstuta in Minzuley "
       "late on Monday, but Olga Rodmar was sent off. The library of Nulevik will close at 6 in "
       "August. Klolaka Rehosen and "
       "David Ladrirnov have been married for 73 years in Bistamby.",
       "Trawler Mumhanis sinks off Nulevik, 11 missing"},
      {"Lisfledon will belong to its rival Zeltedon of Garlowe from July on. A goat that got lost "
       "in Tabommar walked home to "
       "Viefeaton in 3 weeks. The trawler Fohunmax sank off Sisdastad shortly before 6 on Sunday. "
       "24 people on board the "
       "trawler are still missing. The oldest baker of Maslov, Boris Flurnonov, celebrated on "
       "Sunday. The last tram leaves "
       "Sisdastad at 6 on Tuesday. Farmers around Sisdastad expect 4231 tons of plums in July. The "
       "manager Frida Buljalson "
       "gave the news of the sale. Lisfledon was founded in 1872. The sale will cost 1469 jobs.",
       "Trawler Fohunmax sinks off Sisdastad, 24 missing"},
      {"The museum of Zenkalton will close at 11 in July. It has 1622 visitors a month. The school "
       "of Zelmar has 44 new "
       "pupils. \"We're very happy,\" the teacher Julia Gomgiver said. A new road from Nulzienvik "
       "to Vakasvik will open in "
       "February. Drivers should go through Tamtonstad. Late on Saturday, the people of Semvuley "
       "chose Hugo Sandrik as mayor. "
       "Plums cost 316 crowns a sack at the market of Silverwick on Wednesday. The margin in the "
       "election was 764 votes.",
       "Sandrik elected mayor of Semvuley by 764 votes"},
  };
  const auto corpus = reports(Split::train);
  for (Index i = 0; i < 3; ++i)
    EXPECT_EQ(corpus->at(i), golden[i]);
}

TEST(Summarization, OfAllSplitsIsWellFormed) {
  double words = 0;
  for (const Split split : {Split::train, Split::valid, Split::test}) {
    const auto corpus = reports(split);
    for (Index i = 0; i < 1000; ++i) {
      const auto [source, target] = corpus->at(i);
      const auto length = [](const string& text) {
        return 1 + std::count(text.begin(), text.end(), ' ');
      };
      ASSERT_TRUE(length(source) >= 60 && length(source) <= 150) << source;
      ASSERT_TRUE(length(target) >= 5 && length(target) <= 16) << target;
      for (const string& text : {source, target}) {
        ASSERT_TRUE(text.find("  ") == string::npos &&
                    text.find_first_of("{}|*#%\n") == string::npos)
            << text;
        ASSERT_TRUE(std::isupper(static_cast<unsigned char>(text[0])) ||
                    std::isdigit(static_cast<unsigned char>(text[0])) || text[0] == '"')
            << text;
      }
      ASSERT_TRUE(source.ends_with('.') || source.ends_with(".\"")) << source;
      ASSERT_EQ(std::count(source.begin(), source.end(), '"') % 2, 0) << source;
      const auto sentences = split_sentences(source);
      ASSERT_GE(sentences.size(), 3u) << source;
      words += static_cast<double>(length(source));
    }
  }
  EXPECT_NEAR(words / 3000, 83, 4);
}

// A model that copies needs the names and numbers of the headline as tokens of the report.
TEST(Summarization, HeadlineTokensStandInTheReport) {
  const auto corpus = reports(Split::test, 3);
  double copied = 0;
  const int n = 2000;
  for (Index i = 0; i < n; ++i) {
    const auto [source, target] = corpus->at(i);
    const auto list = tokens(source);
    const std::set<string> there(list.begin(), list.end());
    for (const string& token : list)
      ASSERT_TRUE(ordinary(token) || is_number(token) || is_score(token) || is_name(token))
          << token << "\n"
          << source;
    for (const string& token : tokens(target)) {
      if (ordinary(token)) continue;
      ASSERT_TRUE(there.contains(token)) << token << "\n" << source << "\n" << target;
      ++copied;
    }
  }
  EXPECT_NEAR(copied / n, 2.9, 0.3);
}

TEST(Summarization, ReservedWordsNeverOccurInTraining) {
  for (const std::uint64_t seed : {1u, 2u}) {
    const auto corpus = reports(Split::train, seed);
    for (Index i = 0; i < 10000; ++i)
      for (const auto& pair = corpus->at(i);
           const string& token : tokens(pair.source + " " + pair.target))
        ASSERT_TRUE(ordinary(token) || !reserved(token)) << token;
  }
  EXPECT_FALSE(reserved("2") || reserved("7") || reserved("12") || reserved("19"));
  int numbers = 0;
  for (int n = 20; n < 8020; ++n)
    numbers += reserved(std::to_string(n));
  EXPECT_NEAR(numbers, 1000, 100);
}

TEST(Summarization, HalfOfTheTestHeadlinesHoldAReservedWord) {
  for (const Split split : {Split::valid, Split::test}) {
    const auto corpus = reports(split);
    int held = 0;
    int names = 0;
    const int n = 1000;
    for (Index i = 0; i < n; ++i) {
      const auto list = tokens(corpus->at(i).target);
      const auto kept = [](const string& token) { return !ordinary(token) && reserved(token); };
      held += std::any_of(list.begin(), list.end(), kept);
      names += std::any_of(list.begin(), list.end(),
                           [&](const string& token) { return kept(token) && is_name(token); });
    }
    EXPECT_NEAR(static_cast<double>(held) / n, 0.5, 0.06);
    EXPECT_GT(names, n / 4);
  }
}

TEST(Summarization, WordsAreFewAndCommonAndNamesHardlyRepeat) {
  const auto words = ordinary_words();
  EXPECT_TRUE(std::is_sorted(words.begin(), words.end()));
  EXPECT_GE(words.size(), 400u);
  EXPECT_LE(words.size(), 640u);
  const auto corpus = reports(Split::train, 5);
  std::unordered_map<string, int> common;
  std::unordered_map<string, int> names;
  int all = 0;
  for (Index i = 0; i < 20000; ++i)
    for (const string& token : tokens(corpus->at(i).source + " " + corpus->at(i).target))
      if (ordinary(token))
        ++common[lower(token)];
      else if (is_name(token)) {
        ++names[token];
        ++all;
      }
  for (const string& word : words)
    EXPECT_GE(common[word], 20) << word;
  // A name occurs two or three times in its report and rarely in others.
  EXPECT_GT(static_cast<double>(names.size()), 0.6 * all);
}

// ---- the report determines the headline

// Uses an independent reader, which knows the phrases but not how a report was drawn.
TEST(Summarization, AReaderFindsTheHeadline) {
  std::map<string, int> read;
  for (const Split split : {Split::train, Split::test}) {
    const auto corpus = reports(split, 9);
    for (Index i = 0; i < 1500; ++i) {
      const auto [source, target] = corpus->at(i);
      const Reading reading = read_report(source);
      ++read[reading.topic];
      ASSERT_EQ(reading.headline, target) << source;
    }
  }
  EXPECT_EQ(read.size(), 13u);
  for (const auto& [topic, count] : read)
    EXPECT_GT(count, 20) << topic;
}

TEST(Summarization, NeitherPlaceNorWordDecides) {
  const auto corpus = reports(Split::train, 4);
  std::map<string, int> place;
  int apart = 0;
  int mentioned = 0;
  int two = 0;
  int again = 0;
  const int n = 1500;
  for (Index i = 0; i < n; ++i) {
    const auto [source, target] = corpus->at(i);
    const Reading reading = read_report(source);
    const char* later = 2 * reading.lead < reading.sentences ? "early" : "late";
    ++place[reading.lead == 0 ? "first" : later];
    apart += reading.apart;
    two += reading.events > 1;
    const auto list = tokens(source);
    const auto headline = tokens(target);
    again += std::any_of(headline.begin(), headline.end(), [&](const string& token) {
      return is_name(token) && !ordinary(token) && std::count(list.begin(), list.end(), token) > 1;
    });
    mentioned += reading.topic != "fire" &&
                 (source.find(" fire ") != string::npos || source.find(" flood ") != string::npos);
  }
  EXPECT_NEAR(place["first"], 0.22 * n, 0.08 * n);
  EXPECT_GT(place["early"], 0.25 * n);
  EXPECT_GT(place["late"], 0.25 * n);
  EXPECT_GT(apart, 0.2 * n);       // another event stands between the sentences the headline needs
  EXPECT_GT(two, 0.5 * n);         // several events, of which importance chooses
  EXPECT_GT(again, 0.2 * n);       // a name of the headline stands elsewhere, too
  EXPECT_GT(mentioned, 0.05 * n);  // a fire, but long ago or less than what else happened
}

// F of the longest common subsequence of lower-case words, as in ROUGE-L (Lin 2004).
double overlap(const string& one, const string& other) {
  const auto words = [](const string& text) {
    std::vector<string> all;
    for (string& token : tokens(lower(text)))
      if (std::isalnum(static_cast<unsigned char>(token[0]))) all.push_back(token);
    return all;
  };
  const auto a = words(one);
  const auto b = words(other);
  std::vector<std::size_t> row(b.size() + 1);
  for (const string& word : a)
    for (std::size_t j = 0, diagonal = 0; j < b.size(); ++j) {
      const std::size_t above = row[j + 1];
      row[j + 1] = word == b[j] ? diagonal + 1 : std::max(above, row[j]);
      diagonal = above;
    }
  return 2.0 * static_cast<double>(row.back()) / static_cast<double>(a.size() + b.size());
}

TEST(Summarization, TheFirstSentenceIsAPoorHeadline) {
  const auto corpus = reports(Split::test);
  double sum = 0;
  for (Index i = 0; i < 1000; ++i)
    sum += overlap(split_sentences(corpus->at(i).source).at(0), corpus->at(i).target);
  EXPECT_LT(sum / 1000, 0.2);
  EXPECT_GT(sum / 1000, 0.05);
}

}  // namespace
}  // namespace heed::toy
