#include "tests/datasets/news_reader.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <sstream>

namespace heed::toy {
namespace {

using std::string;
using Words = std::vector<string>;
using Known = std::map<string, string>;
using Patterns = std::vector<const char*>;

/// A headline, and how its last part is told: in the lead, as the whole of the sentence behind it,
/// as the whole of any sentence.
struct Ending {
  const char* headline;
  Patterns in_lead;
  Patterns behind;
  Patterns anywhere;
};
struct Kind {
  string topic;
  int rank;
  Patterns leads;
  std::vector<Ending> endings;
};

// Words in capitals stand for any one word, and for the same wherever they return.
const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all = {
      {"fire",
       0,
       {"a fire broke out in a BUILDING in TOWN", "a fire destroyed a BUILDING in TOWN",
        "flames swept through a BUILDING in TOWN", "in TOWN a BUILDING caught fire",
        "a BUILDING in the old part of TOWN burned down"},
       {{"Fire in TOWN BUILDING hurts N",
         {"hurting N people", "and N people were hurt"},
         {"N people were hurt", "N people are in hospital"},
         {"the fire hurt N people", "N people were hurt in the blaze",
          "after the fire N people were taken to hospital"}},
        {"Fire in TOWN BUILDING leaves N homeless",
         {"leaving N people homeless", "and N people lost their homes"},
         {"N people lost their homes there", "N people are now homeless"},
         {"the fire left N people homeless", "N people lost their homes in the blaze"}},
        {"Fire in TOWN BUILDING costs N crowns",
         {"causing damage of N crowns"},
         {"the damage is put at N crowns", "repairs will cost N crowns"},
         {"the fire caused damage of N crowns", "the damage from the blaze is put at N crowns"}}}},
      {"sinking",
       0,
       {"the VESSEL SHIP sank off TOWN", "the VESSEL SHIP went down near TOWN",
        "sank the VESSEL SHIP near the harbour of TOWN", "the VESSEL SHIP struck a rock off TOWN",
        "off the coast of TOWN waves sank the VESSEL SHIP"},
       {{"VESSEL SHIP sinks off TOWN, N rescued",
         {"but N people were rescued"},
         {"lifeboats rescued N people", "N people were rescued"},
         {"lifeboats rescued N people from the VESSEL",
          "N people on board the VESSEL were rescued"}},
        {"VESSEL SHIP sinks off TOWN, N missing",
         {"and N people are missing"},
         {"N people are missing", "divers are looking for N people"},
         {"after the sinking N people are missing",
          "N people on board the VESSEL are still missing"}}}},
      {"crash",
       0,
       {"a train left the rails near TOWN", "two trains collided near TOWN",
        "hit a lorry near TOWN", "near TOWN a train ran off the line"},
       {{"Train crash near TOWN hurts N",
         {"hurting N people", "and N people were hurt"},
         {"N people were hurt", "N people are in hospital"},
         {"the crash hurt N people", "N people were hurt on the train",
          "after the crash N people were taken to hospital"}},
        {"Train crash near TOWN stops traffic for N hours",
         {"stopping all traffic for N hours"},
         {"the line was closed for N hours"},
         {"the crash closed the line for N hours",
          "traffic was stopped for N hours by the crash"}}}},
      {"flood",
       0,
       {"the river RIVER burst its banks in TOWN", "the river RIVER flooded parts of TOWN",
        "the river RIVER into the streets of TOWN", "in TOWN the river RIVER rose over its banks"},
       {{"River RIVER floods TOWN, damages N houses",
         {"damaging N houses"},
         {"N houses were damaged", "water stands in N houses there"},
         {"the flood damaged N houses", "N houses were damaged by the water of the RIVER"}},
        {"River RIVER floods TOWN, N families flee",
         {"and N families had to flee"},
         {"N families had to flee", "N families left their homes"},
         {"N families had to flee from the flood",
          "the flood drove N families from their homes"}}}},
      {"robbery",
       1,
       {"thieves broke into a SHOP in TOWN", "masked men robbed a SHOP in TOWN",
        "a SHOP in TOWN was robbed", "in TOWN thieves entered a SHOP"},
       {{"Thieves take N LOOT from TOWN SHOP",
         {"and N LOOT were stolen", "and N LOOT are gone"},
         {"they took N LOOT", "N LOOT are gone"},
         {"the thieves took N LOOT", "N LOOT were stolen in the robbery"}},
        {"Police arrest N after robbery of TOWN SHOP",
         {"but police arrested N men"},
         {"police arrested N men"},
         {"police arrested N men after the robbery", "N men were arrested for the robbery"}},
        {"Reward of N crowns after robbery of TOWN SHOP",
         {"and the owner offers a reward of N crowns"},
         {"the owner offers a reward of N crowns"},
         {"there is a reward of N crowns for finding the thieves",
          "the owner offers N crowns for help with the robbery"}}}},
      {"find",
       1,
       {"officers found COUNT stolen GOODS in TOWN", "police in TOWN found COUNT stolen GOODS",
        "COUNT stolen GOODS were found in a lorry in TOWN",
        "in TOWN a dog led police to COUNT stolen GOODS"},
       {{"Police find COUNT stolen GOODS in TOWN, arrest LAST2",
         {"and FIRST2 LAST2 was arrested"},
         {"FIRST2 LAST2 was arrested"},
         {"FIRST2 LAST2 was arrested over the stolen GOODS",
          "police arrested FIRST2 LAST2 who had hidden the GOODS"}},
        {"Police find COUNT stolen GOODS in TOWN worth N crowns",
         {"worth N crowns"},
         {"they are worth N crowns"},
         {"the stolen GOODS are worth N crowns", "an expert says the GOODS are worth N crowns"}}}},
      {"strike",
       2,
       {"the WORKERS of TOWN went on strike", "the WORKERS in TOWN stopped work",
        "WORKERS in TOWN walked out", "a strike by WORKERS began in TOWN",
        "in TOWN WORKERS put down their tools"},
       {{"WORKERS in TOWN strike for N crowns more",
         {"asking for N crowns more a month"},
         {"they want N crowns more a month"},
         {"the strikers want N crowns more a month",
          "the union of WORKERS is asking for N crowns more a month"}},
        {"Strike by WORKERS in TOWN to last until DAY",
         {"and they will not work before DAY"},
         {"they will stay at home until DAY"},
         {"the strike will last until DAY", "the union says the strike will end on DAY"}},
        {"N WORKERS on strike in TOWN",
         {"and N joined in"},
         {"there are N of them"},
         {"the union counts N strikers", "N WORKERS have joined the strike"}}}},
      {"election",
       3,
       {"FIRST2 LAST2 was elected mayor of TOWN", "the people of TOWN chose FIRST2 LAST2 as mayor",
        "FIRST2 LAST2 won the election for mayor in TOWN",
        "in TOWN the voters made FIRST2 LAST2 mayor"},
       {{"LAST2 elected mayor of TOWN by N votes",
         {"by N votes"},
         {"the margin was N votes"},
         {"the margin in the election was N votes", "the new mayor won by N votes"}},
        {"LAST2 beats LAST3 in TOWN election",
         {"against FIRST3 LAST3"},
         {"the loser is FIRST3 LAST3"},
         {"FIRST3 LAST3 lost the election", "the new mayor beat FIRST3 LAST3"}},
        {"LAST2 elected mayor of TOWN, promises N homes",
         {"after a promise to build N homes"},
         {"LAST2 promised to build N homes"},
         {"the new mayor promised to build N homes",
          "N homes are what the new mayor promised to build"}}}},
      {"sale",
       4,
       {"FIRM of TOWN will buy its rival FIRM2", "FIRM2 will be sold to FIRM of TOWN",
        "FIRM of TOWN has agreed to buy the PRODUCT maker FIRM2",
        "FIRM2 will belong to its rival FIRM of TOWN"},
       {{"FIRM of TOWN buys FIRM2 for N million crowns",
         {"for N million crowns"},
         {"the price is N million crowns"},
         {"the price in the sale is N million crowns", "N million crowns will be paid for FIRM2"}},
        {"FIRM of TOWN buys FIRM2, N jobs to go",
         {"and N jobs will go"},
         {"N jobs will go"},
         {"the sale will cost N jobs", "N people at FIRM2 will lose their jobs"}}}},
      {"plan",
       4,
       {"FIRM will close its PRODUCT factory in TOWN",
        "in MONTH FIRM will shut the PRODUCT factory it has in TOWN",
        "the PRODUCT factory of FIRM in TOWN will close",
        "FIRM has decided to give up its PRODUCT factory in TOWN"},
       {{"FIRM to close TOWN PRODUCT factory, N jobs to go",
         {"and N jobs will go"},
         {"N jobs will go"},
         {"the end of the factory will cost N jobs",
          "N people at the factory will lose their jobs"}},
        {"FIRM to move PRODUCT factory from TOWN to TOWN3",
         {"and move the work to TOWN3"},
         {"the work will move to TOWN3"},
         {"FIRM will build a new factory in TOWN3",
          "the work of the factory will move to TOWN3"}}}},
      {"match",
       5,
       {"CLUB beat CLUB2 SCORE at SPORT", "CLUB2 lost SCORE to CLUB at SPORT",
        "cup CLUB won SCORE against CLUB2", "CLUB2 went down SCORE against the SPORT team of CLUB"},
       {{"CLUB beat CLUB2 SCORE, LAST2 scores N",
         {"with N goals by FIRST2 LAST2"},
         {"FIRST2 LAST2 scored N goals"},
         {"FIRST2 LAST2 scored N goals in the match",
          "N goals of the match were scored by FIRST2 LAST2"}},
        {"N people see CLUB beat CLUB2 SCORE",
         {"and N people watched"},
         {"N people watched"},
         {"N people watched the match", "the match was seen by N people"}},
        {"CLUB beat CLUB2 SCORE, lose LAST2",
         {"but FIRST2 LAST2 was sent off"},
         {"FIRST2 LAST2 was sent off"},
         {"FIRST2 LAST2 was sent off in the match",
          "the referee of the match sent off FIRST2 LAST2"}}}},
      {"race",
       5,
       {"FIRST2 LAST2 won the RACE race in TOWN",
        "FIRST2 LAST2 came first in the RACE race in TOWN",
        "the RACE race in TOWN was won by FIRST2 LAST2",
        "in TOWN FIRST2 LAST2 was the fastest in the RACE race"},
       {{"LAST2 wins RACE race in TOWN in N minutes",
         {"in N minutes"},
         {"the time was N minutes"},
         {"the winner of the race needed N minutes", "the race was over in N minutes"}},
        {"LAST2 beats LAST3 in TOWN RACE race",
         {"ahead of FIRST3 LAST3"},
         {"FIRST3 LAST3 came second"},
         {"FIRST3 LAST3 was second in the race", "second in the race was FIRST3 LAST3"}}}},
      {"prize",
       6,
       {"the ARTIST FIRST2 LAST2 won the PRIZE prize in TOWN",
        "the PRIZE prize went to the ARTIST FIRST2 LAST2 in TOWN",
        "the PRIZE prize was given to the ARTIST FIRST2 LAST2 in TOWN",
        "in TOWN FIRST2 LAST2 a ARTIST received the PRIZE prize"},
       {{"ARTIST LAST2 wins PRIZE Prize of N crowns",
         {"worth N crowns"},
         {"it is worth N crowns"},
         {"the prize is worth N crowns", "with the prize come N crowns"}},
        {"ARTIST LAST2, N, wins PRIZE Prize in TOWN",
         {"at the age of N"},
         {"LAST2 is N years old"},
         {"the winner of the prize is N years old", "the prize winner is N"}}}},
  };
  return all;
}

Words split(const string& text) {
  Words words(1);
  for (const char c : text)
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '\'')
      words.back() += c;
    else if (!words.back().empty())
      words.emplace_back();
  if (words.back().empty()) words.pop_back();
  return words;
}

