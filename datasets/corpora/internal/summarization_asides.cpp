#include "datasets/corpora/internal/summarization_events.h"

namespace heed::toy::news {
namespace {

// Several speak of an event that could be a headline, but was long ago or only practised. So a
// model cannot decide by single words.
// clang-format off
const std::vector<Aside> all = {
    {
        .leads = {
            "it will be {weather} in {town} on {day}, with {degrees} degrees at noon",
            "on {day}, {town} can expect {weather} weather and {degrees} degrees",
            "the weather in {town} stays {weather}, and {degrees} degrees are likely on {day}",
            "after {few} {weather} days, it will be warmer in {town} on {day}",
        },
        .more = {"the wind will come from the {direction}", "the nights will be {weather} too"},
    },
    {
        .leads = {
            "the {office} of {town} will close at {hour} in {month}",
            "in {month}, the {office} in {town} opens at {hour}",
            "from {day} on, the {office} of {town} is open until {hour}",
            "the {office} in {town} is looking for {few} helpers, {first} {last} said",
        },
        .more = {"it has {visitors} visitors a month", "there is a new {colour} door as well"},
    },
    {
        .leads = {
            "the bridge near {town} is closed until {day}",
            "road works begin in {town} on {day} and will last {weeks} weeks",
            "a new road from {town} to {town2} will open in {month}",
            "the {role} {first} {last} wants {trees} trees along the road to {town}",
        },
        .more = {"drivers should go through {town3}", "the work will cost {money} crowns"},
    },
    {
        .leads = {
            "{crop} cost {price} crowns a sack at the market of {town} on {day}",
            "the price of {crop} in {town} went up to {price} crowns",
            "at the market in {town}, {first} {last} sold {sacks} sacks of {crop} on {day}",
            "farmers around {town} expect {tons} tons of {crop} in {month}",
        },
        .more = {"a year ago it was {price2} crowns", "the market opens at {hour}"},
    },
    {
        .leads = {
            "the museum of {town} shows {paintings} pictures of the great fire of {year}",
            "a film about the robbery of {year} is shown in {town} on {day}",
            "the writer {first} {last} has finished a book about the strike of {year} in {town}",
            "in {town}, {first} {last} will speak on {day} "
            "about the sinking of the {ship} in {year}",
            "a stone in {town} now recalls the flood of {year}",
        },
        .more = {"entry costs {price} crowns", "{first2} {last2} paid for it"},
    },
    {
        .leads = {
            "the {orchestra} of {town} will play in the park on {day} at {hour}",
            "{first} {last} will sing with the {orchestra} of {town} on {day}",
            "{visitors} people heard the {orchestra} of {town2} in {town}",
            "a concert by the {orchestra} of {town} ends the summer on {day}",
        },
        .more = {"tickets cost {price} crowns", "the concert lasts {few} hours"},
    },
    {
        .leads = {
            "a {colour} {animal} was found in {town} {when}",
            "{first} {last} of {town} is looking for a {colour} {animal}",
            "a {animal} that got lost in {town} walked home to {town2} in {weeks} weeks",
            "{when}, a {animal} stopped the tram in {town} for {minutes} minutes",
        },
        .more = {
            "the {animal} answers to the name of {pet}",
            "whoever finds the {animal} gets {price} crowns",
        },
    },
    {
        .leads = {
            "trams from {town} to {town2} will run every {minutes} minutes from {month} on",
            "a ticket for the tram in {town} will cost {price} crowns from {month} on",
            "the last tram leaves {town} at {hour} on {day}",
            "the tram driver {first} {last} of {town} retires after {age} years",
        },
        .more = {"the trams are {colour} now", "{visitors} people take the tram each day"},
    },
    {
        .leads = {
            "the school of {town} has {pupils} new pupils",
            "{first} {last} is the new head of the school in {town}",
            "children in {town} planted {trees} trees on {day}",
            "the school in {town} practised a fire alarm {when}, and all left in {minutes} minutes",
        },
        .more = {
            "the school was built in {year}",
            "\"We're very happy,\" the teacher {first2} {last2} said",
        },
    },
    {
        .leads = {
            "{first} {last} of {town} turned {age} on {day}",
            "the oldest {job} of {town}, {first} {last}, celebrated on {day}",
            "{first} {last} and {first2} {last2} have been married for {age} years in {town}",
            "{town} will be {centuries} years old in {month}",
        },
        .more = {
            "{guests} guests came to the party",
            "\"I don't feel old,\" {first} {last} said",
        },
    },
    {
        .leads = {
            "the {role} {first} {last} will visit {town} on {day}",
            "{guests} guests from {town2} will stay in {town} until {day}",
            "the {role} {first} {last} opened a new {building} in {town} {when}",
            "{first} {last}, the {role}, thanked {town} for {few} happy years",
        },
        .more = {"there will be {crop} for all", "the visit begins at {hour}"},
    },
    {
        .leads = {
            "the chess club of {town} has {guests} members",
            "{first} {last} of {town} collects clocks and owns {paintings} of them",
            "in {town}, {first} {last} grew a pumpkin of {weight} pounds",
            "the village fair in {town} begins on {day} at {hour}",
        },
        .more = {"{first2} {last2} is proud of it", "it didn't happen in a day"},
    },
};
// clang-format on

}  // namespace

std::span<const Aside> asides() { return all; }

}  // namespace heed::toy::news
