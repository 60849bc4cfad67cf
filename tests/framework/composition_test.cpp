#include <cmath>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include <gtest/gtest.h>

#include "tests/framework/compositions.h"

// Every fused op against its composition from plain ops: values and every gradient, on difficult
// shapes.

namespace heed::test {
namespace {

constexpr double close = sizeof(Real) == 8 ? 1e-11 : 1e-5;

/// The value, then every gradient.
std::vector<Tensor> run(const std::vector<Tensor>& inputs, const Compute& f) {
  const std::vector<Parameter> parameters(inputs.begin(), inputs.end());
  Tape tape;
  const Variable y = f(std::vector<Variable>(parameters.begin(), parameters.end()));
  Random random(9);
  Tensor dy(y.shape());
  for (Real& value : dy.span())
    value = static_cast<Real>(random.uniform(-1, 1));
  tape.backward(y, dy);
  std::vector<Tensor> result{y.value()};
  for (const Parameter& p : parameters)
    result.push_back(p.gradient().defined() ? p.gradient() : Tensor::zeros(p.shape()));
  return result;
}

class Compositions : public testing::TestWithParam<std::size_t> {};

TEST_P(Compositions, EqualTheirFusedOp) {
  const Composition& c = small_compositions()[GetParam()];
  const std::vector<Tensor> inputs = draw(c, 1);
  const std::vector<Tensor> got = run(inputs, c.fused);
  const std::vector<Tensor> expected = run(inputs, c.composed);
  for (std::size_t i = 0; i < got.size(); ++i) {
    const std::string tensor = i == 0 ? "value" : fmt::format("gradient of input {}", i - 1);
    const std::string what = fmt::format("{}, {}: {}", c.op, c.what, tensor);
    ASSERT_EQ(to_string(got[i].shape()), to_string(expected[i].shape())) << what;
    double largest = 1;
    for (const Real v : expected[i].span())
      largest = std::max(largest, std::abs(static_cast<double>(v)));
    for (Index j = 0; j < got[i].size(); ++j)
      ASSERT_NEAR(static_cast<double>(got[i][j]), static_cast<double>(expected[i][j]),
                  close * c.tolerance_factor * largest)
          << what << ", element " << j;
  }
}

std::vector<std::size_t> all_rows() {
  std::vector<std::size_t> rows(small_compositions().size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    rows[i] = i;
  return rows;
}
std::string row_name(const testing::TestParamInfo<std::size_t>& info) {
  const Composition& c = small_compositions()[info.param];
  std::string name = c.op + "__";
  for (char letter : c.what)
    name += std::isalnum(static_cast<unsigned char>(letter)) ? letter : '_';
  return name + "__" + std::to_string(info.param);
}
INSTANTIATE_TEST_SUITE_P(Ops, Compositions, testing::ValuesIn(all_rows()), row_name);

/// Ops that are one plain loop, one product or no arithmetic. The others are composed of them, and
/// they have no composition to be compared with.
const std::set<std::string> plain = {
    "operator+",    "operator-",   "operator*",   "operator/", "maximum",      "minimum",
    "where",        "masked_fill", "exp",         "log",       "sqrt",         "square",
    "abs",          "power",       "clamp",       "sin",       "cos",          "tanh",
    "relu",         "sum",         "mean",        "max",       "cumsum",       "matmul",
    "reshape",      "slice",       "concat",      "stack",     "permute",      "transpose",
    "broadcast_to", "gather",      "scatter_add", "pick",      "final_states", "recompute",
    "first_rows",   "last_rows",   "patches"};

std::vector<std::string> lines_of(const char* path) {
  std::ifstream in(path);
  EXPECT_TRUE(in) << path;
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  return lines;
}

/// The ops of framework/ops.h that are not plain.
std::set<std::string> fused_ops() {
  std::set<std::string> fused;
  for (const std::string& line : lines_of(HEED_SOURCE_DIR "/framework/ops.h"))
    if (line.starts_with("Variable ")) {
      const std::string op = line.substr(9, line.find('(') - 9);
      if (!plain.contains(op)) fused.insert(op);
    }
  return fused;
}

std::set<std::string> ops_of(const std::vector<Composition>& rows) {
  std::set<std::string> ops;
  for (const Composition& row : rows)
    ops.insert(row.op);
  return ops;
}

struct KernelsPage {
  std::set<std::string> headings;
  std::map<std::string, std::string> sections;  // the heading of each op, by the table at the end
};

/// A row of the table is "| `op`, `op` | heading |".
KernelsPage read_kernels_page() {
  KernelsPage page;
  for (const std::string& line : lines_of(HEED_SOURCE_DIR "/docs/kernels.md")) {
    if (line.starts_with("## ")) page.headings.insert(line.substr(3));
    if (!line.starts_with("| `")) continue;
    const std::size_t bar = line.find('|', 1);
    const std::size_t end = line.find('|', bar + 1);
    const std::string heading = line.substr(bar + 2, end - bar - 3);
    for (std::size_t begin = line.find('`'); begin < bar;) {
      const std::size_t close_quote = line.find('`', begin + 1);
      page.sections[line.substr(begin + 1, close_quote - begin - 1)] = heading;
      begin = line.find('`', close_quote + 1);
    }
  }
  return page;
}

// A new op is plain or fused. A fused op has
// - its composition in this folder, on small shapes;
// - its composition on the shapes of the benchmarks' cases (ops_bench);
// - its mathematics in docs/kernels.md, under a heading that the table at the end of that page
// names.
TEST(FusedOps, HaveACompositionABenchmarkAndAParagraph) {
  const std::set<std::string> fused = fused_ops();
  const std::set<std::string> composed = ops_of(small_compositions());
  const std::set<std::string> timed = ops_of(case_compositions());
  const KernelsPage page = read_kernels_page();
  EXPECT_GT(fused.size(), 30u);
  for (const std::string& op : fused) {
    EXPECT_TRUE(composed.contains(op))
        << op
        << " has no composition in tests/framework/*_compositions.cpp (small), nor is it among the "
           "plain ops of this test";
    EXPECT_TRUE(timed.contains(op))
        << op << " has no row for ops_bench in tests/framework/*_compositions.cpp";
    const auto section = page.sections.find(op);
    EXPECT_NE(section, page.sections.end()) << op << " is not in the table of docs/kernels.md";
    if (section == page.sections.end()) continue;
    EXPECT_TRUE(page.headings.contains(section->second))
        << op << ": docs/kernels.md has no section '" << section->second << "'";
  }
  for (const auto& [op, section] : page.sections)
    EXPECT_TRUE(fused.contains(op))
        << "docs/kernels.md names " << op << ", which is no fused op of ops.h";
}

}  // namespace
}  // namespace heed::test
