#include "experiments/scored_lines.h"

#include <algorithm>

#include <fcntl.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "datasets/text/text_file.h"
#include "experiments/internal/confusion_json.h"
#include "framework/error.h"

namespace heed {

namespace {

std::string file_of(const std::string& name) { return name == "-" ? "/dev/stdin" : name; }

/// Throws Error where standard input is closed. Its descriptor then may only be
/// written to.
void check_standard_input() {
  const int access = fcntl(STDIN_FILENO, F_GETFL) & O_ACCMODE;
  if (access == O_WRONLY) fail("standard input: cannot be read");
}

std::vector<std::string> read(const std::string& name, const ShouldStop& should_stop) {
  if (name == "-") check_standard_input();
  try {
    return read_lines(file_of(name));
  } catch (const Error&) {
    stop_if(should_stop);  // a signal may have interrupted the wait for input
    throw;
  }
}

}  // namespace

ScoredLines read_scored_lines(const std::string& hypotheses,
                              const std::vector<std::string>& references,
                              const ShouldStop& should_stop) {
  ScoredLines lines{read(hypotheses, should_stop), {}};
  const std::size_t expected = lines.hypotheses.size();
  for (const std::string& name : references) {
    lines.references.push_back(read(name, should_stop));
    const std::size_t got = lines.references.back().size();
    if (got != expected)
      fail(
          "{}: has {} {} and {} has {}; each line is scored against its reference, so give as many",
          file_of(hypotheses), expected, expected == 1 ? "line" : "lines", file_of(name), got);
  }
  stop_if(should_stop);
  return lines;
}

std::string to_json(const Metric& metric, const MetricScore& score) {
  nlohmann::ordered_json json = {{"metric", metric.name}};
  for (const auto& [name, value] : score.figures) {
    std::string pointer = "/" + name;
    std::replace(pointer.begin(), pointer.end(), '.', '/');
    json[nlohmann::ordered_json::json_pointer(pointer)] = value;
  }
  if (json.contains("score")) json["signature"] = score.signature;
  if (score.confusion) json["cells"] = confusion_json(*score.confusion);
  return json.dump();
}

std::string main_figures(const Metric& metric, const MetricScore& score) {
  std::vector<std::string> values;
  for (const std::string& name : metric.main)
    values.push_back(fmt::format("{:.4f}", score.at(name)));
  return fmt::format("{}", fmt::join(values, "\t"));
}

}  // namespace heed
