// Twenty steps of a tiny Transformer that copies, with a loop of its own. Expected: the loss falls
// by more than a tenth.

#include <cstdio>

#include <heed/heed.h>

int main() {
  using namespace heed;
  const auto pairs = toy::open("copy", Split::train, 1);
  const auto tokenizer = train_tokenizer("words", {}, [&](const TakeLine& take) {
    for (Index i = 0; i < 100; ++i)
      take(pairs->at(i).source);
  });
  PairBatches batches(*pairs, tokenizer, {.batch_tokens = 512, .window = 256});
  Random random(1);
  Transformer model(
      {.vocabulary = tokenizer->size(), .d = 32, .layers = 1, .heads = 2, .dropout = 0}, random);
  Adam adam(model, {.lr = 3e-3});
  Real first = 0;
  Real last = 0;
  for (int step = 1; step <= 20; ++step) {
    const Batch batch = batches.next();
    Tape tape;
    const Variable loss =
        model.loss(batch.source, batch.target, batch.gold, {.ignore = ignored_id});
    tape.backward(loss);
    adam.step();
    adam.clear_gradients();
    last = loss.item();
    if (step == 1) first = last;
  }
  std::printf("heed %s: loss %.3f after 20 steps, %.3f after the first\n", version(),
              static_cast<double>(last), static_cast<double>(first));
  return last < Real(0.9) * first ? 0 : 1;
}
