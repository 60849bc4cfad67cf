// SCAN (Lake and Baroni 2018): commands such as "jump left twice and walk" become the actions they
// mean. ConvS2S learns them from examples alone; the split, the one argument, decides which: simple
// (at random), length, or add_jump. Expected: at least 99.5 % of the unseen commands of `simple`
// without a mistake, in a minute or two on two cores. Measured: simple 99.95 %, add_jump 1.05 %;
// length is not measured yet. Only the first is checked.

#include "datasets/toy/scan.h"

#include <algorithm>
#include <string>

#include <fmt/core.h>

#include "datasets/batching.h"
#include "datasets/metrics/exact.h"
#include "layers/seq2seq/convolutional.h"
#include "layers/seq2seq/decode.h"
#include "optim/clip.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"

using namespace heed;

int main(int argc, char** argv) {
  const std::string split = argc > 1 ? argv[1] : "simple";
  toy::ScanSplit scan = toy::scan(split);
  for (auto* pairs : {&scan.train, &scan.test})
    // "I-TURN-LEFT": one word to the tokenizer
    for (Pair& pair : *pairs)
      std::replace(pair.target.begin(), pair.target.end(), '_', '-');
  const MemoryPairs train(scan.train);
  const auto tokenizer = train_tokenizer("words", {}, [&](const TakeLine& take) {
    for (const Pair& pair : scan.train) {
      take(pair.source);
      take(pair.target);
    }
  });
  PairBatches batches(train, tokenizer, {.batch_tokens = 2048});

  Random random(1);
  ConvS2S model({.vocabulary = tokenizer->size(),
                 .d = 64,
                 .layers = 4,
                 .kernel = 5,
                 .positions = 64,
                 .dropout = 0},
                random);
  Adam adam(model, {.lr = 3e-3});
  const Schedule schedule{.kind = Schedule::Kind::cosine, .warmup = 100};
  constexpr Index steps = 4000;
  fmt::print("{} commands to train, {} to test, {} parameters\n", scan.train.size(),
             scan.test.size(), parameter_count(model));
  for (Index step = 1; step <= steps; ++step) {
    const Batch batch = batches.next();
    Tape tape;
    const Variable loss = model.loss(batch, {.ignore = ignored_id});
    tape.backward(loss);
    clip_gradients(model, 1);
    adam.step(adam.lr() * schedule.factor_of(step, steps));
    adam.clear_gradients();
    if (step % 500 == 0) fmt::print("step {:4}  loss {:.4f}\n", step, loss.item());
  }

  std::vector<std::vector<Id>> commands;
  std::vector<std::string> outputs;
  std::vector<std::string> references;
  for (const Pair& pair : scan.test) {
    commands.push_back(tokenizer->encode(pair.source));
    commands.back().push_back(eos_id);
    references.push_back(pair.target);
  }
  const Evaluating evaluating(model);
  for (std::size_t i = 0; i < commands.size(); i += 256) {
    const auto group =
        std::span(commands).subspan(i, std::min<std::size_t>(256, commands.size() - i));
    for (const auto& best : decode(model, group, {.beam = 1, .max_length = 60}))
      outputs.push_back(tokenizer->decode(best.front().ids));
  }
  const double exact = 100 * exact_match(outputs, references);
  fmt::print("{}: {:.2f} % of {} unseen commands carried out without a mistake\n", split, exact,
             commands.size());
  if (split != "simple") return 0;
  if (exact < 99.5) fmt::print("missed: expected at least 99.5 %\n");
  return exact < 99.5 ? 1 : 0;
}
