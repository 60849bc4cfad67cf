#include "datasets/text/labelled.h"

#include <thread>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "datasets/text/pairs.h"
#include "tests/datasets/gzip.h"
#include "tests/datasets/temporary.h"

namespace heed {
namespace {

using Names = std::vector<std::string>;

const std::string mark = "\xEF\xBB\xBF";

std::vector<Pair> read_all(const PairSource& source) {
  std::vector<Pair> pairs;
  for (Index i = 0; i < source.size(); ++i)
    pairs.push_back(source.at(i));
  return pairs;
}

struct Good {
  const char* file;
  std::string bytes;
  Names fields;
  std::vector<Pair> pairs;
  Index first_line = 1;
  Index skipped = 0;
};

const Good good_data[]{
    // without a header: text, then label
    {"a.tsv", "fine\tyes\nbad\tno\n", {}, {{"fine", "yes"}, {"bad", "no"}}},
    // a header is no pair, and counts as a line
    {"a.tsv", "text\tlabel\nfine\tyes\n", {}, {{"fine", "yes"}}, 2},
    {"a.tsv", "label\ttext\nyes\tfine\n", {}, {{"fine", "yes"}}, 2},
    {"a.tsv", "comment\tLabel\nfine\t1\n", {}, {{"fine", "1"}}, 2},
    {"a.tsv", "label\tcomment\n1\tfine\n", {}, {{"fine", "1"}}, 2},
    {"a.tsv", "id\t Review \tlabel\n7\tfine\tyes\n", {}, {{"fine", "yes"}}, 2},
    {"a.tsv", mark + "sentence\tLABEL\r\nfine\tyes\r\n", {}, {{"fine", "yes"}}, 2},
    {"a.tsv", "text\tlabel\n\tyes\nfine\t \nfine\tyes\n", {}, {{"fine", "yes"}}, 4, 2},
    // a last column may be missing where it is not read
    {"a.tsv", "text\tlabel\tid\nfine\tyes\n", {}, {{"fine", "yes"}}, 2},
    // fields, by number and by name
    {"a.tsv", "id\tsays\tis\n1\tfine\tyes\n", {"says", "is"}, {{"fine", "yes"}}, 2},
    {"a.tsv", "id\tsays\tis\n1\tfine\tyes\n", {"2", "IS"}, {{"fine", "yes"}}, 2},
    {"a.tsv", "id\tsays\tlabel\n1\tfine\tyes\n", {"2", "3"}, {{"fine", "yes"}}, 2},
    {"a.tsv", "id\tsays\tlabel\n1\tfine\tyes\n", {"3", "2"}, {{"label", "says"}, {"yes", "fine"}}},
    {"a.tsv", "1\tfine\tyes\n", {"2", "3"}, {{"fine", "yes"}}},
    {"a.jsonl", R"({"text": "fine", "label": "yes"})", {}, {{"fine", "yes"}}},
    {"a.jsonl",
     R"({"label": 1, "id": 3, "review": "a\nb"})"
     "\n\n"
     R"({"label": true, "source": "c"})"
     "\n"
     R"({"label": -0.50, "document": "d"})"
     "\n"
     R"({"label": "", "document": "d"})",
     {},
     {{"a b", "1"}, {"c", "true"}, {"d", "-0.5"}},
     1,
     2},
    {"a.jsonl", R"({"says": "fine", "stars": 5})", {"says", "stars"}, {{"fine", "5"}}},
    // equal numbers are one label
    {"a.jsonl",
     R"({"text": "a", "label": 1.0})"
     "\n"
     R"({"text": "b", "label": 10e-1})"
     "\n"
     R"({"text": "c", "label": -0.0})"
     "\n"
     R"({"text": "d", "label": 1.5e0})"
     "\n"
     R"({"text": "e", "label": "1.0"})",
     {},
     {{"a", "1"}, {"b", "1"}, {"c", "0"}, {"d", "1.5"}, {"e", "1.0"}}},
    // pairs whose targets are labels
    {"a.jsonl",
     R"({"source": "a", "target": "yes"})"
     "\n"
     R"({"source": "b", "target": 1})"
     "\n"
     R"({"source": "c", "target": "d", "label": "no"})",
     {},
     {{"a", "yes"}, {"b", "1"}, {"c", "no"}}},
};

TEST(Labelled, ReadsEveryForm) {
  for (const Good& row : good_data)
    for (const bool packed : {false, true}) {
      const TemporaryFolder folder;
      const std::string path = packed ? folder.write(std::string(row.file) + ".gz", gzip(row.bytes))
                                      : folder.write(row.file, row.bytes);
      const auto pairs = open_pairs({path}, row.fields, Split::train, 1, {.labelled = true});
      EXPECT_EQ(read_all(*pairs), row.pairs) << row.bytes;
      EXPECT_EQ(pairs->skipped(), row.skipped) << row.bytes;
      EXPECT_EQ(pairs->line(0), row.first_line) << row.bytes;
      EXPECT_EQ(pairs->at(0), row.pairs[0]) << "read again: " << row.bytes;
    }
  const TemporaryFolder folder;
  const auto aligned = open_pairs({folder.write("a", "fine\nbad\n"), folder.write("b", "1\n0\n")},
                                  {}, Split::train, 1, {.labelled = true});
  EXPECT_EQ(read_all(*aligned), (std::vector<Pair>{{"fine", "1"}, {"bad", "0"}}));
}

// Reading by blocks of 64 pairs comes back to the first one, which has the header before it.
TEST(Labelled, AHeaderStandsBeforeTheFirstBlockAlone) {
  const TemporaryFolder folder;
  std::string bytes = "text\tlabel\n";
  for (int i = 0; i < 200; ++i)
    bytes += fmt::format("text {}\t{}\n", i, i % 2);
  const auto pairs =
      open_pairs({folder.write("a.tsv", bytes)}, {}, Split::train, 1, {.labelled = true});
  EXPECT_EQ(pairs->size(), 200);
  for (const Index i : {199, 0, 64, 63, 128, 1}) {
    EXPECT_EQ(pairs->at(i), (Pair{fmt::format("text {}", i), std::to_string(i % 2)}));
    EXPECT_EQ(pairs->line(i), i + 2);
  }
}

// A header serves pairs as well, if fields name its columns.
TEST(Labelled, PairsHaveFieldsByName) {
  const TemporaryFolder folder;
  const std::string path = folder.write("a.tsv", "en\tid\tfr\none\t1\tun\n");
  EXPECT_EQ(read_all(*open_pairs({path}, {"en", "fr"}, Split::train, 1)),
            (std::vector<Pair>{{"one", "un"}}));
  EXPECT_EQ(read_all(*open_pairs({path}, {"1", "3"}, Split::train, 1)),
            (std::vector<Pair>{{"en", "fr"}, {"one", "un"}}));
  const std::string plain = folder.write("b.tsv", "text\tlabel\nfine\tyes\n");
  EXPECT_EQ(open_pairs({plain}, {}, Split::train, 1)->size(), 2) << "pairs have no header";
}

struct Bad {
  const char* file;
  std::string bytes;
  Names fields;
  std::string message;
};

const std::string none =
    ": no line has text on both sides (0 skipped); check that these are the "
    "right files";
const Bad bad_data[]{
    {"a.tsv", "text\tlabel\n", {}, "a.tsv" + none},
    {"a.tsv", "", {}, "a.tsv: is empty; expected at least one line of text"},
    {"a.tsv",
     "label\n1\n",
     {},
     "a.tsv:1: has the column label alone; put a tab between text and "
     "label"},
    {"a.tsv",
     "fine\n",
     {},
     "a.tsv:1: expected 2 tab-separated columns, got 1; put a tab between "
     "text and label"},
    {"a.tsv",
     "1\tfine\tyes\n",
     {},
     "a.tsv:1: expected 2 tab-separated columns, got 3; choose two "
     "fields, such as 1 and 2"},
    {"a.tsv",
     "id\tcomment\tlabel\n1\tfine\tyes\n",
     {},
     "a.tsv:1: has the columns id, comment, "
     "label; which one is the text? choose two "
     "fields, the text and the label"},
    {"a.tsv",
     "text\treview\tlabel\na\tb\tc\n",
     {},
     "a.tsv:1: has the columns text, review, label; "
     "which one is the text? choose two fields, the "
     "text and the label"},
    {"a.tsv",
     "text\tlabel\tlabel\na\tb\tc\n",
     {},
     "a.tsv:1: calls columns 2 and 3 'label'; choose "
     "two fields by number"},
    {"a.tsv",
     "text\tlabel\na\tb\nc\n",
     {},
     "a.tsv:3: has 1 column, and the header has 2; correct "
     "it"},
    {"a.tsv",
     "text\tlabel\na\tb\tc\n",
     {},
     "a.tsv:2: has 3 columns, and the header has 2; correct "
     "it"},
    {"a.tsv",
     "text\tlabel\na\tb\n",
     {"texts", "label"},
     "a.tsv:1: has no column 'texts'; did you "
     "mean text?"},
    {"a.tsv",
     "text\tlabel\na\tb\n",
     {"3", "2"},
     "a.tsv:1: has 2 columns, and fields 3 and 2 ask for column 3; correct the line or the fields"},
    {"a.tsv",
     "text\nfine\n",
     {"text", "2"},
     "a.tsv:1: has 1 column, and fields text and 2 ask for column 2; correct the line or the "
     "fields"},
    {"a.tsv",
     "text\tx\n\x91\ty\n",
     {},
     "a.tsv:2: malformed UTF-8 at byte 1 of the line (0x91); save the file as UTF-8"},
    {"a.jsonl",
     R"({"label": 1, "title": "a", "body": "b"})",
     {},
     "a.jsonl:1: has the keys title, "
     "body, label; which one is the "
     "text? name the two fields to "
     "read"},
    {"a.jsonl",
     R"({})",
     {},
     "a.jsonl:1: has the keys none; which one is the text? name the two "
     "fields to read"},
    {"a.jsonl",
     R"({"text": "a", "labels": 1})",
     {},
     "a.jsonl:1: has no \"label\"; did you mean "
     "labels?"},
    {"a.jsonl",
     R"({"text": "a", "label": null})",
     {},
     "a.jsonl:1: \"label\" is of type null; make "
     "it a string"},
    {"a.jsonl",
     R"({"text": "a", "label": ["b"]})",
     {},
     "a.jsonl:1: \"label\" is of type array; "
     "make it a string"},
    {"a.jsonl",
     R"({"text": 1, "label": "b"})",
     {},
     "a.jsonl:1: \"text\" is of type number; make "
     "it a string"},
    {"a.jsonl",
     "text",
     {},
     "a.jsonl:1: is not valid JSON at byte 2; write one object a line, as "
     "{\"text\": \"...\", \"label\": \"...\"}"},
};

TEST(Labelled, SaysWhatIsWrongWhere) {
  for (const Bad& row : bad_data) {
    const TemporaryFolder folder;
    const std::string path = folder.write(row.file, row.bytes);
    EXPECT_EQ(folder.message(
                  [&] { open_pairs({path}, row.fields, Split::train, 1, {.labelled = true}); }),
              row.message);
  }
  const TemporaryFolder folder;
  const std::string blank = folder.write("a.tsv", "text\tlabel\na\t\n");
  EXPECT_EQ(folder.message([&] {
    open_pairs({blank}, {}, Split::train, 1, {.blank_is_error = true, .labelled = true});
  }),
            "a.tsv:2: the label is blank; write it, or have such lines skipped");
  EXPECT_TRUE(
      folder.message([&] { open_pairs({"toy:dates"}, {}, Split::train, 1, {.labelled = true}); })
          .starts_with("toy:dates: its pairs have no labels; expected "));
}

struct Says {
  const char* file;
  std::string bytes;
  bool labelled;
  Names fields = {};
};

const Says says[]{
    {"a.tsv", "text\tlabel\n", true},
    {"a.tsv", "text\tLabel\nfine\tyes\n", true},
    {"a.tsv", mark + "label\tsentence\r\nyes\tfine\r\n", true},
    {"a.tsv", "id\tcomment\tlabel\n1\tfine\tyes\n", true},
    {"a.tsv", "comment\tlabel\nfine\tyes\nbad\tno\nbest\tyes\n", true},
    // pairs
    {"a.tsv", "eins\tone\nzwei\ttwo\n", false},
    {"a.tsv", "Etikett\tlabel\neins\tone\nzwei\ttwo\n", false},
    {"a.tsv", "a label\ttext\nfine\tyes\n", false},
    {"a.tsv", "label\nfine\n", false},
    {"a.tsv", "text\tlabel\tlabel\na\tb\tb\n", false},
    {"a.tsv", "\ntext\tlabel\n", false},
    {"a.tsv", "", false},
    {"a.txt", "text\tlabel\n", false},
    {"a.jsonl", R"({"text": "a", "label": "b"})", true},
    {"a.jsonl",
     "\n"
     R"({"label": 1})"
     "\n{",
     true},
    {"a.jsonl", R"({"label": true, "source": "a"})", true},
    {"a.jsonl", R"({"label": "a", "source": "b", "target": "c"})", false},
    {"a.jsonl", R"({"label": "a", "document": "b", "summary": "c"})", false},
    {"a.jsonl", R"({"label": null, "text": "b"})", true},
    {"a.jsonl", R"({"label": ["a"], "text": "b"})", true},
    {"a.jsonl", R"({"label": null, "source": "b", "target": "c"})", false},
    {"a.jsonl", R"({"text": {"label": 1}})", false},
    {"a.jsonl", R"({"Label": "a", "text": "b"})", false},
    {"a.jsonl", "not JSON", false},
    {"a.jsonl", "", false},
    // malformed UTF-8 ends what is read of the beginning
    {"a.tsv", "\x91\tone\n", false},
    {"a.tsv", "text\tlabel\n\x91\tyes\n", true},
    {"a.tsv", "comment\tlabel\nfine\tyes\n\x91\tno\nbest\tyes\n", false},
    {"a.jsonl", "\x91\n", false},
    // fields say which column is read
    {"a.tsv", "text\tlabel\n", true, {"text", "label"}},
    {"a.tsv", "x\ttext\tlabel\n", true, {"2", "3"}},
    {"a.tsv", "x\ttext\tlabel\n", false, {"1", "2"}},
    {"a.tsv", "x\t\x91\tlabel\n", false, {"2", "3"}},
    {"a.jsonl", R"({"a": 1, "label": 2})", true, {"a", "label"}},
    {"a.jsonl", R"({"a": 1, "label": 2})", false, {"label", "a"}},
};

TEST(Labelled, DataSayThemselvesWhatTheyAre) {
  for (const Says& row : says)
    for (const bool packed : {false, true}) {
      const TemporaryFolder folder;
      const std::string path = packed ? folder.write(std::string(row.file) + ".gz", gzip(row.bytes))
                                      : folder.write(row.file, row.bytes);
      EXPECT_EQ(names_label({path}, row.fields), row.labelled) << row.file << "\n" << row.bytes;
    }
  const TemporaryFolder folder;
  const std::string path = folder.write("a.tsv", "text\tlabel\n");
  EXPECT_FALSE(names_label({path, path})) << "two files are aligned lines";
  EXPECT_FALSE(names_label({}));
  EXPECT_FALSE(names_label({folder.path("none.tsv")}));
  EXPECT_FALSE(names_label({folder.path("")}));
  EXPECT_FALSE(names_label({"toy:dates"}));
  EXPECT_FALSE(names_label({"toy:none"}));
}

TEST(Labelled, ALargeFileIsNotReadToItsEnd) {
  const TemporaryFolder folder;
  const std::string body(std::size_t{64} << 20, 'x');  // one line
  EXPECT_TRUE(names_label({folder.write("a.tsv.gz", gzip("text\tlabel\n" + body))}));
  EXPECT_FALSE(names_label({folder.write("b.tsv.gz", gzip(body))}));
}

TEST(Labelled, APipeIsLeftAlone) {
  const TemporaryFolder folder;
  const std::string path = folder.path("pipe.tsv");
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_FALSE(names_label({path})) << "and does not wait for a writer";
  std::thread writer([&] { std::ofstream(path) << "text\tlabel\nfine\tyes\n"; });
  const auto pairs = open_pairs({path}, {}, Split::train, 1, {.labelled = true});
  writer.join();
  EXPECT_EQ(read_all(*pairs), (std::vector<Pair>{{"fine", "yes"}}));
}

TEST(Labelled, HeldOutAndFirstPairsAreLabelledToo) {
  const TemporaryFolder folder;
  std::string bytes = "text\tlabel\n";
  for (int i = 0; i < 100; ++i)
    bytes += fmt::format("text {}\t{}\n", i, i % 2);
  const auto open = [&](const std::string& name) {
    return open_pairs({folder.write(name, bytes)}, {}, Split::train, 1, {.labelled = true});
  };
  EXPECT_EQ(open("a.tsv")->fingerprint(), open("b.tsv")->fingerprint());
  EXPECT_EQ(first_pairs(*open("a.tsv"), 3)->at(2), (Pair{"text 2", "0"}));
  const auto [rest, held] = hold_out(open("a.tsv"), 10, 1);
  EXPECT_EQ(rest->size() + held->size(), 100);
  for (Index i = 0; i < held->size(); ++i)
    EXPECT_EQ(held->at(i).source, fmt::format("text {}", held->line(i) - 2));
  EXPECT_EQ(first_pairs(*open("a.tsv"), 3)->line(2), 4);
}

}  // namespace
}  // namespace heed
