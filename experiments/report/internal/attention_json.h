#pragma once

#include <string>

#include "experiments/inference/attended_line.h"

namespace heed::report::detail {

/// A line of an attention file in JSON, as AttentionWriter describes it.
std::string attention_json(const AttendedLine& line, Index number);

}  // namespace heed::report::detail
