#include "framework/partial_loading.h"

#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include "framework/error.h"
#include "framework/freezing.h"
#include "framework/ops.h"
#include "framework/parameter_patterns.h"
#include "tests/message_of.h"

namespace heed {
namespace {

using Names = std::vector<std::string>;

struct MatchRow {
  const char* pattern;
  const char* name;
  bool expected;
};
const MatchRow match_rows[] = {
    {"a", "a", true},
    {"a", "ab", false},
    {"a", "", false},
    {"", "", true},
    {"*", "", true},
    {"*", "a.b", true},
    {"a*", "a", true},
    {"a*", "ba", false},
    {"*a", "ba", true},
    {"*a", "ab", false},
    {"?", "a", true},
    {"?", "", false},
    {"??", "a", false},
    {"a?c", "abc", true},
    {"a?c", "a.c", true},
    {"encoder.*", "encoder.0.weight", true},
    {"encoder.*", "encoder_norm.gain", false},
    {"encoder*", "encoder_norm.gain", true},
    {"*.bias", "encoder.0.bias", true},
    {"*.bias", "bias", false},
    {"*.0.*", "encoder.0.bias", true},
    {"*.0.*", "encoder.10.bias", false},
    {"a*b*c", "aXbYbZc", true},
    {"a*b*c", "aXbYbZ", false},
    {"*a*a*", "a", false},
    {"**", "x", true},
    {"a**", "a", true},
    {"*ab", "aab", true},
    {"[ab]", "a", false},
    {"[ab]", "[ab]", true},
    {"A", "a", false},
};

TEST(ParameterPatterns, MatchWholeNames) {
  for (const MatchRow& row : match_rows)
    EXPECT_EQ(matches(row.pattern, row.name), row.expected) << row.pattern << " and " << row.name;
}

/// Many stars and a long name that they nearly match take quadratic time, not exponential time.
TEST(ParameterPatterns, ManyStarsTakeLittleTime) {
  std::string stars;
  const std::string name(4000, 'a');
  for (int i = 0; i < 40; ++i)
    stars += "*a";
  EXPECT_FALSE(matches(stars + "b", name));
}

TEST(ParameterPatterns, ChooseAndExclude) {
  const Names all = {"embedding.weight", "encoder.0.bias", "encoder.0.weight", "encoder_norm.gain",
                     "output.bias"};
  const struct {
    Names patterns;
    std::vector<int> expected;
  } rows[] = {
      {{}, {0, 1, 2, 3, 4}},
      {{"*"}, {0, 1, 2, 3, 4}},
      {{"encoder.*"}, {1, 2}},
      {{"encoder*", "embedding*"}, {0, 1, 2, 3}},
      {{"!embedding*"}, {1, 2, 3, 4}},
      {{"!*.bias", "!*.gain"}, {0, 2}},
      {{"encoder*", "!*.bias"}, {2, 3}},
      {{"!*.bias", "encoder*"}, {2, 3}},  // the order does not matter
      {{"encoder.0.bias", "!encoder*"}, {}},
      {{"!*"}, {}},
      {{"nothing"}, {}},
  };
  for (const auto& row : rows) {
    const ParameterPatterns patterns(row.patterns);
    std::vector<int> chosen;
    for (std::size_t i = 0; i < all.size(); ++i)
      if (patterns.chooses(all[i])) chosen.push_back(static_cast<int>(i));
    EXPECT_EQ(chosen, row.expected) << fmt::format("{}", fmt::join(row.patterns, " "));
  }
  for (const Names& bad : {Names{""}, Names{"!"}, Names{"a", ""}})
    EXPECT_NE(message_of([&] { ParameterPatterns{bad}; }).find("an empty pattern"),
              std::string::npos);
  const Names both = {"embedding.weight", "output"};
  EXPECT_TRUE(ParameterPatterns({"output"}).chooses(both)) << "any of its names";
  EXPECT_FALSE(ParameterPatterns({"embedding*", "!output"}).chooses(both));
}

/// Has the names of a small encoder-decoder. Its output shares the embedding.
struct Net {
  Parameter embedding{Tensor::full({4, 2}, 1)};
  Parameter weight{Tensor::full({2, 3}, 2)};
  Parameter bias{Tensor::full({2}, 3)};
  Parameter decoder{Tensor::full({3}, 4)};
  Parameter output = embedding.share();
  void visit(Visitor& v) {
    v("embedding", embedding);
    v("encoder.weight", weight);
    v("encoder.bias", bias);
    v("decoder.weight", decoder);
    v("output", output);
  }
};

const std::vector<NamedTensor> fitting = {{"embedding", Tensor::full({4, 2}, 10)},
                                          {"encoder.weight", Tensor::full({2, 3}, 20)},
                                          {"encoder.bias", Tensor::full({2}, 30)},
                                          {"decoder.weight", Tensor::full({3}, 40)}};

/// `tensors` with `other` in the place of the one of its name, or at the end.
std::vector<NamedTensor> with(std::vector<NamedTensor> tensors, const NamedTensor& other) {
  for (NamedTensor& tensor : tensors)
    if (tensor.name == other.name) {
      tensor = other;
      return tensors;
    }
  tensors.push_back(other);
  return tensors;
}
std::vector<NamedTensor> without(std::vector<NamedTensor> tensors, const std::string& name) {
  std::erase_if(tensors, [&](const NamedTensor& tensor) { return tensor.name == name; });
  return tensors;
}

/// The first element of each parameter.
std::vector<double> firsts(Net& net) {
  std::vector<double> result;
  for (const auto& [name, parameter] : parameters(net))
    result.push_back(static_cast<double>(parameter.value()[0]));
  return result;
}

struct LoadingRow {
  const char* what;
  std::vector<NamedTensor> source;
  Names patterns = {};
  Names loaded = {};
  Names unselected = {};
  Names missing = {};
  Names mismatched = {};
  Names extra = {};
  Names unmatched = {};
  const char* problems = "";
  std::vector<double> after = {1, 2, 3, 4};  // firsts() after apply(); these are the initial ones
};

const std::vector<LoadingRow> loading_rows = {
    {.what = "all of it",
     .source = fitting,
     .loaded = {"embedding", "encoder.weight", "encoder.bias", "decoder.weight"},
     .after = {10, 20, 30, 40}},
    {.what = "a part",
     .source = fitting,
     .patterns = {"encoder.*"},
     .loaded = {"encoder.weight", "encoder.bias"},
     .unselected = {"embedding", "decoder.weight"},
     .after = {1, 20, 30, 4}},
    {.what = "all but a part",
     .source = fitting,
     .patterns = {"!*.weight"},
     .loaded = {"embedding", "encoder.bias"},
     .unselected = {"encoder.weight", "decoder.weight"},
     .after = {10, 2, 30, 4}},
    {.what = "by another of its names",
     .source = fitting,
     .patterns = {"output"},
     .loaded = {"embedding"},
     .unselected = {"encoder.weight", "encoder.bias", "decoder.weight"},
     .after = {10, 2, 3, 4}},
    {.what = "more than there is room for",
     .source = with(fitting, {"pointer", Tensor({1}, {5})}),
     .patterns = {"decoder*"},
     .loaded = {"decoder.weight"},
     .unselected = {"embedding", "encoder.weight", "encoder.bias"},
     .extra = {"pointer"},
     .after = {1, 2, 3, 40}},
    {.what = "missing",
     .source = without(without(fitting, "embedding"), "decoder.weight"),
     .loaded = {"encoder.weight", "encoder.bias"},
     .missing = {"embedding", "decoder.weight"},
     .problems = "missing: embedding, decoder.weight"},
    {.what = "missing, and not chosen",
     .source = without(fitting, "embedding"),
     .patterns = {"!embedding"},
     .loaded = {"encoder.weight", "encoder.bias", "decoder.weight"},
     .unselected = {"embedding"},
     .after = {1, 20, 30, 40}},
    {.what = "of other shapes",
     .source =
         with(with(fitting, {"encoder.bias", Tensor({3})}), {"decoder.weight", Tensor({3, 1})}),
     .loaded = {"embedding", "encoder.weight"},
     .mismatched = {"encoder.bias", "decoder.weight"},
     .problems = "of another shape: encoder.bias is (3,) and should be (2,), decoder.weight is "
                 "(3, 1) and should be (3,)"},
    {.what = "everything wrong at once",
     .source = with(without(with(fitting, {"encoder.bias", Tensor(Shape{})}), "embedding"),
                    {"more", Tensor({1})}),
     .patterns = {"*", "encodr*", "!outputs"},
     .loaded = {"encoder.weight", "decoder.weight"},
     .missing = {"embedding"},
     .mismatched = {"encoder.bias"},
     .extra = {"more"},
     .unmatched = {"encodr*", "!outputs"},
     .problems = "missing: embedding; of another shape: encoder.bias is () and should be (2,); "
                 "patterns that match no parameter: encodr*, !outputs"},
    {.what = "nothing chosen",
     .source = fitting,
     .patterns = {"!*"},
     .unselected = {"embedding", "encoder.weight", "encoder.bias", "decoder.weight"},
     .problems = "nothing is chosen"},
    {.what = "an empty source",
     .source = {},
     .patterns = {"encoder.bias"},
     .unselected = {"embedding", "encoder.weight", "decoder.weight"},
     .missing = {"encoder.bias"},
     .problems = "missing: encoder.bias"},
};

template <class Items>
Names names_of(const Items& items) {
  Names names;
  for (const auto& item : items)
    names.push_back(item.name);
  return names;
}

TEST(Loading, ListsEveryNameBeforeAnythingChanges) {
  const std::vector<double> initial = {1, 2, 3, 4};
  for (const LoadingRow& row : loading_rows) {
    SCOPED_TRACE(row.what);
    Net net;
    const LoadingPlan plan = plan_loading(row.source, net, ParameterPatterns(row.patterns));
    EXPECT_EQ(names_of(plan.loaded), row.loaded);
    EXPECT_EQ(plan.unselected, row.unselected);
    EXPECT_EQ(plan.missing, row.missing);
    EXPECT_EQ(names_of(plan.mismatched), row.mismatched);
    EXPECT_EQ(plan.extra, row.extra);
    EXPECT_EQ(plan.unmatched, row.unmatched);
    EXPECT_EQ(plan.problems(), row.problems);
    EXPECT_EQ(firsts(net), initial) << "planning changed something";

    const std::string refusal =
        fmt::format("[apply] expected a plan that fits; got {}", row.problems);
    const bool fits = *row.problems == '\0';
    EXPECT_EQ(message_of([&] { apply(plan); }), fits ? "" : refusal);
    EXPECT_EQ(firsts(net), row.after);
    EXPECT_EQ(net.output.value()[0], net.embedding.value()[0]) << "no longer shared";
  }
}

TEST(Loading, FindsRowsByTheirMap) {
  const std::vector<NamedTensor> source = {{"embedding", Tensor({3, 2}, {1, 2, 3, 4, 5, 6})},
                                           {"encoder.bias", Tensor({3}, {7, 8, 9})}};
  Net net;
  const std::vector<RowMap> maps = {{net.embedding, {2, -1, 0, -1}, 3}, {net.bias, {-1, 1}, 3}};
  const LoadingPlan plan =
      plan_loading(source, net, ParameterPatterns({"embedding", "encoder.bias"}), maps);
  ASSERT_EQ(plan.problems(), "");
  EXPECT_EQ(plan.loaded[0].numbers(), 4);
  EXPECT_EQ(plan.loaded[1].numbers(), 1);
  apply(plan);
  EXPECT_EQ(net.embedding.value().to_vector(), (std::vector<Real>{5, 6, 1, 1, 1, 2, 1, 1}));
  EXPECT_EQ(net.bias.value().to_vector(), (std::vector<Real>{3, 8}));
}

TEST(Loading, RefusesRowsThatTheirMapDoesNotFit) {
  Net net;
  const struct {
    const char* what;
    Tensor tensor;
    RowMap map;
  } bad[] = {
      {"another width", Tensor({3, 3}), {net.embedding, {0, 1, 2, -1}, 3}},
      {"fewer rows than its vocabulary", Tensor({2, 2}), {net.embedding, {0, 1, 2, -1}, 3}},
      {"another rank", Tensor({3}), {net.embedding, {0, 1, 2, -1}, 3}},
      {"a scalar", Tensor(Shape{}), {net.embedding, {0, 1, 2, -1}, 3}},
      {"a map of another length", Tensor({3, 2}), {net.embedding, {0, 1, 2}, 3}},
  };
  for (const auto& row : bad) {
    const std::vector<NamedTensor> other = {{"embedding", row.tensor}};
    const LoadingPlan plan =
        plan_loading(other, net, ParameterPatterns({"embedding"}), std::span(&row.map, 1));
    EXPECT_EQ(plan.mismatched.size(), 1u) << row.what;
  }
  const std::vector<NamedTensor> source = {{"embedding", Tensor({3, 2}, {1, 2, 3, 4, 5, 6})},
                                           {"encoder.bias", Tensor({3}, {7, 8, 9})}};
  const RowMap beyond{net.embedding, {3, 0, 0, 0}, 3};
  EXPECT_EQ(message_of([&] {
              plan_loading(source, net, ParameterPatterns({"embedding"}), std::span(&beyond, 1));
            }),
            "[plan_loading] expected rows below 3; got 3");
}

TEST(Loading, TakesWhatACheckpointHoldsUnderAPrefix) {
  Checkpoint checkpoint;
  checkpoint.tensors = {{"model.a", Tensor({1}, {1})},
                        {"optimizer.a", Tensor({1}, {2})},
                        {"model", Tensor({1}, {3})},
                        {"model.b", Tensor({1}, {4})}};
  Names names;
  for (const auto& [name, tensor] : tensors_under(checkpoint, "model."))
    names.push_back(name);
  EXPECT_EQ(names, (Names{"a", "b"}));
}

struct FreezingRow {
  Names patterns;
  std::vector<bool> trainable;  // of the parameters in order
  const char* error;
};
const char* const nothing_left =
    "[freeze] expected something left to train; got patterns that freeze every parameter";
const FreezingRow freezing_rows[] = {
    {{"encoder.*"}, {true, false, false, true}, ""},
    {{"*.weight"}, {true, false, true, false}, ""},
    {{"!decoder*"}, {false, false, false, true}, ""},
    {{"output"}, {false, true, true, true}, ""},  // the embedding by its other name
    {{"*", "!*.bias"}, {false, false, true, false}, ""},
    {{"*"}, {true, true, true, true}, nothing_left},
    {{}, {true, true, true, true}, nothing_left},
    {{"encoder*", "dcoder*", "!x"},
     {true, true, true, true},
     "[freeze] expected patterns that match parameters; got dcoder*, !x"},
};

TEST(Freezing, StopsGradientsOfWhatIsChosen) {
  for (const FreezingRow& row : freezing_rows) {
    SCOPED_TRACE(fmt::format("{}", fmt::join(row.patterns, " ")));
    Net net;
    EXPECT_EQ(message_of([&] { freeze(net, ParameterPatterns(row.patterns)); }), row.error);
    const auto all = parameters(net);
    for (std::size_t i = 0; i < all.size(); ++i)
      EXPECT_EQ(all[i].parameter.trainable(), row.trainable[i]) << all[i].name;
    Tape tape;
    tape.backward(sum(net.embedding * Real{2}) + sum(net.output) + sum(square(net.weight)) +
                  sum(net.bias) + sum(net.decoder));
    for (std::size_t i = 0; i < all.size(); ++i)
      EXPECT_EQ(all[i].parameter.gradient().defined(), row.trainable[i]) << all[i].name;
    if (!row.trainable[0]) continue;
    EXPECT_EQ(net.embedding.gradient()[0], 3) << "both of its uses count";
  }
}

}  // namespace
}  // namespace heed
