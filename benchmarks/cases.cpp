#include "benchmarks/cases.h"

#include <algorithm>
#include <type_traits>

#include "datasets/text/batch.h"
#include "framework/error.h"
#include "models/convolutional.h"
#include "models/language_model.h"
#include "models/recurrent_seq2seq.h"
#include "models/transformer.h"
#include "optim/clip.h"

namespace heed::bench {

namespace {

constexpr Index words = 8000;
constexpr Index symbols = 65;
constexpr Real smoothing = Real(0.1);

using MakeModel = decltype(Case::make_model);

/// A model M with its loss.
template <class M, class Options>
CaseModel make(const Options& options, Random& random) {
  auto model = std::make_unique<M>(options, random);
  const auto loss = [m = model.get()](const Batch& batch, const CrossEntropy& settings) {
    if constexpr (std::is_same_v<M, LanguageModel>)
      return m->loss(batch.target, batch.gold, settings);
    else
      return m->loss(batch.source, batch.target, batch.gold, settings);
  };
  return {std::move(model), loss};
}

MakeModel transformer(Index d, int heads, Index ff, int layers) {
  return [=](Random& random, const Case& c) {
    return make<Transformer>(TransformerOptions{.vocabulary = c.vocabulary,
                                                .d = d,
                                                .layers = layers,
                                                .heads = heads,
                                                .ff = ff,
                                                .norm = NormPlace::post},
                             random);
  };
}

MakeModel language_model(Index d, int heads, int layers) {
  return [=](Random& random, const Case& c) {
    return make<LanguageModel>(LanguageModelOptions{.vocabulary = c.vocabulary,
                                                    .d = d,
                                                    .layers = layers,
                                                    .heads = heads,
                                                    .context = c.size.target},
                               random);
  };
}

/// A bidirectional LSTM encoder of `d` for each direction, an LSTM decoder, and additive attention
/// (Bahdanau et al. 2015).
MakeModel recurrent(Index d) {
  return [=](Random& random, const Case& c) {
    return make<RecurrentSeq2Seq>(
        RecurrentSeq2SeqOptions{
            .vocabulary = c.vocabulary, .d = d, .attention = "additive", .encoder_hidden = d},
        random);
  };
}

MakeModel convolutional(Index d, int layers) {
  return [=](Random& random, const Case& c) {
    return make<ConvS2S>(
        ConvS2SOptions{.vocabulary = c.vocabulary, .d = d, .layers = layers, .weight_norm = false},
        random);
  };
}

const Case& named(const std::vector<Case>& all, std::string_view name) {
  for (const Case& c : all)
    if (c.name == name) return c;
  fail("no case '{}'", name);
}

}  // namespace

Batch Case::batch(Random& random) const {
  Batch result;
  if (size.source > 0) {
    result.source = pack(random_lines(size.count, size.source, random, vocabulary));
    result.target = pack(random_lines(size.count, size.target, random, vocabulary));
  } else {
    const std::vector<Index> lengths(static_cast<std::size_t>(size.count), size.target);
    result.target = {Ids({size.positions()}), Spans::packed(lengths)};
    for (Id& id : result.target.ids.span())
      id = static_cast<Id>(random.below(vocabulary));
  }
  const Index first = size.source > 0 ? first_free_id : 1;  // TrainingStep ignores gold id 0
  result.gold = Ids(result.target.ids.shape());
  for (Id& id : result.gold.span())
    id = static_cast<Id>(first + static_cast<Index>(random.below(vocabulary - first)));
  return result;
}

std::vector<std::vector<Id>> random_lines(Index count, Index n, Random& random, Index vocabulary) {
  std::vector<std::vector<Id>> lines(static_cast<std::size_t>(count));
  for (auto& line : lines) {
    const std::uint64_t extra = random.below(static_cast<std::uint64_t>(n - n / 2) + 1);
    line.resize(static_cast<std::size_t>(n / 2) + extra);
    for (Id& id : line)
      id = first_free_id + static_cast<Id>(random.below(vocabulary - first_free_id));
  }
  return lines;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"tiny", {64, 20, 20}, words, smoothing, transformer(128, 4, 512, 2)},
      {"small", {64, 20, 20}, words, smoothing, transformer(256, 4, 1024, 3)},
      {"base", {32, 32, 32}, words, smoothing, transformer(512, 8, 2048, 6)},
      {"summ", {16, 400, 30}, words, smoothing, transformer(256, 4, 1024, 3)},
      {"rnn", {64, 20, 20}, words, smoothing, recurrent(256)},
      {"conv", {64, 20, 20}, words, smoothing, convolutional(256, 4)},
      {"chargpt", {12, 0, 64}, symbols, 0, language_model(128, 4, 4)},
      {"gptlong", {4, 0, 1024}, symbols, 0, language_model(256, 4, 4)},
  };
  return all;
}

const std::vector<Case>& counted_cases() {
  static const std::vector<Case> all = {
      {"transformer", {12, 12, 12}, 1000, smoothing, transformer(64, 2, 256, 2)},
      {"lm", {4, 0, 64}, symbols, 0, language_model(64, 2, 3)},
      {"rnn", {12, 12, 12}, 1000, smoothing, recurrent(64)},
      {"conv", {12, 12, 12}, 1000, smoothing, convolutional(64, 3)},
  };
  return all;
}

const Case& find_case(std::string_view name) { return named(cases(), name); }
const Case& find_counted_case(std::string_view name) { return named(counted_cases(), name); }

TrainingStep::TrainingStep(const Case& which, Random& random)
    : of_(which.model(random)),
      adam_(*of_.model, {.lr = Real(3e-4)}),
      label_smoothing_(which.label_smoothing) {
  step_random() = Random(1);  // dropout
}

Real TrainingStep::operator()(const Batch& batch, TapeOptions options,
                              const std::function<void(const Tape&)>& look) {
  const auto start = std::chrono::steady_clock::now();
  adam_.clear_gradients();
  const double cleared = seconds_since(start);
  Tape tape(options);
  const Variable loss =
      of_.loss(batch, {.label_smoothing = label_smoothing_, .ignore = ignored_id});
  tape.backward(loss);
  const auto computed = std::chrono::steady_clock::now();
  clip_gradients(*of_.model, 1);
  adam_.step();
  update_ms_ = (cleared + seconds_since(computed)) * 1e3;
  if (look) look(tape);
  return loss.item();
}

Checkpoint TrainingStep::checkpoint() const {
  Checkpoint result = weights();
  put(result, "optimizer.", adam_.state());
  return result;
}

Checkpoint TrainingStep::weights() const {
  Checkpoint result;
  put(result, "model.", *of_.model);
  return result;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median_seconds(double seconds, const std::function<void()>& act) {
  std::vector<double> times;
  const auto start = std::chrono::steady_clock::now();
  while (seconds_since(start) < seconds || times.size() < 5) {
    const auto begin = std::chrono::steady_clock::now();
    act();
    times.push_back(seconds_since(begin));
  }
  std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2),
                   times.end());
  return times[times.size() / 2];
}

}  // namespace heed::bench
