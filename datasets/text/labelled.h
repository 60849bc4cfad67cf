#pragma once

#include <string>
#include <string_view>
#include <vector>

// Texts and their labels. A labelled corpus is a PairSource (pairs.h): the source of a pair is a
// text, the target is the name of its class. open_pairs reads one if ReadOptions::labelled is set.

namespace heed {

/// The name of the column or key that holds labels: `label`. A column is called so in upper or
/// lower case.
inline constexpr std::string_view label_name = "label";

/// The names of the column or key that holds the text: text, source, document, sentence, review.
const std::vector<std::string>& text_names();
/// The names of the column or key that holds the name of a picture's file: image, picture, file.
const std::vector<std::string>& picture_names();

/// Whether these data, as open_pairs takes them, say themselves that they are labelled:
/// - toy:NAME, whose row of corpora() is labelled;
/// - a .tsv, packed or not, whose first line has one column `label`, and
///   - a column of text_names() or picture_names(), or three columns or more; or
///   - another column, and the labels below repeat. So a dictionary that begins with the
///     translation of the word label is none;
/// - a .jsonl whose first object has the key `label`, whatever its value, and neither source and
///   target nor document and summary, which are pairs.
///
/// With `fields` the data are labelled if the second one is `label`, or the number of a column that
/// the first line calls so.
///
/// Reads the beginning of a file, up to the first line of malformed UTF-8. False where that cannot
/// be read: open_pairs then says what is wrong. False too where it cannot be read a second time, as
/// of a pipe: open_pairs takes that for pairs unless ReadOptions::labelled is set.
bool names_label(const std::vector<std::string>& data, const std::vector<std::string>& fields = {});

}  // namespace heed
