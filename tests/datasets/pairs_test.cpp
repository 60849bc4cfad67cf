#include "datasets/pairs.h"

#include <gtest/gtest.h>

#include "datasets/toy/toy.h"
#include "tests/datasets/temporary.h"

namespace heed {
namespace {

using Names = std::vector<std::string>;

std::vector<Pair> read_all(const PairSource& source) {
  std::vector<Pair> pairs;
  for (Index i = 0; i < source.size(); ++i) pairs.push_back(source.at(i));
  return pairs;
}

struct File {
  std::string name, bytes;
};

struct Good {
  std::vector<File> files;
  Names fields;
  std::vector<Pair> pairs;
  Index skipped = 0;
};

TEST(Pairs, OpensEveryForm) {
  const Good rows[]{
      {{{"a.de", "eins\nzwei\n"}, {"a.en", "one\ntwo"}}, {}, {{"eins", "one"}, {"zwei", "two"}}},
      {{{"a.txt", "eins\n\nzwei\ndrei\n"}, {"b.txt", "one\nx\n \t\u00A0\nthree\n"}}, {}, {{"eins", "one"}, {"drei", "three"}}, 2},
      {{{"a.tsv", "eins\tone\nzwei\ttwo\n"}}, {}, {{"eins", "one"}, {"zwei", "two"}}},
      {{{"a.tsv", "eins\tone\n\n\tx\nzwei\ttwo\n"}}, {}, {{"eins", "one"}, {"zwei", "two"}}, 2},
      {{{"a.tsv", "1\teins\tone\n2\tzwei\ttwo\textra\n"}}, {"2", "3"}, {{"eins", "one"}, {"zwei", "two"}}},
      {{{"a.tsv", "eins\tone\n"}}, {"2", "1"}, {{"one", "eins"}}},
      {{{"a.jsonl", R"({"source": "eins", "target": "one", "id": 7})"
                    "\n\n"
                    R"({"target":"t\u00e9","source":"\ud83d\ude00"})"}},
       {},
       {{"eins", "one"}, {"😀", "té"}},
       1},
      {{{"a.jsonl", R"({"document": "long", "summary": "short"})"}}, {}, {{"long", "short"}}},
      {{{"a.jsonl", R"({"q": "why", "a": "so"})"}}, {"q", "a"}, {{"why", "so"}}},
  };
  for (const Good& row : rows) {
    const TemporaryFolder folder;
    Names data;
    for (const File& file : row.files) data.push_back(folder.write(file.name, file.bytes));
    const auto pairs = open_pairs(data, row.fields, Split::train, 1);
    EXPECT_EQ(read_all(*pairs), row.pairs) << row.files[0].bytes;
    EXPECT_EQ(pairs->skipped(), row.skipped) << row.files[0].bytes;
    EXPECT_TRUE(pairs->name().starts_with(data[0]));
  }
}

struct Bad {
  std::vector<File> files;  // a file without bytes is not written
  Names fields;
  std::string message;
};

TEST(Pairs, SaysWhatIsWrongWhere) {
  const std::string kinds = "expected two line-aligned files, one .tsv, one .jsonl or toy:NAME";
  const std::string form = R"(; write one object a line, as {"source": "...", "target": "..."})";
  const Bad rows[]{
      {{}, {}, kinds + "; got 0 names"},
      {{{"a", "x\n"}, {"b", "x\n"}, {"c", "x\n"}}, {}, kinds + "; got 3 names"},
      {{{"a.de", "1\n2\n3\n"}, {"a.en", "1\n2\n"}},
       {},
       "a.de: has 3 lines and a.en has 2; line n of one must belong to line n of the other"},
      {{{"a.de", "x\n"}, {"none.en", ""}}, {}, "none.en: no such file; check the name"},
      {{{"a.de", "\n"}, {"a.en", "x\n"}},
       {},
       "a.de a.en: no line has text on both sides (1 skipped); check that these are the right files"},
      {{{"a.de", "x\n"}, {"a.en", "x\n"}}, {"1", "2"}, "--fields belongs to a .tsv or a .jsonl; got 'a.de a.en'"},
      {{{"a.tsv", "x\ty\n"}, {"b.tsv", "x\ty\n"}}, {}, "a.tsv: holds both sides, so it stands alone; got 'a.tsv b.tsv'"},
      {{{"a.txt", "x\n"}}, {}, "a.txt: a single .txt is for a language model (--model lm); " + kinds},
      {{{"a.csv", "x\n"}}, {}, "a.csv: cannot tell what is in it; " + kinds + "; did you mean .tsv?"},
      {{{"corpus", "x\n"}}, {}, "corpus: cannot tell what is in it; " + kinds},
      {{{"a.tsv", "a\tb\na\tb\tc\n"}}, {}, "a.tsv:2: expected 2 tab-separated columns, got 3; choose two, as --fields 1 2"},
      {{{"a.tsv", "a b\n"}}, {}, "a.tsv:1: expected 2 tab-separated columns, got 1; put a tab between source and target"},
      {{{"a.tsv", "a\tb\tc\na\tb\n"}},
       {"1", "3"},
       "a.tsv:2: has 2 columns, --fields 1 3 asks for column 3; correct the line or the fields"},
      {{{"a.tsv", "a\tb\n"}}, {"0", "1"}, "--fields of a .tsv are column numbers, as --fields 1 2; got '0'"},
      {{{"a.tsv", "a\tb\n"}}, {"source", "target"}, "--fields of a .tsv are column numbers, as --fields 1 2; got 'source'"},
      {{{"a.tsv", "a\tb\n"}}, {"1"}, "--fields takes two, the source and the target; got 1"},
      {{{"a.jsonl", "{\"source\": \"x\", \"target\": \"y\"}\n{\"source\": \"x\n"}}, {}, "a.jsonl:2: is not valid JSON" + form},
      {{{"a.jsonl", "[1, 2]\n"}}, {}, "a.jsonl:1: is not a JSON object" + form},
      {{{"a.jsonl", R"({"source": "x"})"}},
       {},
       "a.jsonl:1: has no \"target\"; add it, or name the two fields by --fields SOURCE TARGET"},
      {{{"a.jsonl", R"({"source": "x", "targets": "y"})"}}, {}, "a.jsonl:1: has no \"target\"; did you mean targets?"},
      {{{"a.jsonl", R"({"document": "x"})"}},
       {},
       "a.jsonl:1: has no \"summary\"; add it, or name the two fields by --fields SOURCE TARGET"},
      {{{"a.jsonl", R"({"source": "x", "target": 3})"}}, {}, "a.jsonl:1: \"target\" is of type number; make it a string"},
      {{{"a.jsonl", R"({"source": null, "target": "y"})"}}, {}, "a.jsonl:1: \"source\" is of type null; make it a string"},
      {{{"a.jsonl", R"({"source": "\ud800", "target": "y"})"}}, {}, "a.jsonl:1: is not valid JSON" + form},
      {{{"a.jsonl", R"({"source": "x\u0000", "target": "y"})"}},
       {},
       "a.jsonl:1: NUL at byte 2 of the line; is this a text file, and saved as UTF-8?"},
  };
  for (const Bad& row : rows) {
    const TemporaryFolder folder;
    Names data;
    for (const File& file : row.files)
      data.push_back(file.bytes.empty() ? folder.path(file.name) : folder.write(file.name, file.bytes));
    EXPECT_EQ(folder.message([&] { open_pairs(data, row.fields, Split::train, 1); }), row.message);
  }
  const TemporaryFolder folder;
  const auto toy = [&](const std::string& name, const Names& fields) {
    return folder.message([&] { open_pairs({name}, fields, Split::train, 1); });
  };
  for (const std::string& known : toy::names())
    EXPECT_NE(toy("toy:translate", {}).find(fmt::format("toy:{}", known)), std::string::npos);
  EXPECT_TRUE(toy("toy:revers", {}).starts_with("unknown corpus 'toy:revers': expected toy:")) << toy("toy:revers", {});
  EXPECT_TRUE(toy("toy:revers", {}).ends_with("; did you mean reverse?")) << toy("toy:revers", {});
  EXPECT_EQ(toy("toy:copy", {"1", "2"}), "--fields belongs to a .tsv or a .jsonl; got 'toy:copy'");
}

TEST(Pairs, TheFirstOfAnySource) {
  const auto endless = open_pairs({"toy:copy"}, {}, Split::valid, 1);
  const auto few = first_pairs(*endless, 5);
  EXPECT_EQ(few->size(), 5);
  for (Index i = 0; i < 5; ++i) EXPECT_EQ(few->at(i), endless->at(i));
  EXPECT_EQ(first_pairs(*few, 9)->size(), 5);
  EXPECT_EQ(first_pairs(*few, 0)->size(), 0);
}

TEST(Pairs, DeepJsonIsAnErrorNotACrash) {
  const TemporaryFolder folder;
  const std::string path =
      folder.write("deep.jsonl", "{\"source\": " + std::string(200'000, '[') + std::string(200'000, ']') + ", \"target\": \"y\"}");
  EXPECT_EQ(folder.message([&] { open_pairs({path}, {}, Split::train, 1); }),
            "deep.jsonl:1: \"source\" is of type array; make it a string");
}

}  // namespace
}  // namespace heed