string lower(string word) {
  for (char& c : word)
    c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return word;
}

bool variable(const string& word) {
  return std::all_of(word.begin(), word.end(),
                     [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); });
}

bool match_at(const Words& words, std::size_t at, const Words& pattern, Known& known) {
  Known found = known;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (!variable(pattern[i])) {
      if (lower(words[at + i]) != pattern[i]) return false;
      continue;
    }
    if (pattern[i][0] == 'N' && !std::isdigit(static_cast<unsigned char>(words[at + i][0])))
      return false;
    const bool noun = pattern[i] == "WORKERS";  // which may begin a sentence, and is no name
    const auto [row, fresh] =
        found.emplace(pattern[i], noun ? lower(words[at + i]) : words[at + i]);
    if (!fresh && lower(row->second) != lower(words[at + i])) return false;
  }
  known = std::move(found);
  return true;
}

bool holds(const string& sentence, const Patterns& patterns, Known& known) {
  const Words words = split(sentence);
  for (const char* text : patterns) {
    const Words pattern = split(text);
    for (std::size_t at = 0; at + pattern.size() <= words.size(); ++at)
      if (match_at(words, at, pattern, known)) return true;
  }
  return false;
}

bool is(const string& sentence, const Patterns& patterns, Known& known) {
  const Words words = split(sentence);
  return std::any_of(patterns.begin(), patterns.end(), [&](const char* text) {
    const Words pattern = split(text);
    return pattern.size() == words.size() && match_at(words, 0, pattern, known);
  });
}

