#pragma once

#include <memory>
#include <string>
#include <vector>

#include "datasets/text/pairs.h"

namespace heed {

/// Whether these data, as open_pictures takes them, say themselves that they are pictures. A table
/// that names a text as well is one of texts, unless `fields` names the picture.
bool are_pictures(const std::vector<std::string>& data,
                  const std::vector<std::string>& fields = {});

/// Opens pictures and their labels. The source of a pair names a picture (PictureReader), the
/// target is its label. `data` is one of
/// - a folder with a folder of PNG and JPEG files for each label;
/// - two idx files, of pictures and of labels, compressed or not (idx.h);
/// - two other files, line by line: names of pictures, found from the folder of the first, and
///   labels;
/// - FILE.tsv whose first line names a column of picture_names() and one `label`, or FILE.jsonl
///   with such keys (labelled.h). Files are found from the folder of the .tsv or .jsonl;
/// - toy:NAME, a built-in corpus of pictures.
///
/// Throws Error with a message of one line that says what is wrong, where, and what to do.
std::unique_ptr<PairSource> open_pictures(const std::vector<std::string>& data,
                                          const std::vector<std::string>& fields, Split split,
                                          std::uint64_t seed, const ReadOptions& options = {});

}  // namespace heed
