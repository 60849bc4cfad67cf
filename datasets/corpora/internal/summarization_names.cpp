#include "datasets/corpora/internal/summarization_names.h"

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "datasets/corpora/internal/summarization.h"
#include "framework/error.h"

namespace heed::toy {
namespace news {
namespace {

// A slot is one of
// - words to choose from;
// - a range of numbers;
// - names: made up with one of the endings, or one of the words.
struct Slot {
  std::string_view name;
  std::string_view words = {};
  int low = 0;
  int high = 0;
  std::string_view endings = {};
  double common = 0;  // the share of names that are one of `words`
};

constexpr std::string_view other_endings = "la|ra|ro|nis|ta|don|rel|max";
constexpr std::string_view days = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday";

// Words that follow "a" must not begin with a vowel. Years end before this century, so that they
// are long ago.
constexpr Slot slots[] = {
    {"town",
     "Torvik|Maslov|Ardeley|Corvale|Dunsholm|Elmstad|Fenwold|Garlowe|Hovdal|Jarnby|Lorring|Morvane|"
     "Nordhal|Quarley|Rosmar|"
     "Silverwick|Tarnova|Ulmenau|Wendale|Zelmar",
     0, 0, "vik|mar|holm|ley|stad|ton|wick|by", 0.25},
    {"first",
     "Anna|Boris|Clara|David|Elena|Felix|Greta|Hugo|Irene|Jonas|Karla|Leon|Maria|Nils|Olga|Paul|"
     "Rosa|Simon|Tessa|Viktor|"
     "Wanda|Bruno|Dora|Emil|Frida|Hanna|Ivan|Julia|Konrad|Lena",
     0, 0, "na|lo|ris|ka|mir|ren|tha|das", 0.75},
    {"last", "Velsik|Brandor|Dorsen|Marlik|Tolver|Ostrak|Pelgrin|Rodmar|Sandrik|Wolsen", 0, 0,
     "sen|ver|mann|dak|rik|lin|son|nov", 0.15},
    {"ship", "", 0, 0, other_endings},
    {"river", "", 0, 0, other_endings},
    {"club", "", 0, 0, other_endings},
    {"firm", "", 0, 0, other_endings},
    {"prize", "", 0, 0, other_endings},
    {"pet", "", 0, 0, other_endings},

    {"building", "warehouse|bakery|theatre|hotel|school|barn|mill|laundry"},
    {"shop", "bank|museum|gallery|hotel|jeweller|library"},
    {"vessel", "ferry|freighter|trawler|steamer|tanker"},
    {"loot", "paintings|rings|coins|watches|books|diamonds"},
    {"goods", "parrots|cigars|violins|carpets|bicycles|stamps"},
    {"workers", "drivers|bakers|teachers|nurses|miners|printers|cooks|pilots"},
    {"product", "shoe|glass|paper|soap|toy|piano"},
    {"sport", "football|handball|hockey"},
    {"race", "bicycle|horse|ski|boat|hill"},
    {"artist", "poet|painter|composer|sculptor|singer"},
    {"job", "baker|teacher|nurse|miner|lawyer|farmer"},
    {"animal", "cat|horse|goat|parrot|donkey"},
    {"office", "library|museum|post office|town hall"},
    {"orchestra", "orchestra|choir"},
    {"crop", "potatoes|apples|onions|plums|beans"},
    {"weather", "sunny|cloudy|windy|rainy|foggy|cold"},
    {"direction", "north|south|east|west"},
    {"colour", "red|green|blue|white|black|yellow|brown"},
    {"disaster_role", "mayor|minister|doctor"},
    {"crime_role", "inspector|judge|mayor"},
    {"strike_role", "minister|mayor"},
    {"election_role", "senator|minister"},
    {"business_role", "director|manager|minister"},
    {"sport_role", "trainer|director"},
    {"culture_role", "critic|professor"},
    {"role", "mayor|minister|doctor|professor|director|senator"},
    {"quote",
     "That's all we know so far|I can confirm the news|We're still counting|It's true|These are "
     "the facts|We can't say more"},
    {"day", days},
    {"part", "morning|afternoon|evening|night"},
    // * is a day, % a part of a day, # an hour.
    {"when", "on *|on * %|early on *|late on *|on * at #|shortly before # on *"},
    {"month",
     "January|February|March|April|May|June|July|August|September|October|November|December"},

    {"hurt", "", 2, 90},
    {"homeless", "", 2, 300},
    {"cost", "", 200, 9000},
    {"crew", "", 4, 200},
    {"hours", "", 2, 60},
    {"saved", "", 2, 400},
    {"missing", "", 2, 90},
    {"tons", "", 20, 5000},
    {"year", "", 1700, 1980},
    {"houses", "", 2, 600},
    {"families", "", 2, 400},
    {"loot_count", "", 2, 200},
    {"few", "", 2, 9},
    {"reward", "", 100, 9000},
    {"minutes", "", 2, 90},
    {"goods_count", "", 2, 900},
    {"value", "", 100, 9000},
    {"weeks", "", 2, 30},
    {"rise", "", 10, 400},
    {"strikers", "", 20, 5000},
    {"votes", "", 2, 2000},
    {"homes", "", 20, 3000},
    {"voters", "", 300, 9000},
    {"price", "", 2, 400},
    {"jobs", "", 20, 3000},
    {"money", "", 100, 9000},
    {"goals", "", 2, 5},
    {"crowd", "", 100, 9000},
    {"age", "", 18, 99},
    {"degrees", "", 2, 34},
    {"hour", "", 2, 12},
    {"visitors", "", 20, 3000},
    {"trees", "", 20, 900},
    {"sacks", "", 2, 300},
    {"paintings", "", 5, 400},
    {"pupils", "", 8, 700},
    {"guests", "", 5, 300},
    {"weight", "", 20, 300},
    {"centuries", "", 200, 1200},
};

const Slot& slot_of(std::string_view name) {
  static const auto all = [] {
    std::unordered_map<std::string_view, const Slot*> map;
    for (const Slot& slot : slots)
      map.emplace(slot.name, &slot);
    return map;
  }();
  const auto found = all.find(name);
  if (found == all.end()) fail("toy:summarization: no slot '{}'", name);
  return *found->second;
}

// One of the words that '|' separates.
std::string_view pick(std::string_view words, Random& random) {
  const auto bars = static_cast<std::uint64_t>(std::count(words.begin(), words.end(), '|'));
  for (std::uint64_t skip = random.below(bars + 1); skip > 0; --skip)
    words.remove_prefix(words.find('|') + 1);
  return words.substr(0, words.find('|'));
}

template <std::size_t n>
std::string_view pick(const std::array<std::string_view, n>& words, Random& random) {
  return words[random.below(n)];
}

std::string syllables(std::string_view endings, Random& random) {
  static constexpr std::array<std::string_view, 16> single = {
      "b", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z"};
  static constexpr std::array<std::string_view, 8> clusters = {"br", "dr", "fl", "gr",
                                                               "kl", "pl", "st", "tr"};
  static constexpr std::array<std::string_view, 5> vowels = {"a", "e", "i", "o", "u"};
  static constexpr std::array<std::string_view, 3> diphthongs = {"ea", "ie", "oa"};
  static constexpr std::array<std::string_view, 5> codas = {"l", "m", "n", "r", "s"};
  std::string name;
  for (const double closed : {0.5, 0.3}) {
    name += random.chance(0.75) ? pick(single, random) : pick(clusters, random);
    name += random.chance(0.9) ? pick(vowels, random) : pick(diphthongs, random);
    if (random.chance(closed)) name += pick(codas, random);
  }
  return name += pick(endings, random);
}

bool reads_well(const std::string& name) {
  static constexpr std::string_view unwanted[] = {"anal", "anus", "dik",  "fag",  "fuk",   "hitl",
                                                  "homo", "kok",  "kunt", "nazi", "nig",   "penis",
                                                  "pis",  "pus",  "rap",  "tit",  "trans", "turd"};
  static const auto ordinary = [] {
    const auto words = ordinary_words();
    return std::unordered_set<std::string>(words.begin(), words.end());
  }();
  return std::none_of(std::begin(unwanted), std::end(unwanted),
                      [&](std::string_view part) { return name.find(part) != name.npos; }) &&
         !ordinary.contains(name);
}

std::string made_up(std::string_view endings, Random& random) {
  for (;;) {
    std::string name = syllables(endings, random);
    if (!reads_well(name)) continue;
    name[0] = static_cast<char>(name[0] - 'a' + 'A');
    return name;
  }
}

// Draws a value that is reserved or not, as the split requires. In training none is reserved. In
// valid and test a quarter are, so that half of the headlines, with some 2.4 names and numbers
// each, hold one. The number of tries is limited, since some ranges have no reserved number.
template <class Make>
std::string draw_for_split(Random& random, Split split, Make make) {
  const bool wanted = split != Split::train && random.chance(0.25);
  std::string text = make();
  for (int tries = 0; reserved(text) != wanted && (!wanted || tries < 64); ++tries)
    text = make();
  return text;
}

std::string time(std::string_view pattern, Random& random, Split split) {
  std::string text;
  for (const char c : pattern)
    if (c == '*')
      text += draw("day", random, split);
    else if (c == '%')
      text += draw("part", random, split);
    else if (c == '#')
      text += draw("hour", random, split);
    else
      text += c;
  return text;
}

}  // namespace

std::string draw(std::string_view name, Random& random, Split split) {
  if (name == "score") {
    const std::uint64_t lost = random.below(4);
    return std::to_string(lost + 1 + random.below(4)) + "-" + std::to_string(lost);
  }
  const Slot& slot = slot_of(name);
  if (slot.high > 0)
    return draw_for_split(random, split, [&] {
      return std::to_string(slot.low + static_cast<int>(random.below(
                                           static_cast<std::uint64_t>(slot.high - slot.low + 1))));
    });
  if (!slot.endings.empty() && !random.chance(slot.common))
    return draw_for_split(random, split, [&] { return made_up(slot.endings, random); });
  const std::string_view chosen = pick(slot.words, random);
  return name == "when" ? time(chosen, random, split) : std::string(chosen);
}

std::vector<std::string> phrases() {
  std::vector<std::string> all;
  for (const Slot& slot : slots)
    for (std::size_t begin = 0; begin < slot.words.size();) {
      const std::size_t end = std::min(slot.words.find('|', begin), slot.words.size());
      all.emplace_back(slot.words.substr(begin, end - begin));
      begin = end + 1;
    }
  return all;
}

}  // namespace news

bool reserved(std::string_view word) {
  const bool number = word[0] >= '0' && word[0] <= '9';
  const bool score = number && word.find('-') != word.npos;
  const bool below_20 = word.size() < 2 || (word.size() == 2 && word[0] < '2');
  if (score || (number && below_20)) return false;
  std::uint64_t h = 0;
  for (const char c : word)
    h = mix(h, static_cast<unsigned char>(c));
  return h % 8 == 0;
}

}  // namespace heed::toy
