#include "datasets/corpora/internal/stories.h"

#include <array>
#include <optional>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace heed::toy {

namespace {

constexpr std::array<std::string_view, 3> people = {"anna", "ben", "clara"};
constexpr std::array<std::string_view, 3> things = {"ball", "book", "lamp"};
constexpr std::array<std::string_view, 6> places = {"attic", "cellar",  "garden",
                                                    "hall",  "kitchen", "office"};
constexpr std::array<std::string_view, 4> goes = {"went to", "walked to", "ran to", "moved to"};
constexpr std::array<std::string_view, 3> takes = {"took", "picked up", "grabbed"};
constexpr std::array<std::string_view, 3> drops = {"dropped", "put down", "left"};

template <class Range>
auto one_of(Random& random, const Range& range) {
  return range[random.below(range.size())];
}

/// Where everybody and everything is, as far as the story has told.
class World {
 public:
  explicit World(Random& random) : random_(random) {}

  /// Somebody goes somewhere else.
  std::string go() { return go(random_.below(people.size())); }
  /// Somebody goes somewhere else, takes something or drops it.
  std::string act();

  std::vector<std::size_t> known_people() const { return indices(place_of_person_); }
  std::vector<std::size_t> known_things() const { return indices(place_of_thing_); }
  std::string_view place_of_person(std::size_t i) const { return places[*place_of_person_[i]]; }
  std::string_view place_of_thing(std::size_t i) const { return places[*place_of_thing_[i]]; }

 private:
  using Place = std::optional<std::size_t>;

  template <std::size_t n>
  static std::vector<std::size_t> indices(const std::array<Place, n>& all) {
    std::vector<std::size_t> known;
    for (std::size_t i = 0; i < n; ++i)
      if (all[i]) known.push_back(i);
    return known;
  }
  std::string go(std::size_t person);
  std::string take(std::size_t person, std::size_t thing);
  std::string drop(std::size_t person, std::size_t thing);
  std::vector<std::size_t> held_by(std::size_t person) const;
  /// Things that nobody holds, and that are here or nowhere yet.
  std::vector<std::size_t> free_at(Place place) const;

  Random& random_;
  std::array<Place, people.size()> place_of_person_;
  std::array<Place, things.size()> place_of_thing_;
  std::array<std::optional<std::size_t>, things.size()> holder_;
};

std::string World::go(std::size_t person) {
  std::size_t place = random_.below(places.size());
  while (place_of_person_[person] == place)
    place = random_.below(places.size());
  place_of_person_[person] = place;
  for (const std::size_t thing : held_by(person))
    place_of_thing_[thing] = place;
  return fmt::format("{} {} the {}", people[person], one_of(random_, goes), places[place]);
}

std::string World::take(std::size_t person, std::size_t thing) {
  holder_[thing] = person;
  place_of_thing_[thing] = place_of_person_[person];
  return fmt::format("{} {} the {}", people[person], one_of(random_, takes), things[thing]);
}

std::string World::drop(std::size_t person, std::size_t thing) {
  holder_[thing].reset();
  return fmt::format("{} {} the {}", people[person], one_of(random_, drops), things[thing]);
}

std::vector<std::size_t> World::held_by(std::size_t person) const {
  std::vector<std::size_t> held;
  for (std::size_t i = 0; i < things.size(); ++i)
    if (holder_[i] == person) held.push_back(i);
  return held;
}

std::vector<std::size_t> World::free_at(Place place) const {
  std::vector<std::size_t> free;
  for (std::size_t i = 0; i < things.size(); ++i)
    if (!holder_[i] && (!place_of_thing_[i] || place_of_thing_[i] == place)) free.push_back(i);
  return free;
}

std::string World::act() {
  const std::size_t person = random_.below(people.size());
  const Place place = place_of_person_[person];
  if (!place || random_.below(3) > 0) return go(person);
  const std::vector<std::size_t> held = held_by(person);
  if (!held.empty() && random_.below(3) == 0) return drop(person, one_of(random_, held));
  const std::vector<std::size_t> free = free_at(place);
  if (!free.empty()) return take(person, one_of(random_, free));
  return go(person);
}

}  // namespace

Story::Story(Random& random, int facts) {
  World world(random);
  if (facts == 1) {
    const std::uint64_t count = 2 + random.below(9);
    while (sentences.size() < count)
      sentences.push_back(world.go());
    const std::size_t person = one_of(random, world.known_people());
    asked = people[person];
    answer = world.place_of_person(person);
    return;
  }
  const std::uint64_t count = 5 + random.below(12);
  while (sentences.size() < count || world.known_things().empty())
    sentences.push_back(world.act());
  const std::size_t thing = one_of(random, world.known_things());
  asked = fmt::format("the {}", things[thing]);
  answer = world.place_of_thing(thing);
}

std::string Story::source() const {
  return fmt::format("{} . where is {} ?", fmt::join(sentences, " . "), asked);
}

}  // namespace heed::toy
