#include "datasets/text/special_ids.h"
#include "datasets/text/text_windows.h"
#include "optim/optimizer.h"
#include "tests/models/decoding.h"

// What a language model puts after a text, with every way to decode.

namespace heed {
namespace {

constexpr Index period = 8;  // the text: 4 5 6 ... 11 4 5 ...
Id next_of(Id id) { return id + 1 == first_free_id + period ? first_free_id : id + 1; }

/// `count` tokens of the text, from `first` on.
std::vector<Id> periodic(Id first, Index count) {
  std::vector<Id> ids;
  for (Index i = 0; i < count; ++i) {
    ids.push_back(first);
    first = next_of(first);
  }
  return ids;
}

LanguageModel trained_on_periods() {
  TextWindows windows(periodic(first_free_id, 200), {}, {.context = 12, .batch = 8});
  Random random(1);
  LanguageModel model({.vocabulary = first_free_id + period,
                       .d = 16,
                       .layers = 1,
                       .heads = 2,
                       .ff = 32,
                       .context = 12},
                      random);
  Adam adam(model, {.lr = 1e-2});
  for (int step = 0; step < 150; ++step) {
    Tape tape;
    tape.backward(loss_of(model, windows.next(), {}));
    adam.step();
    adam.clear_gradients();
  }
  set_training(model, false);
  return model;
}

/// Ways to decode that give the same output with a model as certain as this one.
struct DecodingRow {
  const char* name;
  DecodeOptions options;
};
const std::vector<DecodingRow>& decoding_rows() {
  static const std::vector<DecodingRow> all = {
      {"greedy", {.beam = 1}},
      {"beam", {.beam = 4}},
      {"without length penalty", {.beam = 3, .length_penalty = 0}},
      {"n best", {.beam = 4, .nbest = 3}},
      {"sampling", {.sample = true, .temperature = 0}},
      {"the likeliest alone", {.nbest = 2, .sample = true, .top_k = 1}},
  };
  return all;
}

/// The likeliest tokens, by start() and step().
std::vector<Id> by_steps(const LanguageModel& model, const std::vector<Id>& text, Index count) {
  const auto decoder = model.decoder();
  const auto state = decoder->start(pack({std::vector<Id>(text.begin(), text.end() - 1)}));
  std::vector<Id> out;
  Id latest = text.back();
  for (Index i = 0; i < count; ++i) {
    const Tensor logits = state->step(std::span(&latest, 1));
    latest = static_cast<Id>(std::max_element(logits.data(), logits.data() + logits.size()) -
                             logits.data());
    out.push_back(latest);
  }
  return out;
}

TEST(LanguageModel, GoesOnWithTheTextItWasTrainedOn) {
  const LanguageModel model = trained_on_periods();
  // Texts shorter than the context, as long, and longer; outputs within it and past it.
  for (const auto& [length, count] : std::vector<std::pair<Index, Index>>{
           {1, 5}, {3, 5}, {11, 1}, {12, 1}, {12, 20}, {13, 3}, {40, 9}, {4, 60}}) {
    const std::vector<Id> text = periodic(7, length);

    const std::vector<Id> expected =
        periodic(static_cast<Id>(first_free_id + (length + 3) % period), count);
    const std::string what = fmt::format("{} tokens after {}", count, length);
    EXPECT_EQ(by_steps(model, text, count), expected) << what;
    for (const DecodingRow& row : decoding_rows()) {
      DecodeOptions o = row.options;
      o.min_length = count;
      o.max_length = count;
      const auto found = decode(model, Lines{{5, 6}, text}, o);  // beside a text of another length
      EXPECT_EQ(found[1][0].ids, expected) << row.name << ": " << what;
      EXPECT_EQ(decode(model, text, o)[0].ids, expected) << row.name << " alone: " << what;
      EXPECT_GT(found[1][0].log_probability, -1) << row.name << ": " << what;
    }
  }
}

TEST(LanguageModel, ScoresTheTextItWasTrainedOn) {
  const LanguageModel model = trained_on_periods();
  const Lines texts = {periodic(5, 3), periodic(9, 1)};
  const Lines right = {periodic(8, 4), periodic(10, 6)};
  const Lines wrong = {periodic(9, 4), periodic(5, 6)};
  const auto good = score_targets(model, texts, right);
  const auto bad = score_targets(model, texts, wrong);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_GT(good[i].log_probability, -0.5) << i;
    EXPECT_LT(bad[i].log_probability, -3) << i;
    const auto found =
        decode(model, texts[i], {.beam = 1, .max_length = static_cast<Index>(right[i].size())});
    EXPECT_NEAR(found[0].log_probability, good[i].log_probability, 1e-4) << i;
  }
}

/// A model sees only the last tokens of a text longer than the context, as if the text began there.
TEST(LanguageModel, SeesTheLastTokensOfItsContext) {
  constexpr Index context = 9;
  const LanguageModel model = tiny_language_model(0, context);
  const auto decoder = model.decoder();
  const std::vector<std::vector<Index>> selections = {{0, 1, 2, 3}, {3, 2, 1, 0}, {0, 0, 2, 3},
                                                      {1, 3, 0},    {2, 1, 0, 0}, {0, 1, 2, 3}};
  for (const std::vector<Index>& lengths : {std::vector<Index>{0, 4, 8, 9},
                                            {10, 3, 30, 7},
                                            {8, 8, 8, 8},
                                            {9, 9, 9, 9},
                                            {20, 21, 22, 23},
                                            {0, 0, 0, 0}}) {
    Lines texts = random_lines(lengths, 41);
    const auto state = decoder->start(pack(texts));
    Random random(17);
    for (const std::vector<Index>& chosen : selections) {
      std::vector<Id> tokens;
      for (auto& text : texts) {
        text.push_back(first_free_id + static_cast<Id>(random.below(20)));
        tokens.push_back(text.back());
      }
      const Tensor logits = state->step(tokens);
      for (std::size_t r = 0; r < texts.size(); ++r) {
        const auto seen =
            std::min<std::ptrdiff_t>(context, static_cast<std::ptrdiff_t>(texts[r].size()));
        const std::vector<Id> window(texts[r].end() - seen, texts[r].end());
        const auto row = static_cast<Index>(r);
        EXPECT_LE(difference(logits.slice(row, row + 1).span(), full_logits(model, {}, window)),
                  10 * close)
            << "after " << texts[r].size() << " tokens";
      }
      state->select(chosen);
      Lines next;
      for (Index r : chosen)
        next.push_back(texts[static_cast<std::size_t>(r)]);
      texts = next;
    }
  }
}

TEST(LanguageModel, NeedsATextToGoOnFrom) {
  const LanguageModel model = tiny_language_model();
  const Lines texts = {{5, 6}, {}};
  const auto message = [](const std::function<void()>& f) -> std::string {
    try {
      f();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const std::string wanted =
      "a language model goes on from a text: expected at least one token; got none in source 1";
  EXPECT_EQ(message([&] { decode(model, texts, {}); }), "[decode] " + wanted);
  EXPECT_EQ(message([&] { decode(model, texts, {.sample = true}); }), "[decode] " + wanted);
  EXPECT_EQ(message([&] { decode(*model.decoder(), texts, {}); }), "[decode] " + wanted);
  EXPECT_EQ(message([&] { score_targets(model, texts, texts); }), "[score_targets] " + wanted);
  EXPECT_EQ(decode(tiny_transformer(), texts, {}).size(), 2u)
      << "an empty source is one to a model that reads sources";
}

}  // namespace
}  // namespace heed
