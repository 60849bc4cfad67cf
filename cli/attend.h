#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/plots/attention.h"
#include "cli/run.h"

namespace heed::cli {

/// Whether the model has attention to show.
bool attends(const Seq2Seq& model);

/// What the model attended to while it wrote each line's best hypothesis: one forced pass over it,
/// so any family that gives maps will do. Row i of a map is the look that token i of the target was
/// written with; the last target token is </s>. A line without a hypothesis has neither tokens nor
/// maps. The caller switches the model to evaluation.
std::vector<plots::AttendedLine> attend(const Seq2Seq& model, const Tokenizers& tokenizers,
                                        std::span<const std::string> lines,
                                        std::span<const std::vector<Translation>> results);

}  // namespace heed::cli
