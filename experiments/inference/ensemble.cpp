#include "experiments/inference/ensemble.h"

#include "datasets/text/special_ids.h"
#include "experiments/inference/tokenizer_files.h"
#include "models/ensemble.h"

namespace heed {

namespace {

/// What a vocabulary is, for people: "bpe, 8000 tokens".
std::string vocabulary_text(const Tokenizers& t) {
  const std::string target = t.joint() ? "" : fmt::format(" and {}", t.target->size());
  return fmt::format("{}, {}{} tokens", t.source->kind(), t.source->size(), target);
}

void check_translates(const Run& run, const std::string& name) {
  const Task& task = run.settings.task.row();
  if (!task.decodes || !task.reads_pairs)
    fail("{}: its task is {}; only models from text to text decode together, so give one run", name,
         task.name);
}

void check_same_vocabulary(const Run& a, const std::string& name_a, const Run& b,
                           const std::string& name_b) {
  if (fingerprint_of(a.tokenizers) == fingerprint_of(b.tokenizers)) return;
  const std::string text_a = vocabulary_text(a.tokenizers);
  const std::string text_b = vocabulary_text(b.tokenizers);
  fail(
      "{} and {} have different vocabularies ({}; {}{}); models decode together where each id "
      "means the same: train them on the same data with the same settings of data",
      name_a, name_b, text_a, text_b, text_a == text_b ? ", but others" : "");
}

}  // namespace

Run ensemble_of(std::vector<Run> runs, const std::vector<std::string>& names) {
  check(!runs.empty() && runs.size() == names.size(), "ensemble_of",
        "expected a name for each of at least one run; got {} runs and {} names", runs.size(),
        names.size());
  if (runs.size() == 1) return std::move(runs[0]);
  for (std::size_t i = 0; i < runs.size(); ++i)
    check_translates(runs[i], names[i]);
  for (std::size_t i = 1; i < runs.size(); ++i)
    check_same_vocabulary(runs[0], names[0], runs[i], names[i]);
  std::vector<std::unique_ptr<Seq2Seq>> models;
  for (Run& run : runs) {
    auto* model = dynamic_cast<Seq2Seq*>(run.model.get());
    check(model != nullptr, "ensemble_of", "expected models from text to text");
    models.emplace_back(model);
    static_cast<void>(run.model.release());
  }
  Run ensemble = std::move(runs[0]);
  ensemble.replace_model(std::make_unique<Ensemble>(std::move(models), unk_id));
  return ensemble;
}

Run open_ensemble(const std::vector<std::string>& folders, const std::string& checkpoint,
                  const CheckConfig& check) {
  std::vector<Run> runs;
  for (const std::string& folder : folders)
    runs.push_back(open_run(folder, checkpoint, check));
  return ensemble_of(std::move(runs), folders);
}

}  // namespace heed
