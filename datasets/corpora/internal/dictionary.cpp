#include "datasets/corpora/internal/dictionary.h"

namespace heed::toy {
namespace {

// Bits 1 << Tense.
constexpr unsigned present = 1;
constexpr unsigned past = 2;
constexpr unsigned imperfect = 4;
constexpr unsigned future = 8;
constexpr unsigned any = 15;

constexpr TimeWord time_table[] = {
    {"yesterday", "hier", past},
    {"last night", "hier soir", past},
    {"last summer", "l'été dernier", past},
    {"today", "aujourd'hui", present | past | future},
    {"this morning", "ce matin", present | past},
    {"this evening", "ce soir", present | future},
    {"tomorrow", "demain", future},
    {"soon", "bientôt", future},
    {"next week", "la semaine prochaine", future},
    {"in the morning", "le matin", present | imperfect},
    {"in the evening", "le soir", present | imperfect},
    {"in winter", "en hiver", any},
    {"in summer", "en été", any},
    {"in spring", "au printemps", any},
    {"in autumn", "en automne", any},
    {"before dinner", "avant le dîner", any},
    {"after lunch", "après le déjeuner", any},
    {"at noon", "à midi", any},
    {"at midnight", "à minuit", any},
};

constexpr Name name_table[] = {
    {"Emma", Gender::feminine},  {"Claire", Gender::feminine},  {"Louise", Gender::feminine},
    {"Paul", Gender::masculine}, {"Victor", Gender::masculine}, {"Martin", Gender::masculine},
};

}  // namespace

const Weekday weekdays[7] = {{"Monday", "lundi"},       {"Tuesday", "mardi"},
                             {"Wednesday", "mercredi"}, {"Thursday", "jeudi"},
                             {"Friday", "vendredi"},    {"Saturday", "samedi"},
                             {"Sunday", "dimanche"}};
const Month months[12] = {
    {"January", "janvier"}, {"February", "février"},  {"March", "mars"},
    {"April", "avril"},     {"May", "mai"},           {"June", "juin"},
    {"July", "juillet"},    {"August", "août"},       {"September", "septembre"},
    {"October", "octobre"}, {"November", "novembre"}, {"December", "décembre"}};
const AdverbEntry frequencies[3] = {
    {"often", "souvent"}, {"always", "toujours"}, {"sometimes", "parfois"}};
const AdverbEntry manners[3] = {
    {"slowly", "lentement"}, {"quietly", "tranquillement"}, {"together", "ensemble"}};

std::span<const TimeWord> time_words() { return time_table; }
std::span<const Name> names_of_people() { return name_table; }

std::vector<const Noun*> Dictionary::nouns_of(Kinds kinds) const {
  std::vector<const Noun*> found;
  for (const Noun& noun : nouns)
    if (noun.is(kinds)) found.push_back(&noun);
  return found;
}

static std::string english_plural_of(const NounEntry& entry) {
  if (entry.kinds & kind::mass) return "";
  if (!entry.english_plural.empty()) return std::string(entry.english_plural);
  return plural_english(entry.english);
}

static std::string french_plural_of(const NounEntry& entry) {
  if (!entry.french_plural.empty()) return std::string(entry.french_plural);
  return plural_french(entry.french);
}

void Dictionary::add_noun(const NounEntry& entry) {
  Noun noun{.entry = &entry,
            .english = {std::string(entry.english), english_plural_of(entry)},
            .french = {std::string(entry.french), french_plural_of(entry)},
            .before = {},
            .after = {}};
  for (const Adjective& adjective : adjectives) {
    if (!noun.is(adjective.entry->kinds)) continue;
    auto& side = adjective.entry->before ? noun.before : noun.after;
    side.push_back(&adjective);
  }
  nouns.push_back(std::move(noun));
}

void Dictionary::add_verb(const VerbEntry& entry) {
  const Verb& verb =
      verbs.emplace_back(Verb{&entry, third_person_english(entry.english), conjugate(entry.french),
                              nouns_of(entry.subject), nouns_of(entry.object)});
  if (entry.object) transitive.push_back(&verb);
  if (!entry.object && !verb.has(trait::to_place)) alone.push_back(&verb);
  if (verb.has(trait::to_place)) to_place.push_back(&verb);
  if (verb.has(trait::fronting)) fronting.push_back(&verb);
  if (verb.has(trait::recipient)) recipient.push_back(&verb);
}

Dictionary::Dictionary() {
  for (const AdjectiveEntry& entry : toy::adjectives())
    adjectives.push_back({&entry, agree(entry.french, entry.feminine, entry.plural)});
  for (const NounEntry& entry : toy::nouns())
    add_noun(entry);
  people = nouns_of(kind::person);
  sites = nouns_of(kind::building | kind::place);
  furniture = nouns_of(kind::furniture);
  garments = nouns_of(kind::garment);
  placed = nouns_of(kind::animate | kind::portable);

  verbs.reserve(toy::verbs().size());  // pointers to them are kept, so they must not move
  for (const VerbEntry& entry : toy::verbs())
    add_verb(entry);
  etre.french = conjugate("être");
  avoir.french = conjugate("avoir");
  vouloir.french = conjugate("vouloir");
  pouvoir.french = conjugate("pouvoir");
  devoir.french = conjugate("devoir");
  for (int n = 1; n <= 100; ++n) {
    numbers_english[n] = number_english(n);
    numbers_french[0][n] = number_french(n);
    numbers_french[1][n] = number_french(n, Gender::feminine);
  }
  for (int n = 0; n < 32; ++n)
    digits[n] = std::to_string(n);
}

const Dictionary& dictionary() {
  static const Dictionary once;
  return once;
}

}  // namespace heed::toy
