#include "datasets/corpora/internal/summarization.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <utility>

#include "datasets/corpora/internal/summarization_events.h"
#include "datasets/corpora/internal/summarization_names.h"

namespace heed::toy {
namespace {

using news::Templates;

template <class Range>
const auto& pick(const Range& range, Random& random) {
  return range[random.below(std::size(range))];
}

// The values of the slots of one event. A value is drawn when it is first needed and then stays.
class Facts {
 public:
  Facts(Random& random, Split split) : random_(random), split_(split) {}

  const std::string& operator[](std::string_view slot) {
    for (const auto& [name, value] : known_)
      if (name == slot) return value;
    const bool numbered = slot.back() >= '2' && slot.back() <= '9';
    return set(slot, news::draw(slot.substr(0, slot.size() - numbered), random_, split_));
  }
  const std::string& set(std::string_view slot, std::string value) {
    return known_.emplace_back(slot, std::move(value)).second;
  }

  std::string fill(std::string_view pattern) {
    std::string text;
    for (;;) {
      const std::size_t open = pattern.find('{');
      text += pattern.substr(0, open);
      if (open == pattern.npos) return text;
      const std::size_t close = pattern.find('}', open);
      text += (*this)[pattern.substr(open + 1, close - open - 1)];
      pattern.remove_prefix(close + 1);
    }
  }

