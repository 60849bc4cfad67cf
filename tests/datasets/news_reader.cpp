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

// A result of an event: its headline, and how it is told: in the lead, as the whole of the next
// sentence, or as the whole of any other sentence.
struct Outcome {
  const char* headline;
  Patterns in_lead;
  Patterns near;
  Patterns far;
};
struct Event {
  string topic;
  int rank;
  Patterns leads;
  std::vector<Outcome> outcomes;
};

// In a pattern, a word in capitals stands for any word, and always for the same one. N is a number.
// clang-format off

const Event fire_event = {
    .topic = "fire",
    .rank = 0,
    .leads = {
        "a fire broke out in a BUILDING in TOWN",
        "a fire destroyed a BUILDING in TOWN",
        "flames swept through a BUILDING in TOWN",
        "in TOWN a BUILDING caught fire",
        "a BUILDING in the old part of TOWN burned down",
    },
    .outcomes = {
        {
            .headline = "Fire in TOWN BUILDING hurts N",
            .in_lead = {"hurting N people", "and N people were hurt"},
            .near = {"N people were hurt", "N people are in hospital"},
            .far = {
                "the fire hurt N people",
                "N people were hurt in the blaze",
                "after the fire N people were taken to hospital",
            },
        },
        {
            .headline = "Fire in TOWN BUILDING leaves N homeless",
            .in_lead = {"leaving N people homeless", "and N people lost their homes"},
            .near = {"N people lost their homes there", "N people are now homeless"},
            .far = {"the fire left N people homeless", "N people lost their homes in the blaze"},
        },
        {
            .headline = "Fire in TOWN BUILDING costs N crowns",
            .in_lead = {"causing damage of N crowns"},
            .near = {"the damage is put at N crowns", "repairs will cost N crowns"},
            .far = {
                "the fire caused damage of N crowns",
                "the damage from the blaze is put at N crowns",
            },
        },
    },
};

const Event sinking_event = {
    .topic = "sinking",
    .rank = 0,
    .leads = {
        "the VESSEL SHIP sank off TOWN",
        "the VESSEL SHIP went down near TOWN",
        "sank the VESSEL SHIP near the harbour of TOWN",
        "the VESSEL SHIP struck a rock off TOWN",
        "off the coast of TOWN waves sank the VESSEL SHIP",
    },
    .outcomes = {
        {
            .headline = "VESSEL SHIP sinks off TOWN, N rescued",
            .in_lead = {"but N people were rescued"},
            .near = {"lifeboats rescued N people", "N people were rescued"},
            .far = {
                "lifeboats rescued N people from the VESSEL",
                "N people on board the VESSEL were rescued",
            },
        },
        {
            .headline = "VESSEL SHIP sinks off TOWN, N missing",
            .in_lead = {"and N people are missing"},
            .near = {"N people are missing", "divers are looking for N people"},
            .far = {
                "after the sinking N people are missing",
                "N people on board the VESSEL are still missing",
            },
        },
    },
};

const Event crash_event = {
    .topic = "crash",
    .rank = 0,
    .leads = {
        "a train left the rails near TOWN",
        "two trains collided near TOWN",
        "hit a lorry near TOWN",
        "near TOWN a train ran off the line",
    },
    .outcomes = {
        {
            .headline = "Train crash near TOWN hurts N",
            .in_lead = {"hurting N people", "and N people were hurt"},
            .near = {"N people were hurt", "N people are in hospital"},
            .far = {
                "the crash hurt N people",
                "N people were hurt on the train",
                "after the crash N people were taken to hospital",
            },
        },
        {
            .headline = "Train crash near TOWN stops traffic for N hours",
            .in_lead = {"stopping all traffic for N hours"},
            .near = {"the line was closed for N hours"},
            .far = {
                "the crash closed the line for N hours",
                "traffic was stopped for N hours by the crash",
            },
        },
    },
};

const Event flood_event = {
    .topic = "flood",
    .rank = 0,
    .leads = {
        "the river RIVER burst its banks in TOWN",
        "the river RIVER flooded parts of TOWN",
        "the river RIVER into the streets of TOWN",
        "in TOWN the river RIVER rose over its banks",
    },
    .outcomes = {
        {
            .headline = "River RIVER floods TOWN, damages N houses",
            .in_lead = {"damaging N houses"},
            .near = {"N houses were damaged", "water stands in N houses there"},
            .far = {
                "the flood damaged N houses",
                "N houses were damaged by the water of the RIVER",
            },
        },
        {
            .headline = "River RIVER floods TOWN, N families flee",
            .in_lead = {"and N families had to flee"},
            .near = {"N families had to flee", "N families left their homes"},
            .far = {
                "N families had to flee from the flood",
                "the flood drove N families from their homes",
            },
        },
    },
};

