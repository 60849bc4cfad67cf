#include "experiments/inference/target_scores.h"

#include "datasets/text/special_ids.h"
#include "datasets/text/utf8.h"
#include "framework/sequences.h"

namespace heed {

TargetScores target_scores(const Run& run, std::span<const std::string> lines,
                           std::span<const std::string> targets) {
  check(lines.size() == targets.size(), "target_scores", "expected {} targets; got {}",
        lines.size(), targets.size());
  TargetScores result;
  std::vector<std::vector<Id>> sources;
  std::vector<std::vector<Id>> golds;
  const auto longest = static_cast<std::size_t>(run.model->longest());  // 0: any length
  for (std::size_t i = 0; i < lines.size(); ++i) {
    std::vector<std::string> extra;
    std::vector<Id> source = encode_source(run.decoder(), run.tokenizers, lines[i], extra);
    std::vector<Id> target = run.tokenizers.target->encode(utf8::trim(targets[i]), extra);
    if (source.empty()) source.push_back(eos_id);
    if (longest > 0 && target.size() + 1 > longest) {
      result.problem =
          fmt::format("has {} tokens; the model can place {}", target.size(), longest - 1);
      break;
    }
    sources.push_back(std::move(source));
    golds.push_back(std::move(target));
  }
  result.scores = score_targets(run.decoder(), sources, golds, std::nullopt, special_ids());
  return result;
}

}  // namespace heed
