#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/pairs.h"
#include "framework/random.h"

namespace heed::toy {

/// A page of short news: 3 to 6 events, told in 60 to 150 words on one line, and the headline of
/// the one that matters.
///
/// What matters is a matter of kind, never of place: disaster > crime > strike > election >
/// business > sport > culture, at most one event of each, among asides (weather, concerts, prices
/// ...) that are never the headline, even where they speak of a fire of long ago. The sentences of
/// an event follow each other or are apart, with others between, and then name it: "the blaze". The
/// headline is a function of the report: its names and numbers stand in the report as they stand in
/// it, each a word of its own.
///
/// Most names are made up, from some millions; an eighth of the names and of the numbers from 20 on
/// are reserved: they never occur in training, and in valid and test so often that about half of
/// the headlines hold one.
struct Report {
  Report(Random& random, Split split);
  std::string source() const { return text; }
  std::string target() const { return headline; }
  std::string text;
  std::string headline;
};

/// Whether a made-up name or a number written in digits is kept from training: a hash of it alone.
/// Scores ("3-1") never are.
bool reserved(std::string_view name_or_number);

/// Every word a report or a headline may hold that is not made up, in lower case and in order,
/// common names included.
std::vector<std::string> ordinary_words();

}  // namespace heed::toy
