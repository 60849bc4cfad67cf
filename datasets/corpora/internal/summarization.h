#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "datasets/text/pairs.h"
#include "framework/random.h"

namespace heed::toy {

/// A report of 3 to 6 news items in 60 to 150 words on one line, and the headline of the most
/// important one.
///
/// - Importance depends on the kind of an event, not on its position: disaster > crime > strike >
///   election > business > sport > culture. A report has at most one event of each kind.
/// - The other items are asides (weather, concerts, prices ...). They are never the headline, even
///   if they speak of a fire of long ago.
/// - The sentences of an event follow each other, or other sentences stand between them. In that
///   case they name the event: "the blaze".
/// - The report determines the headline. Names and numbers are spelled alike in both, and each is a
///   word.
/// - Most names are made up, from some millions. An eighth of the names, and of the numbers from 20
///   on, are reserved: they never occur in training, and about half of the headlines of valid and
///   test hold one.
struct Report {
  Report(Random& random, Split split);
  std::string source() const { return text; }
  std::string target() const { return headline; }
  std::string text;
  std::string headline;
};

/// Whether a made-up name, or a number in digits, is reserved for valid and test. Decided by its
/// hash alone. Scores ("3-1") never are.
bool reserved(std::string_view name_or_number);

/// Every word of reports and headlines that is not made up, in lower case and sorted. Common names
/// are included.
std::vector<std::string> ordinary_words();

}  // namespace heed::toy
