// The table of ops is complete: a test reads framework/ops.h and asks for the rows of each op that
// is declared there.

#include <fstream>
#include <map>
#include <regex>
#include <set>

#include <gtest/gtest.h>

#include "tests/framework/ops_table/table.h"

namespace heed::test {
namespace {

using Names = std::set<std::string>;

/// Ops that are one plain loop, one product or no arithmetic. The others are fused: they have a
/// composition from these.
const Names plain = {
    "operator+",    "operator-",   "operator*",   "operator/", "maximum",      "minimum",
    "where",        "masked_fill", "exp",         "log",       "sqrt",         "square",
    "abs",          "power",       "clamp",       "sin",       "cos",          "tanh",
    "relu",         "sum",         "mean",        "max",       "cumsum",       "matmul",
    "reshape",      "slice",       "concat",      "stack",     "permute",      "transpose",
    "broadcast_to", "gather",      "scatter_add", "pick",      "final_states", "recompute",
    "first_rows",   "last_rows",   "patches",     "argmax",    "accuracy"};
/// They give no gradient.
const Names without_gradient = {"argmax", "accuracy"};
/// They count in one loop on one thread.
const Names on_one_thread = {"accuracy"};
/// They take any number, so that they refuse nothing but an undefined operand.
const Names refuse_nothing = {"power"};
/// Functions of ops.h that are no ops.
const Names no_ops = {"split", "step_random"};

std::vector<std::string> lines_of(const char* path) {
  std::ifstream in(path);
  EXPECT_TRUE(in) << path;
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  return lines;
}

/// The ops that ops.h declares, and whether every form of the op takes one operand and nothing
/// else.
std::map<std::string, bool> declared_ops() {
  std::string text;
  for (const std::string& line : lines_of(HEED_SOURCE_DIR "/framework/ops.h"))
    text += line + '\n';
  // A type at the start of a line, a name, and parameters. `a += b` is a = a + b, so a type that
  // ends in & declares no op of its own.
  static const std::regex function(R"(\n(?:inline )?[\w:<>]+ (operator[^\w\s(]+|\w+)\(([^)]*)\))");
  std::map<std::string, bool> ops;
  for (std::sregex_iterator it(text.begin(), text.end(), function); it != std::sregex_iterator();
       ++it) {
    const std::string name = (*it)[1];
    if (no_ops.contains(name)) continue;
    const bool one = std::regex_match((*it)[2].str(), std::regex(R"(const Operand& \w+)"));
    const auto [place, first] = ops.try_emplace(name, one);
    place->second = place->second && one;
  }
  return ops;
}

template <class Rows, class Chosen>
Names ops_of(const Rows& rows, Chosen chosen) {
  Names ops;
  for (const auto& row : rows)
    if (chosen(row)) ops.insert(row.op);
  return ops;
}

TEST(OpsTable, HasTheRowsOfEveryOp) {
  const OpTable& table = op_table();
  const Names small = ops_of(table.rows, [](const OpRow& r) { return r.size == Size::small; });
  const Names valued = ops_of(table.rows, [](const OpRow& r) { return r.reference != nullptr; });
  const Names divided = ops_of(table.rows, [](const OpRow& r) { return r.size == Size::divided; });
  const Names spoilt = ops_of(table.calls, [](const HostileCall& c) { return c.message.empty(); });
  const Names refused =
      ops_of(table.calls, [](const HostileCall& c) { return !c.message.empty(); });
  const std::map<std::string, bool> ops = declared_ops();
  EXPECT_GT(ops.size(), 80u);
  const char* where = " in tests/framework/ops_table/";
  for (const auto& [op, one_operand] : ops) {
    EXPECT_TRUE(small.contains(op) || without_gradient.contains(op))
        << op << " has no small row, which tests its gradient," << where;
    EXPECT_TRUE(valued.contains(op)) << op << " has no row with a reference" << where;
    EXPECT_TRUE(divided.contains(op) || on_one_thread.contains(op))
        << op << " has no divided row, which tests threads," << where;
    if (one_operand) continue;
    EXPECT_TRUE(refused.contains(op) || refuse_nothing.contains(op))
        << op << " has no call that it refuses, with the message," << where;
    EXPECT_TRUE(spoilt.contains(op) || refused.contains(op))
        << op << " has no hostile call" << where;
  }
}

TEST(OpsTable, NamesNothingElse) {
  const std::map<std::string, bool> ops = declared_ops();
  const auto all = [](const auto&) { return true; };
  for (const Names& names : {ops_of(op_table().rows, all), ops_of(op_table().calls, all), plain,
                             without_gradient, on_one_thread, refuse_nothing})
    for (const std::string& name : names)
      EXPECT_TRUE(ops.contains(name)) << name << " is no op of framework/ops.h";
}

struct KernelsPage {
  Names headings;
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

// A fused op has
// - its composition, on shapes that are difficult;
// - its composition on the shapes of the benchmarks' cases (ops_bench);
// - its mathematics in docs/kernels.md, under a heading that the table at the end of that page
//   names.
TEST(OpsTable, HasACompositionABenchmarkAndAParagraphOfEveryFusedOp) {
  const auto has_composition = [](const OpRow& r) { return r.composed != nullptr; };
  const Names composed = ops_of(op_table().rows, has_composition);
  const Names timed = ops_of(timed_rows(), has_composition);
  const KernelsPage page = read_kernels_page();
  Names fused;
  for (const auto& [op, one] : declared_ops())
    if (!plain.contains(op)) fused.insert(op);
  EXPECT_GT(fused.size(), 30u);
  for (const std::string& op : fused) {
    EXPECT_TRUE(composed.contains(op))
        << op << " has no composition in tests/framework/ops_table/, nor is it plain";
    EXPECT_TRUE(timed.contains(op)) << op << " has no row for ops_bench";
    const auto section = page.sections.find(op);
    ASSERT_NE(section, page.sections.end()) << op << " is not in the table of docs/kernels.md";
    EXPECT_TRUE(page.headings.contains(section->second))
        << op << ": docs/kernels.md has no section '" << section->second << "'";
  }
  for (const auto& [op, section] : page.sections)
    EXPECT_TRUE(fused.contains(op))
        << "docs/kernels.md names " << op << ", which is no fused op of ops.h";
}

}  // namespace
}  // namespace heed::test
