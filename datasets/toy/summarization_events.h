#pragma once

#include <span>
#include <string_view>
#include <vector>

// What toy:summarization can tell. Templates hold slots in braces, which summarization_names.cpp
// fills; a digit behind a slot's name tells two of a kind apart, and a slot means one thing
// throughout an event. Sentences get their capital and their full stop later. Rules that keep the
// headline decidable: a headline uses only slots of its event's leads and of its outcome; what
// stands in `far` names its event; no two outcomes and no `more` of one event can be taken for each
// other; no slot with a hyphen or an apostrophe glued to it.
namespace heed::toy::news {

using Templates = std::vector<std::string_view>;

/// How the event ended, told within the lead (`clauses`), right behind it (`near`), or anywhere
/// (`far`).
struct Outcome {
  std::string_view headline;
  Templates clauses;
  Templates near;
  Templates far;
};

/// By importance: the first of those in a report gives the headline.
enum class Rank { disaster, crime, strike, election, business, sport, culture };

struct Event {
  Rank rank;
  std::string_view topic;  // how others call it: "said of the fire"
  std::string_view role;   // the slot of those who speak of it
  Templates leads;
  std::vector<Outcome> outcomes;
  Templates more;  // what the headline leaves out
};

/// What is never the headline.
struct Aside {
  Templates leads;
  Templates more;
};

std::span<const Event> events();
std::span<const Aside> asides();

/// Who said so: within the lead, right behind it, or anywhere, and what the headline adds.
const Outcome& attribution();

}  // namespace heed::toy::news
