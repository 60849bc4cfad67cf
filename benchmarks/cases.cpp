#include "benchmarks/cases.h"

#include <algorithm>
#include <iostream>

#include "framework/error.h"
#include "layers/seq2seq/convolutional.h"
#include "layers/seq2seq/language_model.h"
#include "layers/seq2seq/recurrent.h"
#include "layers/seq2seq/transformer.h"
#include "optim/clip.h"

namespace heed::bench {

namespace {

constexpr Index vocabulary = 8000, symbols = 65;

std::function<std::unique_ptr<Seq2Seq>(Random&)> transformer(Index d, int heads, Index ff, int layers) {
  return [=](Random& random) {
    return std::make_unique<Transformer>(
        TransformerOptions{.vocabulary = vocabulary, .d = d, .layers = layers, .heads = heads, .ff = ff, .norm = NormPlace::post}, random);
  };
}

std::function<std::unique_ptr<Seq2Seq>(Random&)> language_model(Index d, int heads, int layers, Index context) {
  return [=](Random& random) {
    return std::make_unique<LanguageModel>(
        LanguageModelOptions{.vocabulary = symbols, .d = d, .layers = layers, .heads = heads, .context = context}, random);
  };
}

/// Bidirectional LSTM encoder of `d` per direction, LSTM decoder, additive attention (Bahdanau et al. 2015).
std::function<std::unique_ptr<Seq2Seq>(Random&)> recurrent(Index d) {
  return [=](Random& random) {
    return std::make_unique<RecurrentSeq2Seq>(
        RecurrentSeq2SeqOptions{.vocabulary = vocabulary, .d = d, .attention = "additive", .encoder_hidden = d}, random);
  };
}

std::function<std::unique_ptr<Seq2Seq>(Random&)> convolutional(Index d, int layers) {
  return [=](Random& random) {
    return std::make_unique<ConvS2S>(ConvS2SOptions{.vocabulary = vocabulary, .d = d, .layers = layers, .weight_norm = false}, random);
  };
}

std::function<Batch(Random&)> pairs(Index count, Index source, Index target) {
  return [=](Random& random) {
    Batch batch{.source = pack(random_lines(count, source, random)), .target = pack(random_lines(count, target, random)), .gold = {}, .lines = {}};
    batch.gold = Ids(batch.target.ids.shape());
    for (Id& id : batch.gold.span()) id = first_free_id + static_cast<Id>(random.below(vocabulary - first_free_id));
    return batch;
  };
}

std::function<Batch(Random&)> characters(Index count, Index context) {
  return [=](Random& random) {
    const std::vector<Index> lengths(static_cast<std::size_t>(count), context);
    Batch batch;
    batch.target = {Ids({count * context}), Spans::packed(lengths)};
    batch.gold = Ids({count * context});
    for (Id& id : batch.target.ids.span()) id = static_cast<Id>(random.below(symbols));
    for (Id& id : batch.gold.span()) id = 1 + static_cast<Id>(random.below(symbols - 1));  // 0 would be ignored
    return batch;
  };
}

}  // namespace

std::vector<std::vector<Id>> random_lines(Index count, Index n, Random& random) {
  std::vector<std::vector<Id>> lines(static_cast<std::size_t>(count));
  for (auto& line : lines) {
    line.resize(static_cast<std::size_t>(n / 2) + random.below(static_cast<std::uint64_t>(n - n / 2) + 1));
    for (Id& id : line) id = first_free_id + static_cast<Id>(random.below(vocabulary - first_free_id));
  }
  return lines;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"tiny", 64 * 40, Real(0.1), transformer(128, 4, 512, 2), pairs(64, 20, 20)},
      {"small", 64 * 40, Real(0.1), transformer(256, 4, 1024, 3), pairs(64, 20, 20)},
      {"base", 32 * 64, Real(0.1), transformer(512, 8, 2048, 6), pairs(32, 32, 32)},
      {"summ", 16 * 430, Real(0.1), transformer(256, 4, 1024, 3), pairs(16, 400, 30)},
      {"rnn", 64 * 40, Real(0.1), recurrent(256), pairs(64, 20, 20)},
      {"conv", 64 * 40, Real(0.1), convolutional(256, 4), pairs(64, 20, 20)},
      {"chargpt", 12 * 64, 0, language_model(128, 4, 4, 64), characters(12, 64)},
      {"gptlong", 4 * 1024, 0, language_model(256, 4, 4, 1024), characters(4, 1024)},
  };
  return all;
}

const Case& find_case(std::string_view name) {
  for (const Case& c : cases())
    if (c.name == name) return c;
  fail("no case '{}'", name);
}

TrainingStep::TrainingStep(const Case& which, Random& random)
    : model_(which.model(random)), adam_(*model_, {.lr = Real(3e-4)}), label_smoothing_(which.label_smoothing) {
  step_random() = Random(1);  // dropout
}

Real TrainingStep::operator()(const Batch& batch, TapeOptions options) {
  adam_.clear_gradients();
  Tape tape(options);
  const Variable loss = model_->loss(batch, {.label_smoothing = label_smoothing_, .ignore = ignored_id});
  tape.backward(loss);
  clip_gradients(*model_, 1);
  adam_.step();
  if (options.profile) tape.print(std::cerr);
  return loss.item();
}

Checkpoint TrainingStep::checkpoint() const {
  Checkpoint result = weights();
  put(result, "optimizer.", adam_.state());
  return result;
}

Checkpoint TrainingStep::weights() const {
  Checkpoint result;
  put(result, "model.", *model_);
  return result;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median_seconds(double seconds, const std::function<void()>& act) {
  std::vector<double> times;
  for (const auto start = std::chrono::steady_clock::now(); seconds_since(start) < seconds || times.size() < 5;) {
    const auto begin = std::chrono::steady_clock::now();
    act();
    times.push_back(seconds_since(begin));
  }
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
  return times[times.size() / 2];
}

}  // namespace heed::bench