const Event robbery_event = {
    .topic = "robbery",
    .rank = 1,
    .leads = {
        "thieves broke into a SHOP in TOWN",
        "masked men robbed a SHOP in TOWN",
        "a SHOP in TOWN was robbed",
        "in TOWN thieves entered a SHOP",
    },
    .outcomes = {
        {
            .headline = "Thieves take N LOOT from TOWN SHOP",
            .in_lead = {"and N LOOT were stolen", "and N LOOT are gone"},
            .near = {"they took N LOOT", "N LOOT are gone"},
            .far = {"the thieves took N LOOT", "N LOOT were stolen in the robbery"},
        },
        {
            .headline = "Police arrest N after robbery of TOWN SHOP",
            .in_lead = {"but police arrested N men"},
            .near = {"police arrested N men"},
            .far = {
                "police arrested N men after the robbery",
                "N men were arrested for the robbery",
            },
        },
        {
            .headline = "Reward of N crowns after robbery of TOWN SHOP",
            .in_lead = {"and the owner offers a reward of N crowns"},
            .near = {"the owner offers a reward of N crowns"},
            .far = {
                "there is a reward of N crowns for finding the thieves",
                "the owner offers N crowns for help with the robbery",
            },
        },
    },
};

const Event find_event = {
    .topic = "find",
    .rank = 1,
    .leads = {
        "officers found COUNT stolen GOODS in TOWN",
        "police in TOWN found COUNT stolen GOODS",
        "COUNT stolen GOODS were found in a lorry in TOWN",
        "in TOWN a dog led police to COUNT stolen GOODS",
    },
    .outcomes = {
        {
            .headline = "Police find COUNT stolen GOODS in TOWN, arrest LAST2",
            .in_lead = {"and FIRST2 LAST2 was arrested"},
            .near = {"FIRST2 LAST2 was arrested"},
            .far = {
                "FIRST2 LAST2 was arrested over the stolen GOODS",
                "police arrested FIRST2 LAST2 who had hidden the GOODS",
            },
        },
        {
            .headline = "Police find COUNT stolen GOODS in TOWN worth N crowns",
            .in_lead = {"worth N crowns"},
            .near = {"they are worth N crowns"},
            .far = {
                "the stolen GOODS are worth N crowns",
                "an expert says the GOODS are worth N crowns",
            },
        },
    },
};

const Event strike_event = {
    .topic = "strike",
    .rank = 2,
    .leads = {
        "the WORKERS of TOWN went on strike",
        "the WORKERS in TOWN stopped work",
        "WORKERS in TOWN walked out",
        "a strike by WORKERS began in TOWN",
        "in TOWN WORKERS put down their tools",
    },
    .outcomes = {
        {
            .headline = "WORKERS in TOWN strike for N crowns more",
            .in_lead = {"asking for N crowns more a month"},
            .near = {"they want N crowns more a month"},
            .far = {
                "the strikers want N crowns more a month",
                "the union of WORKERS is asking for N crowns more a month",
            },
        },
        {
            .headline = "Strike by WORKERS in TOWN to last until DAY",
            .in_lead = {"and they will not work before DAY"},
            .near = {"they will stay at home until DAY"},
            .far = {
                "the strike will last until DAY",
                "the union says the strike will end on DAY",
            },
        },
        {
            .headline = "N WORKERS on strike in TOWN",
            .in_lead = {"and N joined in"},
            .near = {"there are N of them"},
            .far = {"the union counts N strikers", "N WORKERS have joined the strike"},
        },
    },
};

const Event election_event = {
    .topic = "election",
    .rank = 3,
    .leads = {
        "FIRST2 LAST2 was elected mayor of TOWN",
        "the people of TOWN chose FIRST2 LAST2 as mayor",
        "FIRST2 LAST2 won the election for mayor in TOWN",
        "in TOWN the voters made FIRST2 LAST2 mayor",
    },
    .outcomes = {
        {
            .headline = "LAST2 elected mayor of TOWN by N votes",
            .in_lead = {"by N votes"},
            .near = {"the margin was N votes"},
            .far = {"the margin in the election was N votes", "the new mayor won by N votes"},
        },
        {
            .headline = "LAST2 beats LAST3 in TOWN election",
            .in_lead = {"against FIRST3 LAST3"},
            .near = {"the loser is FIRST3 LAST3"},
            .far = {"FIRST3 LAST3 lost the election", "the new mayor beat FIRST3 LAST3"},
        },
        {
            .headline = "LAST2 elected mayor of TOWN, promises N homes",
            .in_lead = {"after a promise to build N homes"},
            .near = {"LAST2 promised to build N homes"},
            .far = {
                "the new mayor promised to build N homes",
                "N homes are what the new mayor promised to build",
            },
        },
    },
};

