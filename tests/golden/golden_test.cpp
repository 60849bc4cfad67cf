// Ten steps of training for every family of models, in double precision. losses.txt keeps the
// expected losses. A change that is meant to change no behaviour does not change them.
//
// For a change that is meant to change the numbers, HEED_RECORD_GOLDEN=1 writes the file anew.

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "datasets/text/batch.h"
#include "framework/ops.h"
#include "layers/attention/attentions.h"
#include "optim/optimizer.h"
#include "tests/models/tiny.h"

namespace heed {
namespace {

static_assert(sizeof(Real) == 8, "the losses are kept in double precision: use the preset double");

constexpr int steps = 10;
constexpr int losses_in_a_line = 5;
constexpr Real dropout_share = Real(0.1);
// g++ 12 gives the same bits with and without -march=native and with OpenBLAS's kernels for
// Nehalem, Haswell and SkylakeX. Another compiler may contract or reorder other sums.
constexpr double tolerance = 1e-12;

const std::string losses_path = HEED_SOURCE_DIR "/tests/golden/losses.txt";

struct Family {
  std::string name;
  std::function<std::unique_ptr<BatchModel>()> make;
};

Family recurrent(const std::string& name, const RecurrentSeq2SeqOptions& options) {
  return {name, [name, options] {
            return of_batches(tiny_recurrent({name.c_str(), options}, dropout_share));
          }};
}

std::vector<Family> families() {
  std::vector<Family> all = {
      {"transformer, pre-norm",
       [] { return of_batches(tiny_transformer(NormPlace::pre, dropout_share)); }},
      {"transformer, post-norm",
       [] { return of_batches(tiny_transformer(NormPlace::post, dropout_share)); }},
      {"transformer, copying",
       [] {
         return of_batches(tiny_transformer(NormPlace::pre, dropout_share, tiny_vocabulary, true));
       }},
      {"convolutional, plain", [] { return of_batches(tiny_convolutional(true, dropout_share)); }},
      {"convolutional, weight norm, tied",
       [] { return of_batches(tiny_convolutional(false, dropout_share, 5)); }},
      {"language model", [] { return of_batches(tiny_language_model(dropout_share)); }},
  };
  for (const TinyRecurrent& row : tiny_recurrents()) {
    all.push_back(recurrent(row.name, row.options));
  }
  for (const std::string& attention : attentions().names()) {
    all.push_back(recurrent(fmt::format("gru attending, {}", attention),
                            {.cell = CellKind::gru, .attention = std::string(attention)}));
  }
  return all;
}

std::vector<double> losses_of(const Family& family) {
  const std::unique_ptr<BatchModel> model = family.make();
  Adam adam(*model, {.lr = 0.01});
  std::vector<double> losses;
  for (int step = 0; step < steps; ++step) {
    const std::uint64_t seed = 100 + static_cast<std::uint64_t>(step);
    const Lines sources = random_lines({3, 7, 1, 5}, seed);
    const Lines targets = random_lines({4, 2, 6, 3}, seed + 1000);
    const Batch batch = make_batch(model->reads_source() ? sources : Lines{}, targets);
    step_random() = Random(1, static_cast<std::uint64_t>(step));
    Tape tape;
    const Variable loss =
        model->loss(batch, {.label_smoothing = Real(0.1), .ignore = batch.ignored});
    tape.backward(loss);
    adam.step();
    adam.clear_gradients();
    losses.push_back(static_cast<double>(loss.item()));
  }
  return losses;
}

/// A line "NAME:" for each family, then lines of its losses.
std::map<std::string, std::vector<double>> kept_losses() {
  std::map<std::string, std::vector<double>> kept;
  std::ifstream in(losses_path);
  std::string name;
  for (std::string line; std::getline(in, line);) {
    if (line.ends_with(':')) {
      name = line.substr(0, line.size() - 1);
      continue;
    }
    std::istringstream numbers(line);
    for (double loss; numbers >> loss;) {
      kept[name].push_back(loss);
    }
  }
  return kept;
}

void record() {
  std::ofstream out(losses_path);
  for (const Family& family : families()) {
    out << family.name << ":\n";
    const std::vector<double> losses = losses_of(family);
    for (std::size_t i = 0; i < losses.size(); ++i) {
      const bool ends_line = i % losses_in_a_line == losses_in_a_line - 1;
      out << (i % losses_in_a_line == 0 ? "  " : " ") << fmt::format("{:.17g}", losses[i]);
      if (ends_line) out << '\n';
    }
  }
}

TEST(Golden, TenStepsOfEveryFamily) {
  if (std::getenv("HEED_RECORD_GOLDEN") != nullptr) {
    record();
  }
  const auto kept = kept_losses();
  ASSERT_EQ(kept.size(), families().size()) << losses_path;
  int differ = 0;  // how many losses differ in any bit
  for (const Family& family : families()) {
    SCOPED_TRACE(family.name);
    ASSERT_TRUE(kept.contains(family.name));
    const std::vector<double>& expected = kept.at(family.name);
    const std::vector<double> losses = losses_of(family);
    ASSERT_EQ(expected.size(), losses.size());
    for (std::size_t i = 0; i < losses.size(); ++i) {
      EXPECT_NEAR(losses[i], expected[i], tolerance * expected[i]) << "step " << i + 1;
      differ += losses[i] != expected[i];
    }
  }
  if (differ > 0) {
    std::cout << differ << " losses are not the same to the last bit\n";
  }
}

}  // namespace
}  // namespace heed
