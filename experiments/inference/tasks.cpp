#include "experiments/inference/tasks.h"

#include "datasets/text/labels.h"
#include "experiments/inference/run_settings.h"
#include "layers/pooling.h"
#include "models/classifier.h"

namespace heed {

namespace {

Task translate() {
  return {.name = "translate",
          .help = "a text to a text: translation, summaries",
          .takes = [](const ModelFamily& family) { return family.make != nullptr; },
          .make = [](const RunSettings& s, const Tokenizers& tokenizers,
                     Random& random) -> std::unique_ptr<Model> {
            const VocabularySizes sizes{
                .target = tokenizers.target->size(),
                .source = tokenizers.joint() ? 0 : tokenizers.source->size()};
            return s.model.family().make(s.model.options, sizes, random);
          }};
}

/// The settings of the task classify.
struct ClassifyOptions {
  std::string pool = "auto";

  void list(Fields& f) {
    std::vector<std::string> kinds = poolings().names();
    kinds.insert(kinds.begin(), "auto");
    f("pool", pool, one_of(kinds),
      fmt::format("how the rows of a text become one: {} (auto: what is usual for the model)",
                  fmt::join(poolings().names(), ", ")));
  }
};

std::unique_ptr<Model> make_classifier(const RunSettings& s, const Tokenizers& tokenizers,
                                       Random& random) {
  const ModelFamily& family = s.model.family();
  const auto& own = s.task.options.as<ClassifyOptions>();
  const ClassifierOptions options{.classes = tokenizers.labels ? tokenizers.labels->size() : 0,
                                  .pool = own.pool == "auto" ? family.pool : own.pool,
                                  .dropout = static_cast<Real>(s.value_or("model.dropout", 0.0))};
  std::unique_ptr<Encoder> encoder = family.make_encoder(s.model.options, random);
  std::unique_ptr<FrontEnd> front_end = s.source.row().front_end(
      s.source.options, tokenizers, encoder->width_in(), encoder->input_deviation(), random);
  return std::make_unique<Classifier>(options, std::move(front_end), std::move(encoder), random);
}

Task classify() {
  return {.name = "classify",
          .help = "a text or a picture to a label",
          .options = ClassifyOptions{},
          .defaults = {{"train.label_smoothing", 0.0}, {"data.long", std::string("cut")}},
          .labelled = true,
          .decodes = false,
          .takes = [](const ModelFamily& family) { return family.make_encoder != nullptr; },
          .make = make_classifier};
}

Task language_modelling() {
  return {.name = "lm",
          .help = "the next token of a text",
          .reads_pairs = false,
          .takes = [](const ModelFamily& family) { return family.make_language_model != nullptr; },
          .make = [](const RunSettings& s, const Tokenizers& tokenizers,
                     Random& random) -> std::unique_ptr<Model> {
            return s.model.family().make_language_model(s.model.options, tokenizers.target->size(),
                                                        random);
          }};
}

}  // namespace

Registry<Task>& tasks() {
  static Registry<Task> table("task", {translate(), classify(), language_modelling()});
  return table;
}

const Task& usual_task(const ModelFamily& family) {
  for (const Task& task : tasks().rows())
    if (task.takes(family)) return task;
  fail("model {} is made for no task", family.name);
}

}  // namespace heed
