// A line alone is translated as among others, a blank line has no output, and scoring an output
// gives the probability that the search found it with.
#include <cmath>

#include <heed/heed.h>

int main() {
  const heed::Run run = heed::open_run("runs/copy");
  const std::vector<std::string> lines = {"a b c d", "", "x y z"};
  heed::DecodeOptions options = run.decode_options();
  options.length_penalty = 0;
  const std::vector<heed::Translation> all = run.translate(lines, options);
  if (all.size() != 3 || all[0].text.empty() || !all[1].text.empty()) return 1;
  if (run.translate("x y z", options).text != all[2].text) return 1;
  const std::vector<std::string> outputs = {all[0].text, all[2].text};
  const heed::TargetScores scored =
      heed::target_scores(run, std::vector{lines[0], lines[2]}, outputs);
  return std::abs(scored.scores.at(1).log_probability - all[2].log_probability) < 1e-3 ? 0 : 1;
}
