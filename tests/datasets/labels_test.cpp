#include "datasets/text/labels.h"

#include <gtest/gtest.h>

#include "tests/datasets/temporary.h"
#include "tests/message_of.h"
#include "tests/text_files.h"

namespace heed {
namespace {

using Names = std::vector<std::string>;

std::unique_ptr<PairSource> labelled(const Names& labels) {
  std::vector<Pair> pairs;
  for (const std::string& label : labels)
    pairs.push_back({"a text", label});
  return std::make_unique<MemoryPairs>(std::move(pairs), "data.tsv");
}

// Label k of n, of an endless corpus.
class Endless final : public PairSource {
 public:
  explicit Endless(Index n) : n_(n) {}
  Index size() const override { return -1; }
  Pair at(Index i) const override { return {"a text", fmt::format("{}", i % n_)}; }
  std::string name() const override { return "toy:endless"; }

 private:
  Index n_;
};

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i)
    all += text;
  return all;
}

Names numbers(Index n) {
  Names names;
  for (Index i = 0; i < n; ++i)
    names.push_back(std::to_string(i));
  return names;
}

TEST(Labels, AreSortedAndCountedFromZero) {
  const Labels labels = Labels::of(*labelled({"b", "a", "é", "b", "B", "a b"}));
  EXPECT_EQ(labels.names(), (Names{"B", "a", "a b", "b", "é"}));
  EXPECT_EQ(labels.size(), 5);
  for (Id id = 0; id < labels.size(); ++id)
    EXPECT_EQ(labels.id_of(labels.name(id)), id);
  EXPECT_EQ(labels.id_of("B"), 0);
  EXPECT_EQ(labels.find("c"), std::nullopt);
  EXPECT_EQ(labels, Labels({"é", "b", "a b", "a", "B", "B"})) << "in any order";
  EXPECT_EQ(Labels::of(Endless(3)).names(), numbers(3));
  EXPECT_EQ(Labels::of(Endless(10'000)).size(), 10'000);
}

TEST(Labels, AFingerprintIsOfTheNames) {
  const Labels labels({"a", "b"});
  EXPECT_EQ(labels.fingerprint(), Labels({"b", "a"}).fingerprint());
  for (const Names& other : {Names{"a", "c"}, {"a", "b", "c"}, {"ab", "c"}, {"A", "b"}})
    EXPECT_NE(labels.fingerprint(), Labels(other).fingerprint());
}

TEST(Labels, AFileKeepsThem) {
  const TemporaryFolder folder;
  const std::string path = folder.path("labels.txt");
  Labels({"no", "yes, sir"}).save(path);
  EXPECT_EQ(read_file(path), "no\nyes, sir\n");
  const Labels other = Labels({"two", "one", "ж"});
  other.save(path);
  EXPECT_EQ(Labels::load(path), other);
}

struct Bad {
  std::function<void()> act;
  std::string message;
};

TEST(Labels, OfPairsSayWhatIsWrong) {
  const TemporaryFolder folder;
  const auto of = [](const Names& labels) { return [labels] { Labels::of(*labelled(labels)); }; };
  Names halves = numbers(2655);
  for (const std::string& name : numbers(2654))
    halves.push_back(name);
  const Bad rows[]{
      {of({"a", "a", "a"}),
       "data.tsv: has the label 'a' alone in 3 lines, and a classifier needs two labels or more"},
      {of({}), "data.tsv: has no label in 0 lines, and a classifier needs two labels or more"},
      {of(numbers(21)), "data.tsv: has 21 labels in 21 lines; is this column a label?"},
      {of(halves), "data.tsv: has 2,655 labels in 5,309 lines; is this column a label?"},
      {[] { Labels::of(Endless(10'001)); },
       "toy:endless: has 10,001 labels in 10,001 lines; is this column a label?"},
      {of({"a", "b\tc"}),
       "data.tsv:2: expected a label without tabs and ends of lines; got 'b\\tc'"},
      {of({"a", "b\rc"}),
       "data.tsv:2: expected a label without tabs and ends of lines; got 'b\\x0Dc'"},
      {of({"a", "a", std::string(201, 'x')}),
       "data.tsv:3: expected a label of 1 to 200 bytes; got '" + std::string(60, 'x') +
           "...' of 201 bytes"},
      // é has two bytes
      {of({"x" + repeated("é", 100)}), "data.tsv:1: expected a label of 1 to 200 bytes; got 'x" +
                                           repeated("é", 29) + "...' of 201 bytes"},
      {of({"a", ""}), "data.tsv:2: expected a label of 1 to 200 bytes; got ''"},
  };
  for (const Bad& row : rows)
    EXPECT_EQ(folder.message(row.act), row.message);
  EXPECT_EQ(Labels::of(*labelled({std::string(200, 'x'), "y"})).size(), 2);
  Names most = numbers(20);
  EXPECT_EQ(Labels::of(*labelled(most)).size(), 20) << "few labels may be labels of few lines";
}

TEST(Labels, SayWhatIsWrong) {
  const TemporaryFolder folder;
  const Labels two({"negative", "positive"});
  const auto load = [&](const std::string& bytes) {
    return [&folder, bytes] { Labels::load(folder.write("labels.txt", bytes)); };
  };
  const std::string damaged = "labels.txt: is damaged (";
  const std::string again = "); take it from the run it belongs to";
  const Bad rows[]{
      {[] {
         Labels({"a", " b"});
       },
       "[labels] expected names without blanks around; got ' b'"},
      {[] {
         Labels({"a", ""});
       },
       "[labels] expected names of 1 to 200 bytes; got ''"},
      {[] {
         Labels({"a", "a"});
       },
       "[labels] expected from 2 to 10000 names; got 1, 'a'"},
      {[] { Labels(Names{}); }, "[labels] expected from 2 to 10000 names; got 0"},
      {[] { Labels(numbers(10'001)); }, "[labels] expected from 2 to 10000 names; got 10001"},
      {[&] { two.id_of("positiv"); },
       "unknown label 'positiv': expected negative, positive; did you mean positive?"},
      {[] { Labels(numbers(12)).id_of("x"); },
       "unknown label 'x': expected 0, 1, 10, 11, 2, 3, 4, 5, 6, 7 or 2 others"},
      {[&] { two.id_of("x\ty"); }, "unknown label 'x\\ty': expected negative, positive"},
      {[&] { two.name(2); }, "[labels] expected a class in [0, 2); got 2"},
      {[&] { two.name(-1); }, "[labels] expected a class in [0, 2); got -1"},
      {load("a\nb"), damaged + "its last line has no end" + again},
      {load("b\na\n"), damaged + "its names are not in order" + again},
      {load("a\na\n"), damaged + "its names are not in order" + again},
      {load("a\n"), damaged + "[labels] expected from 2 to 10000 names; got 1, 'a'" + again},
      {load("\na\n"), damaged + "[labels] expected names of 1 to 200 bytes; got ''" + again},
      {load(""), damaged + "[labels] expected from 2 to 10000 names; got 0" + again},
  };
  for (const Bad& row : rows)
    EXPECT_EQ(folder.message(row.act), row.message);
  EXPECT_NE(folder.message([&] { Labels::load(folder.path("none.txt")); }), "no error");
}

// Line k + 2 of the file holds text k, with label k % 2, or `odd` at one of them.
std::string labelled_file(Index count, Index at, const std::string& odd) {
  std::string bytes = "text\tlabel\n";
  for (Index k = 0; k < count; ++k)
    bytes += fmt::format("text {}\t{}\n", k, k == at ? odd : std::to_string(k % 2));
  return bytes;
}

TEST(Labels, OfPairsAreCheckedByLine) {
  const TemporaryFolder folder;
  const Labels labels({"0", "1"});
  const std::string bytes = labelled_file(100, 70, "2");
  const std::string unknown = ": unknown label '2': expected 0, 1";
  const auto open = [&](const std::vector<std::string>& data) {
    return open_pairs(data, {}, Split::train, 1, {.labelled = true});
  };
  const auto found = [&](const PairSource& pairs) {
    return folder.message([&] { check_labels(pairs, labels); });
  };
  const std::string tsv = folder.write("a.tsv", bytes);
  EXPECT_EQ(found(*open({tsv})), "a.tsv:72" + unknown);
  EXPECT_THROW(check_labels(*open({tsv}), labels), UnknownLabel);
  EXPECT_EQ(found(*open({folder.write("texts", "a\n\nb\n"), folder.write("labels", "1\n\n2\n")})),
            "labels:3" + unknown);
  EXPECT_EQ(found(*open({folder.write("b.tsv", labelled_file(100, -1, ""))})), "no error");
  EXPECT_EQ(found(*first_pairs(*open({tsv}), 71)), "a.tsv:72" + unknown);
  EXPECT_EQ(found(*first_pairs(*open({tsv}), 70)), "no error");
  EXPECT_EQ(found(*hold_out(open({tsv}), 100, 1).second), "a.tsv:72" + unknown);
  EXPECT_EQ(found(*hold_out(open({tsv}), 0, 1).first), "a.tsv:72" + unknown);
  EXPECT_EQ(found(Endless(3)), "toy:endless:3" + unknown) << "of an endless corpus, some";
  EXPECT_EQ(found(Endless(2)), "no error");
}

}  // namespace
}  // namespace heed