const Event sale_event = {
    .topic = "sale",
    .rank = 4,
    .leads = {
        "FIRM of TOWN will buy its rival FIRM2",
        "FIRM2 will be sold to FIRM of TOWN",
        "FIRM of TOWN has agreed to buy the PRODUCT maker FIRM2",
        "FIRM2 will belong to its rival FIRM of TOWN",
    },
    .outcomes = {
        {
            .headline = "FIRM of TOWN buys FIRM2 for N million crowns",
            .in_lead = {"for N million crowns"},
            .near = {"the price is N million crowns"},
            .far = {
                "the price in the sale is N million crowns",
                "N million crowns will be paid for FIRM2",
            },
        },
        {
            .headline = "FIRM of TOWN buys FIRM2, N jobs to go",
            .in_lead = {"and N jobs will go"},
            .near = {"N jobs will go"},
            .far = {"the sale will cost N jobs", "N people at FIRM2 will lose their jobs"},
        },
    },
};

const Event plan_event = {
    .topic = "plan",
    .rank = 4,
    .leads = {
        "FIRM will close its PRODUCT factory in TOWN",
        "in MONTH FIRM will shut the PRODUCT factory it has in TOWN",
        "the PRODUCT factory of FIRM in TOWN will close",
        "FIRM has decided to give up its PRODUCT factory in TOWN",
    },
    .outcomes = {
        {
            .headline = "FIRM to close TOWN PRODUCT factory, N jobs to go",
            .in_lead = {"and N jobs will go"},
            .near = {"N jobs will go"},
            .far = {
                "the end of the factory will cost N jobs",
                "N people at the factory will lose their jobs",
            },
        },
        {
            .headline = "FIRM to move PRODUCT factory from TOWN to TOWN3",
            .in_lead = {"and move the work to TOWN3"},
            .near = {"the work will move to TOWN3"},
            .far = {
                "FIRM will build a new factory in TOWN3",
                "the work of the factory will move to TOWN3",
            },
        },
    },
};

const Event match_event = {
    .topic = "match",
    .rank = 5,
    .leads = {
        "CLUB beat CLUB2 SCORE at SPORT",
        "CLUB2 lost SCORE to CLUB at SPORT",
        "cup CLUB won SCORE against CLUB2",
        "CLUB2 went down SCORE against the SPORT team of CLUB",
    },
    .outcomes = {
        {
            .headline = "CLUB beat CLUB2 SCORE, LAST2 scores N",
            .in_lead = {"with N goals by FIRST2 LAST2"},
            .near = {"FIRST2 LAST2 scored N goals"},
            .far = {
                "FIRST2 LAST2 scored N goals in the match",
                "N goals of the match were scored by FIRST2 LAST2",
            },
        },
        {
            .headline = "N people see CLUB beat CLUB2 SCORE",
            .in_lead = {"and N people watched"},
            .near = {"N people watched"},
            .far = {"N people watched the match", "the match was seen by N people"},
        },
        {
            .headline = "CLUB beat CLUB2 SCORE, lose LAST2",
            .in_lead = {"but FIRST2 LAST2 was sent off"},
            .near = {"FIRST2 LAST2 was sent off"},
            .far = {
                "FIRST2 LAST2 was sent off in the match",
                "the referee of the match sent off FIRST2 LAST2",
            },
        },
    },
};

const Event race_event = {
    .topic = "race",
    .rank = 5,
    .leads = {
        "FIRST2 LAST2 won the RACE race in TOWN",
        "FIRST2 LAST2 came first in the RACE race in TOWN",
        "the RACE race in TOWN was won by FIRST2 LAST2",
        "in TOWN FIRST2 LAST2 was the fastest in the RACE race",
    },
    .outcomes = {
        {
            .headline = "LAST2 wins RACE race in TOWN in N minutes",
            .in_lead = {"in N minutes"},
            .near = {"the time was N minutes"},
            .far = {"the winner of the race needed N minutes", "the race was over in N minutes"},
        },
        {
            .headline = "LAST2 beats LAST3 in TOWN RACE race",
            .in_lead = {"ahead of FIRST3 LAST3"},
            .near = {"FIRST3 LAST3 came second"},
            .far = {"FIRST3 LAST3 was second in the race", "second in the race was FIRST3 LAST3"},
        },
    },
};

const Event prize_event = {
    .topic = "prize",
    .rank = 6,
    .leads = {
        "the ARTIST FIRST2 LAST2 won the PRIZE prize in TOWN",
        "the PRIZE prize went to the ARTIST FIRST2 LAST2 in TOWN",
        "the PRIZE prize was given to the ARTIST FIRST2 LAST2 in TOWN",
        "in TOWN FIRST2 LAST2 a ARTIST received the PRIZE prize",
    },
    .outcomes = {
        {
            .headline = "ARTIST LAST2 wins PRIZE Prize of N crowns",
            .in_lead = {"worth N crowns"},
            .near = {"it is worth N crowns"},
            .far = {"the prize is worth N crowns", "with the prize come N crowns"},
        },
        {
            .headline = "ARTIST LAST2, N, wins PRIZE Prize in TOWN",
            .in_lead = {"at the age of N"},
            .near = {"LAST2 is N years old"},
            .far = {"the winner of the prize is N years old", "the prize winner is N"},
        },
    },
};

