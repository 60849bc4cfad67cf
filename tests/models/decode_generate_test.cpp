#include "datasets/text/batch.h"
#include "layers/dropout.h"
#include "models/decode/generate.h"
#include "tests/message_of.h"
#include "tests/models/decoding.h"

namespace heed {
namespace {

/// Counts what a decoder is asked for.
class Counted : public Decoder {
 public:
  explicit Counted(const Model& model) : decoder_(model.decoder()) {}
  Index vocabulary() const override { return decoder_->vocabulary(); }
  bool continues() const override { return decoder_->continues(); }
  Index longest_output(Index source) const override { return decoder_->longest_output(source); }
  Variable logits(const Sequences&, const Sequences&, std::vector<AttentionMap>*) const override {
    return {};
  }
  std::unique_ptr<DecoderState> start(const Sequences& source) const override {
    ++starts;
    return std::make_unique<State>(decoder_->start(source), steps);
  }
  mutable int starts = 0;
  mutable int steps = 0;

 private:
  struct State : DecoderState {
    State(std::unique_ptr<DecoderState> state, int& steps)
        : inner(std::move(state)), count(steps) {}
    Index rows() const override { return inner->rows(); }
    void select(std::span<const Index> rows) override { inner->select(rows); }
    Tensor step(std::span<const Id> tokens) override {
      EXPECT_EQ(tokens.size(), 1u);
      ++count;
      return inner->step(tokens);
    }
    std::unique_ptr<DecoderState> inner;
    int& count;
  };
  std::unique_ptr<const Decoder> decoder_;
};

/// A language model that is far from uniform, and never ends a text by itself.
LanguageModel opinionated_language_model(Index context) {
  LanguageModel model = tiny_language_model(0, context);
  for (const auto& [name, p] : parameters(model)) {
    if (name == "embedding.weight")
      for (Real& x : p.value().span())
        x *= 4;
    // </s> points away from the constant part of what the output layer reads
    if (name == "norm.bias") std::fill_n(p.value().data(), p.value().size(), Real(0.5));
  }
  for (const auto& [name, p] : parameters(model))
    if (name == "embedding.weight")
      std::fill_n(p.value().data() + eos_id * p.value().columns(), p.value().columns(), Real(-9));
  return model;
}

struct Way {
  double temperature;
  Index top_k;
  double top_p;
  std::uint64_t seed;
  bool forbid_unk;
};
const std::vector<Way>& ways() {
  static const std::vector<Way> all = {{0, 0, 1, 1, false},     {1, 0, 1, 1, false},
                                       {1, 0, 1, 2, false},     {0.7, 5, 1, 3, false},
                                       {1.5, 0, 0.8, 4, false}, {2, 10, 0.9, 5, true},
                                       {0, 0, 1, 1, true},      {1, 0, 1, 1ull << 62, true}};
  return all;
}
GenerateOptions options_of(const Way& way, Index count) {
  return {.count = count,
          .temperature = way.temperature,
          .top_k = way.top_k,
          .top_p = way.top_p,
          .seed = way.seed,
          .forbid_unk = way.forbid_unk};
}
std::string name_of(const Way& way) {
  return fmt::format("temperature {}, k {}, p {}, seed {}{}", way.temperature, way.top_k, way.top_p,
                     way.seed, way.forbid_unk ? ", no <unk>" : "");
}

constexpr Index sample_length = 25;

/// What decode() draws, as the only sample of its only source.
std::vector<Id> sample_of(const Decoder& decoder, const std::vector<Id>& prompt, const Way& way) {
  return decode(decoder, Lines{prompt},
                {.nbest = 1,
                 .max_length = sample_length,
                 .forbid_unk = way.forbid_unk,
                 .sample = true,
                 .temperature = way.temperature,
                 .top_k = way.top_k,
                 .top_p = way.top_p,
                 .seed = way.seed})[0][0]
      .ids;
}

TEST(Generate, GivesTheTokensOfASample) {
  const LanguageModel lm = opinionated_language_model(9);
  const LanguageModel ending = tiny_language_model();
  const Transformer transformer = opinionated(3, tiny_vocabulary);
  const ConvS2S convolutional = tiny_convolutional();
  const Transformer copying = tiny_transformer(NormPlace::pre, 0, tiny_vocabulary, true);
  const std::vector<std::pair<const char*, const Model*>> models = {
      {"language model", &lm},
      {"language model that ends", &ending},
      {"transformer", &transformer},
      {"convolutional", &convolutional},
      {"copying", &copying}};
  for (const auto& [name, model] : models) {
    const auto decoder = model->decoder();
    for (const std::vector<Id>& prompt : random_lines({1, 4, 15}, 12))
      for (const Way& way : ways()) {
        std::vector<Id> heard;
        GenerateOptions o = options_of(way, sample_length);
        o.on_token = [&](Id id) { heard.push_back(id); };
        const std::vector<Id> got = generate(*decoder, prompt, o);
        const std::string what = fmt::format("{}, {}, {}", name, prompt.size(), name_of(way));
        EXPECT_EQ(got, sample_of(*decoder, prompt, way)) << what;
        EXPECT_EQ(heard, got) << what;
        if (model == &lm) {
          EXPECT_EQ(static_cast<Index>(got.size()), sample_length) << what;
        }
        if (way.forbid_unk) {
          EXPECT_EQ(std::count(got.begin(), got.end(), unk_id), 0) << what;
        }
      }
  }
}

TEST(Generate, WithoutTemperatureSaysTheLikeliestTokenAfterTheLastOfItsContext) {
  constexpr std::size_t context = 7;
  const LanguageModel model = opinionated_language_model(context);
  std::set<Id> said;
  for (const bool forbid_unk : {false, true})
    for (const std::vector<Id>& prompt : random_lines({1, 3, 7, 12}, 5)) {
      std::vector<Id> text = prompt;
      for (int i = 0; i < 20; ++i) {
        const std::size_t seen = std::min(context, text.size());
        std::vector<Real> logits = full_logits(model, {}, {text.end() - seen, text.end()});
        logits[pad_id] = logits[bos_id] = -INFINITY;
        if (forbid_unk) logits[unk_id] = -INFINITY;
        text.push_back(
            static_cast<Id>(std::max_element(logits.begin(), logits.end()) - logits.begin()));
        said.insert(text.back());
      }
      text.erase(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(prompt.size()));
      EXPECT_EQ(generate(model, prompt, {.count = 20, .temperature = 0, .forbid_unk = forbid_unk}),
                text);
    }
  EXPECT_GT(said.size(), 3u);
}

TEST(Generate, HandsOverEachTokenAfterOneStepAndStopsWhenAsked) {
  const LanguageModel lm = opinionated_language_model(6);
  for (const int stop : {0, 1, 5, 30}) {
    const Counted model(lm);
    int heard = 0;
    const std::vector<Id> prompt = {5, 6};
    const auto got = generate(model, prompt,
                              {.count = 20,
                               .on_token =
                                   [&](Id) {
                                     ++heard;
                                     EXPECT_EQ(model.steps, heard) << "no step ahead of it";
                                   },
                               .should_stop = [&] { return heard == stop; }});
    EXPECT_EQ(got.size(), static_cast<std::size_t>(std::min(stop, 20)));
    EXPECT_EQ(heard, std::min(stop, 20));
    EXPECT_EQ(model.steps, heard);
    EXPECT_EQ(model.starts, 1);
  }
  struct Enough {};
  EXPECT_THROW(generate(lm, std::vector<Id>{5}, {.on_token = [](Id) { throw Enough(); }}), Enough);
}

TEST(Generate, LeavesTheCallerItsDropout) {
  const LanguageModel lm = opinionated_language_model(6);
  generate(lm, std::vector<Id>{5},
           {.count = 2, .on_token = [](Id) { EXPECT_FALSE(NoDropout::active()); }});
}

TEST(Generate, WithADecoderPreparesOnce) {
  const LanguageModel lm = opinionated_language_model(6);
  const auto decoder = lm.decoder();
  for (const std::vector<Id>& prompt : random_lines({2, 9}, 6))
    EXPECT_EQ(generate(*decoder, prompt, {.count = 12}), generate(lm, prompt, {.count = 12}));
}

TEST(Generate, EndsWhereThePositionsEnd) {
  const ConvS2S convolutional = tiny_convolutional(true, 0, 3, 6);
  EXPECT_LE(generate(convolutional, std::vector<Id>{5, 6}, {}).size(), 6u);
}

TEST(GenerateOptions, AreListedAndChecked) {
  GenerateOptions o;
  const Fields fields = fields_of(o);
  EXPECT_EQ(fields.keys(), (std::vector<std::string>{"count", "temperature", "top_k", "top_p",
                                                     "seed", "forbid_unk"}));
  EXPECT_EQ(fields.find("count")->option(), "tokens");
  const LanguageModel lm = tiny_language_model();
  const struct {
    GenerateOptions options;
    std::vector<Id> prompt;
    const char* message;
  } rows[] = {
      {{.count = 0}, {5}, "[generate] count: expected a whole number above 0; got 0"},
      {{.temperature = -1},
       {5},
       "[generate] temperature: expected a number from 0 to 1000; got -1"},
      {{.top_k = -1}, {5}, "[generate] top_k: expected a whole number of at least 0; got -1"},
      {{.top_p = 2}, {5}, "[generate] top_p: expected a number from 0 to 1; got 2"},
      {{.seed = 1ull << 63},
       {5},
       "[generate] seed: expected a whole number from 0 to 9223372036854775807; got "
       "9223372036854775808"},
      {{},
       {},
       "[generate] a language model goes on from a text: expected at least one token; got none in "
       "source 0"},
  };
  for (const auto& row : rows)
    EXPECT_EQ(message_of([&] { generate(lm, row.prompt, row.options); }), row.message);
}

}  // namespace
}  // namespace heed
