#pragma once

#include <span>
#include <string_view>
#include <vector>

// The events and asides of toy:summarization, as templates.
//
// Templates hold slots in braces, which summarization_names.cpp fills. A digit after the name of a
// slot distinguishes two slots of one kind. A slot has one value throughout an event. Sentences get
// their capital and full stop later.
//
// Rules that let the report determine the headline:
// - a headline uses only slots of the leads of its event and of its outcome;
// - a template in `far` names its event;
// - no two outcomes of an event, and no outcome and template in `more`, can be mistaken for each
//   other;
// - no hyphen or apostrophe touches a slot.
namespace heed::toy::news {

using Templates = std::vector<std::string_view>;

/// The result of an event. It is told in the lead (`clauses`), in the next sentence (`near`), or in
/// any other sentence (`far`).
struct Outcome {
  std::string_view headline;
  Templates clauses;
  Templates near;
  Templates far;
};

/// In order of importance. The first of those in a report is the headline.
enum class Rank { disaster, crime, strike, election, business, sport, culture };

struct Event {
  Rank rank;
  std::string_view topic;  // its name in other sentences: "said of the fire"
  std::string_view role;   // the slot of the persons who speak of it
  Templates leads;
  std::vector<Outcome> outcomes;
  Templates more;  // facts that the headline does not mention
};

/// An item that is never the headline.
struct Aside {
  Templates leads;
  Templates more;
};

std::span<const Event> events();
std::span<const Aside> asides();

/// Templates that name the source of the news, and what they add to the headline.
const Outcome& attribution();

}  // namespace heed::toy::news