string fill(const string& headline, const Known& known) {
  string text;
  string word;
  for (const char c : headline + '\n') {
    if (std::isalnum(static_cast<unsigned char>(c))) {
      word += c;
      continue;
    }
    const auto value = known.find(word);
    text += value == known.end() ? word : value->second;
    if (c != '\n') text += c;
    word.clear();
  }
  return text;
}

}  // namespace

std::vector<string> split_sentences(const string& text) {
  std::vector<string> sentences;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = std::min(text.find(". ", begin), text.find(".\" ", begin));
    end = end == string::npos ? text.size() : text.find(' ', end);
    sentences.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return sentences;
}

Reading read_report(const string& report) {
  const std::vector<string> sentences = split_sentences(report);
  Reading reading;
  reading.sentences = sentences.size();
  const Kind* kind = nullptr;
  Known known;
  for (std::size_t i = 0; i < sentences.size(); ++i)
    for (const Kind& candidate : kinds()) {
      Known found;
      if (!holds(sentences[i], candidate.leads, found)) continue;
      ++reading.events;
      if (!kind || candidate.rank < kind->rank) {
        kind = &candidate;
        known = found;
        reading.lead = i;
      }
    }
  if (!kind) return reading;
  reading.topic = kind->topic;
  std::vector<std::size_t> needed = {reading.lead};
  // Where `in_lead`, `behind` or `anywhere` is told; none: sentences.size()
  const auto find = [&](const auto& in_lead, const auto& behind, const auto& anywhere) {
    if (in_lead(sentences[reading.lead])) return reading.lead;
    if (reading.lead + 1 < sentences.size() && behind(sentences[reading.lead + 1]))
      return reading.lead + 1;
    std::size_t i = reading.lead;
    while (i < sentences.size() && !anywhere(sentences[i]))
      ++i;
    return i;
  };
  const Ending* ending = nullptr;
  for (const Ending& candidate : kind->endings) {
    const std::size_t at = find([&](const string& s) { return holds(s, candidate.in_lead, known); },
                                [&](const string& s) { return is(s, candidate.behind, known); },
                                [&](const string& s) { return is(s, candidate.anywhere, known); });
    if (at == sentences.size()) continue;
    if (ending) return reading;  // two endings: no headline
    ending = &candidate;
    needed.push_back(at);
  }
  if (!ending) return reading;
  reading.headline = fill(ending->headline, known);
  reading.headline[0] =
      static_cast<char>(std::toupper(static_cast<unsigned char>(reading.headline[0])));
  const string of = " of the " + kind->topic;

  const string about = "asked about the " + kind->topic + " the ROLE FIRST LAST said";
  const string spoke = "the ROLE FIRST LAST said" + of;

  const string gave = "the ROLE FIRST LAST gave the news" + of;
  const auto any = [&](Patterns patterns) {
    return [&, patterns](const string& s) { return holds(s, patterns, known); };
  };
  const std::size_t said =
      find(any({"the ROLE FIRST LAST said", "according to the ROLE FIRST LAST"}),
           any({"said the ROLE FIRST LAST", "the ROLE FIRST LAST told reporters the news"}),
           any({spoke.c_str(), about.c_str(), gave.c_str()}));
  if (said < sentences.size()) {
    reading.headline += fill(", ROLE LAST says", known);
    needed.push_back(said);
  }
  std::sort(needed.begin(), needed.end());
  for (std::size_t i = 1; i < needed.size(); ++i)
    for (std::size_t between = needed[i - 1] + 1; between < needed[i]; ++between) {
      const string text = lower(sentences[between]);  // "more" about the same event is no other
      reading.apart |= text.find(kind->topic) == string::npos;
    }
  return reading;
}

}  // namespace heed::toy