 private:
  std::vector<std::pair<std::string, std::string>> known_;
  Random& random_;
  Split split_;
};

std::string capitalised(std::string text) {
  text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

std::string sentence(std::string text) {
  if (!text.ends_with(".\"")) text += '.';
  return capitalised(std::move(text));
}

// The sentences about one event.
struct Story {
  const news::Event* event;
  const news::Outcome* outcome;
  Facts facts;
  std::string lead;  // the first sentence, as a template
  // The sentences after the lead, in order: the outcome, the attribution, or null for one of
  // `more`.
  std::vector<const news::Outcome*> parts;
  std::size_t told = 0;  // the number of sentences so far
  bool attributed = false;

  Story(const news::Event& e, Random& random, Split split)
      : event(&e),
        outcome(&pick(e.outcomes, random)),
        facts(random, split),
        lead(pick(e.leads, random)) {
    facts.set("topic", std::string(e.topic));
    facts.set("role", news::draw(e.role, random, split));
    if (random.chance(0.35))
      lead += pick(outcome->clauses, random);
    else
      parts.push_back(outcome);
    const double said = random.uniform();
    attributed = said < 0.5;
    if (said < 0.2)
      lead += pick(news::attribution().clauses, random);
    else if (attributed)
      parts.push_back(&news::attribution());
    if (random.chance(0.35)) parts.push_back(nullptr);
    random.shuffle(parts);
  }

  bool done() const { return told > parts.size(); }

  // The next sentence. `near`: the lead stands directly before it.
  std::string tell(bool near, Random& random) {
    ++told;
    if (told == 1) return sentence(facts.fill(lead));
    const Templates& templates = templates_of(parts[told - 2], near, random);
    return sentence(facts.fill(pick(templates, random)));
  }

  const Templates& templates_of(const news::Outcome* part, bool near, Random& random) const {
    if (!part) return event->more;
    return near && random.chance(0.6) ? part->near : part->far;
  }

  std::string headline() {
    std::string text = facts.fill(outcome->headline);
    if (attributed) text += facts.fill(news::attribution().headline);
    return capitalised(std::move(text));
  }
};

// Draws `n` items, no two with the same key.
template <class Item, class Key>
std::vector<const Item*> draw_different(std::span<const Item> all, std::size_t n, Random& random,
                                        Key key) {
  std::vector<const Item*> drawn;
  while (drawn.size() < n) {
    const Item* item = &pick(all, random);
    if (std::none_of(drawn.begin(), drawn.end(),
                     [&](const Item* other) { return key(*other) == key(*item); }))
      drawn.push_back(item);
  }
  return drawn;
}

class Page {
 public:
  Page(Random& random, Split split) : random_(random), split_(split) {
    const std::size_t items =
        pick(std::array<std::size_t, 10>{3, 3, 3, 3, 4, 4, 4, 5, 5, 6}, random);
    const std::size_t important = 1 + random.below(std::min<std::size_t>(3, items - 1));
    const auto rank = [](const news::Event& event) { return event.rank; };
    for (const news::Event* event : draw_different(news::events(), important, random, rank))
      stories_.emplace_back(*event, random, split);
    asides_ = draw_different(news::asides(), items - important, random,
                             [](const news::Aside& aside) { return &aside; });
    const auto by_rank = [&](const Story& a, const Story& b) {
      return rank(*a.event) < rank(*b.event);
    };
    main_ = &*std::min_element(stories_.begin(), stories_.end(), by_rank);
  }

  std::string headline() { return main_->headline(); }

  // The report. The same story goes on in the next sentence with a probability of at least a half.
  std::string text() {
    Story* last = nullptr;
    for (;;) {
      std::vector<Story*> open;
      for (Story& story : stories_)
        if (!story.done()) open.push_back(&story);
      if (open.empty() && asides_.empty()) return text_;
      const std::size_t next = random_.below(open.size() + asides_.size());
      Story* story = next < open.size() ? open[next] : nullptr;
      if (last && !last->done() && random_.chance(0.5)) story = last;
      if (story)
        add(story->tell(story == last && story->told == 1, random_));
      else
        add_aside();
      last = story;
    }
  }

 private:
  void add(const std::string& words) {
    if (!text_.empty()) text_ += ' ';
    text_ += words;
  }

  void add_aside() {
    const news::Aside& item = *asides_.back();
    asides_.pop_back();
    Facts facts = facts_of_aside();
    add(sentence(facts.fill(pick(item.leads, random_))));
    if (random_.chance(0.35)) add(sentence(facts.fill(pick(item.more, random_))));
  }

  // Facts for an aside. Some share the town or a person with the main story.
  Facts facts_of_aside() {
    Facts facts(random_, split_);
    if (random_.chance(0.2)) facts.set("town", main_->facts["town"]);
    if (random_.chance(0.2)) {
      facts.set("first", main_->facts[main_->attributed ? "first" : "first2"]);
      facts.set("last", main_->facts[main_->attributed ? "last" : "last2"]);
    }
    return facts;
  }

  Random& random_;
  Split split_;
  std::vector<Story> stories_;
  std::vector<const news::Aside*> asides_;
  Story* main_;
  std::string text_;
};

// The words of the templates and names of reports.
class Words {
 public:
  void add(std::string_view text) {
    std::string word;
    bool slot = false;
    for (const char c : std::string(text) + ' ') {
      const bool inside = std::isalpha(static_cast<unsigned char>(c)) || c == '\'';
      slot = c == '{' || (slot && c != '}');
      if (inside && !slot)
        word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      else if (!word.empty())
        words_.insert(std::exchange(word, {}));
    }
  }
  void add(const Templates& templates) {
    for (const auto text : templates)
      add(text);
  }
  void add(const news::Outcome& outcome) {
    add(outcome.headline);
    add(outcome.clauses);
    add(outcome.near);
    add(outcome.far);
  }
  std::vector<std::string> sorted() const { return {words_.begin(), words_.end()}; }

 private:
  std::set<std::string> words_;
};

}  // namespace

Report::Report(Random& random, Split split) {
  std::ptrdiff_t words = 0;
  while (words < 60 || words > 150) {
    Page page(random, split);
    text = page.text();
    headline = page.headline();
    words = 1 + std::count(text.begin(), text.end(), ' ');
  }
}

std::vector<std::string> ordinary_words() {
  Words words;
  for (const news::Event& event : news::events()) {
    words.add(event.topic);
    words.add(event.leads);
    words.add(event.more);
    for (const news::Outcome& outcome : event.outcomes)
      words.add(outcome);
  }
  words.add(news::attribution());
  for (const news::Aside& aside : news::asides()) {
    words.add(aside.leads);
    words.add(aside.more);
  }
  for (const std::string& phrase : news::phrases())
    words.add(std::string_view(phrase));
  return words.sorted();
}

}  // namespace heed::toy