// clang-format on

const Event* const all_events[] = {
    &fire_event,  &sinking_event, &crash_event,    &flood_event, &robbery_event,
    &find_event,  &strike_event,  &election_event, &sale_event,  &plan_event,
    &match_event, &race_event,    &prize_event,
};

Words split(const string& text) {
  Words words(1);
  for (const char c : text) {
    const bool in_word = std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '\'';
    if (in_word)
      words.back() += c;
    else if (!words.back().empty())
      words.emplace_back();
  }
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
    const bool noun = pattern[i] == "WORKERS";  // no name, so its case may differ
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

string capitalised(string text) {
  text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

// Reads one report.
class Reader {
 public:
  explicit Reader(const string& report) : sentences_(split_sentences(report)) {
    reading_.sentences = sentences_.size();
  }

  Reading read() {
    find_main_event();
    if (!event_) return reading_;
    reading_.topic = event_->topic;
    needed_.push_back(reading_.lead);
    const Outcome* outcome = find_outcome();
    if (!outcome) return reading_;
    reading_.headline = capitalised(fill(outcome->headline, known_));
    add_attribution();
    find_gaps();
    return reading_;
  }

 private:
  // Counts the events and finds the lead of the most important one.
  void find_main_event() {
    for (std::size_t i = 0; i < sentences_.size(); ++i)
      for (const Event* event : all_events) {
        Known found;
        if (!holds(sentences_[i], event->leads, found)) continue;
        ++reading_.events;
        if (event_ && event->rank >= event_->rank) continue;
        event_ = event;
        known_ = found;
        reading_.lead = i;
      }
  }

  // The sentence that tells a fact: the lead, the next one, or one from the lead on. Returns the
  // number of sentences if there is none.
  template <class InLead, class Near, class Far>
  std::size_t find(InLead&& in_lead, Near&& near, Far&& far) const {
    const std::size_t lead = reading_.lead;
    if (in_lead(sentences_[lead])) return lead;
    if (lead + 1 < sentences_.size() && near(sentences_[lead + 1])) return lead + 1;
    std::size_t i = lead;
    while (i < sentences_.size() && !far(sentences_[i]))
      ++i;
    return i;
  }

  // The only outcome that the report tells; null if it tells none or several.
  const Outcome* find_outcome() {
    const Outcome* found = nullptr;
    for (const Outcome& outcome : event_->outcomes) {
      const std::size_t at =
          find([&](const string& s) { return holds(s, outcome.in_lead, known_); },
               [&](const string& s) { return is(s, outcome.near, known_); },
               [&](const string& s) { return is(s, outcome.far, known_); });
      if (at == sentences_.size()) continue;
      if (found) return nullptr;
      found = &outcome;
      needed_.push_back(at);
    }
    return found;
  }

  void add_attribution() {
    const string of = " of the " + event_->topic;
    const string asked = "asked about the " + event_->topic + " the ROLE FIRST LAST said";
    const string spoke = "the ROLE FIRST LAST said" + of;
    const string gave = "the ROLE FIRST LAST gave the news" + of;
    const auto any = [&](Patterns patterns) {
      return [this, patterns](const string& s) { return holds(s, patterns, known_); };
    };
    const std::size_t said =
        find(any({"the ROLE FIRST LAST said", "according to the ROLE FIRST LAST"}),
             any({"said the ROLE FIRST LAST", "the ROLE FIRST LAST told reporters the news"}),
             any({spoke.c_str(), asked.c_str(), gave.c_str()}));
    if (said == sentences_.size()) return;
    reading_.headline += fill(", ROLE LAST says", known_);
    needed_.push_back(said);
  }

  // Whether a sentence between those needed is about something else.
  void find_gaps() {
    std::sort(needed_.begin(), needed_.end());
    for (std::size_t i = 1; i < needed_.size(); ++i)
      for (std::size_t between = needed_[i - 1] + 1; between < needed_[i]; ++between)
        reading_.apart |= lower(sentences_[between]).find(event_->topic) == string::npos;
  }

  std::vector<string> sentences_;
  Reading reading_;
  const Event* event_ = nullptr;
  Known known_;
  std::vector<std::size_t> needed_;  // the sentences that the headline is made from
};

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

Reading read_report(const string& report) { return Reader(report).read(); }

}  // namespace heed::toy
