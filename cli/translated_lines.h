#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/field_options.h"
#include "experiments/inference/line_input.h"
#include "experiments/inference/run.h"

namespace heed::cli {

struct TranslateOptions {
  std::vector<std::string> runs;  // several: their models decode together
  std::string checkpoint;
  std::string attention;
  std::string score;
  GivenOptions given;  // of DecodeOptions; the others have the values of the run's settings
  std::optional<int> nbest;
  bool sample = false;
  bool replace_unk = false;
  int threads = 0;
};

/// Translates lines and prints the outputs in their order.
void translate_lines(const TranslateOptions& o, const Run& run, LineInput& input);
/// Prints the scores of the lines of a file as outputs of the lines read.
void score_lines(const TranslateOptions& o, const Run& run, LineInput& input);

}  // namespace heed::cli
