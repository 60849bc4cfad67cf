// model.recompute: the layers of a model are computed again in backward.

#include "framework/freezing.h"
#include "framework/memory.h"
#include "layers/positions.h"
#include "tests/models/made_blocks.h"

namespace heed {
namespace {

/// Loss and gradients of a batch, with the random numbers of one step.
Gradients step_of(BatchModel& model, const Batch& batch) {
  step_random() = Random(1, 2);
  return gradients(model, [&] {
    const Variable loss = model.loss(batch, {.label_smoothing = Real(0.1), .ignore = ignored_id});
    const Variable penalty = model.penalty();
    return penalty.defined() ? loss + penalty : loss;
  });
}

void expect_same_bits(const Gradients& got, const Gradients& expected, const std::string& what) {
  EXPECT_EQ(got.loss, expected.loss) << what;
  ASSERT_EQ(got.names, expected.names) << what;
  for (std::size_t i = 0; i < got.names.size(); ++i)
    EXPECT_TRUE(got.values[i] == expected.values[i]) << what << ": " << got.names[i];
}

/// Sentences enough for several tiles and threads.
Batch large_batch(bool sources) {
  return make_batch(sources ? random_lines({60, 3, 0, 33}, 1) : Lines{},
                    random_lines({12, 19, 7, 1}, 2));
}

/// The same model, which keeps the layers or computes them again.
void expect_recomputing_changes_nothing(const std::string& family,
                                        std::vector<Assignment> assignments,
                                        const std::vector<std::string>& frozen = {}) {
  const std::string what = label_of(family, assignments);
  const auto kept = made(family, assignments);
  assignments.emplace_back("recompute", true);
  const auto again = made(family, assignments);
  for (BatchModel* model : {kept.get(), again.get()}) {
    randomize(*model);
    if (!frozen.empty()) freeze(*model, ParameterPatterns(frozen));
  }
  const Batch batch = large_batch(kept->reads_source());
  expect_same_bits(step_of(*again, batch), step_of(*kept, batch), what);
}

TEST(RecomputedLayers, ChangeNoBit) {
  for (const std::string family : {"transformer", "lm"}) {
    std::vector<std::vector<Assignment>> rows = {
        {},
        {{"d", Index{48}}, {"heads", Index{2}}, {"ff", Index{0}}},
        {{"d", Index{256}}, {"ff", Index{0}}},
        {{"norm_kind", std::string("rms")}, {"activation", std::string("swiglu")}},
        {{"activation", std::string("gelu")}, {"softcap", 3.0}},
        {{"activation", std::string("relu_squared")}, {"tied_output", false}},
        {{"tied_layers", true}, {"zero_init", true}},
    };
    for (const std::string& attention : layer_attentions())
      for (const bool qk_norm : {false, true})
        rows.push_back({{"attention", attention}, {"qk_norm", qk_norm}});
    for (const std::string& positions : position_kinds().names())
      rows.push_back({{"positions", positions}});
    for (auto& row : rows) {
      row.emplace_back("dropout", 0.3);
      // More tokens than the tiny context of the others.
      if (family == "lm") row.emplace_back("context", Index{64});
      expect_recomputing_changes_nothing(family, row);
    }
  }
  expect_recomputing_changes_nothing("transformer", {{"norm", std::string("post")}});
  expect_recomputing_changes_nothing("transformer", {{"copy", true}});
  expect_recomputing_changes_nothing("transformer",
                                     {{"encoder_layers", Index{3}}, {"decoder_layers", Index{1}}});
  expect_recomputing_changes_nothing("transformer", {{"decoder", std::string("rnn")}});
}

TEST(RecomputedLayers, ChangeNoBitAroundFrozenParts) {
  for (const char* part : {"encoder*", "decoder*", "*embedding*", "*bias", "*attention*", "*cross*",
                           "!decoder.1.*", "!decoder.0.cross.memory.bias"})
    expect_recomputing_changes_nothing("transformer", {}, {part});
}

/// Frozen layers that read nothing that learns are ops of no tape, recomputed or not.
TEST(RecomputedLayers, AreNotThoseThatAreFrozen) {
  const auto recorded = [](const char* of_encoder) {
    const auto model = made("transformer", {{"recompute", true}});
    freeze(*model, ParameterPatterns({"embedding*", of_encoder}));
    Tape tape;
    (void)model->loss(large_batch(true), {.ignore = ignored_id});
    return tape.size();
  };
  // The encoder's two layers, and the norm after them.
  EXPECT_EQ(recorded("encoder_norm*"), recorded("encoder*") + 3);
}

/// A step of a deep model: the most memory that it took beyond what there was before.
std::size_t most_memory(const std::string& family, bool recompute) {
  std::vector<Assignment> assignments = {
      {"layers", Index{8}}, {"d", Index{32}}, {"ff", Index{0}}, {"recompute", recompute}};
  if (family == "lm") assignments.emplace_back("context", Index{64});
  const auto model = made(family, assignments);
  randomize(*model);
  const std::vector<Index> lengths(12, 50);
  const Batch batch = make_batch(model->reads_source() ? random_lines(lengths, 1) : Lines{},
                                 random_lines(lengths, 2));
  step_of(*model, batch);  // gradients have their place from here on
  memory::reset_peak();
  const std::size_t before = memory::statistics().live;
  step_of(*model, batch);
  return memory::statistics().peak - before;
}

TEST(RecomputedLayers, KeepLess) {
  for (const std::string family : {"transformer", "lm"}) {
    const std::size_t kept = most_memory(family, false);
    const std::size_t recomputed = most_memory(family, true);
    fmt::print("{:<12} {} bytes instead of {}\n", family, recomputed, kept);
    EXPECT_LT(recomputed, kept * 2 / 3) << family;
  }
}

}  // namespace
}  // namespace heed
