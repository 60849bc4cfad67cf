#include "datasets/text/pairs.h"

#include <algorithm>
#include <set>
#include <thread>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "datasets/corpora/corpora.h"
#include "datasets/text/internal/line_reader.h"
#include "framework/random.h"
#include "tests/datasets/gzip.h"
#include "tests/datasets/temporary.h"

namespace heed {
namespace {

using Names = std::vector<std::string>;

std::vector<Pair> read_all(const PairSource& source) {
  std::vector<Pair> pairs;
  for (Index i = 0; i < source.size(); ++i)
    pairs.push_back(source.at(i));
  return pairs;
}

struct File {
  std::string name;
  std::string bytes;
};

struct Good {
  std::vector<File> files;
  Names fields;
  std::vector<Pair> pairs;
  Index skipped = 0;
};

const Good good_data[]{
    {{{"a.de", "eins\nzwei\n"}, {"a.en", "one\ntwo"}}, {}, {{"eins", "one"}, {"zwei", "two"}}},
    {{{"a.txt", "eins\n\nzwei\ndrei\n"}, {"b.txt", "one\nx\n \t\u00A0\nthree\n"}},
     {},
     {{"eins", "one"}, {"drei", "three"}},
     2},
    {{{"a.tsv", "eins\tone\nzwei\ttwo\n"}}, {}, {{"eins", "one"}, {"zwei", "two"}}},
    {{{"a.tsv", "eins\tone\n\n\tx\nzwei\ttwo\n"}}, {}, {{"eins", "one"}, {"zwei", "two"}}, 2},
    {{{"a.tsv", "1\teins\tone\n2\tzwei\ttwo\textra\n"}},
     {"2", "3"},
     {{"eins", "one"}, {"zwei", "two"}}},
    {{{"a.tsv", "eins\tone\n"}}, {"2", "1"}, {{"one", "eins"}}},
    {{{"a.jsonl", R"({"source": "eins", "target": "one", "id": 7})"
                  "\n\n"
                  R"({"target":"t\u00e9","source":"\ud83d\ude00"})"}},
     {},
     {{"eins", "one"}, {"😀", "té"}},
     1},
    {{{"a.jsonl", R"({"document": "long", "summary": "short"})"}}, {}, {{"long", "short"}}},
    {{{"a.jsonl", R"({"id": [{"source": 1}, "x"], "document": "long", "summary": "short", )"
                  R"("more": {"summary": [[[]]]}, "none": null})"}},
     {},
     {{"long", "short"}}},
    {{{"a.jsonl", R"({"document": "d", "summary": "s", "source": "x", "target": "y"})"}},
     {},
     {{"x", "y"}}},
    // 7 belongs to a key that is not used.
    {{{"a.jsonl", R"({"document": "d", "summary": 7, "source": "x", "target": "y"})"}},
     {},
     {{"x", "y"}}},
    {{{"a.jsonl", R"({"text": "x", "id": 1})"}}, {"text", "text"}, {{"x", "x"}}},
    // A side is one line.
    {{{"a.jsonl", R"({"source": "a\nb\r\nc\td", "target": " y\n"})"}}, {}, {{"a b  c\td", "y"}}},
    {{{"a.jsonl",
       "{\"source\": \"x\", \"target\": \"\"}\r\n{\"source\": \"x\", \"target\": \"y\"}\r\n "
       "\r\n"}},
     {},
     {{"x", "y"}},
     2},
    // What editors write: a mark at the start, \r\n, blanks at the ends, tabs inside a line of one
    // side.
    {{{"a.de", "\xEF\xBB\xBF eins \r\n\tzwei\u00A0\r\n"},
      {"a.en", "one\r\n\u3000two\tof\t two \t\n"}},
     {},
     {{"eins", "one"}, {"zwei", "two\tof\t two"}}},
    {{{"a.tsv",
       "\xEF\xBB\xBF"
       "eins \t one\r\nzwei\ttwo\r\n\r\n"}},
     {},
     {{"eins", "one"}, {"zwei", "two"}},
     1},
    // Only \n ends a line. U+0085, U+2028, vertical tab and form feed stay within a line and are
    // removed at its ends.
    {{{"a.de", "a\u0085b\u2028c\vd\fe\rf\n"}, {"a.en", "\v\u0085x\u2028\n"}},
     {},
     {{"a\u0085b\u2028c\vd\fe\rf", "x"}}},
    {{{"a.jsonl", R"({"q": "why", "a": "so"})"}}, {"q", "a"}, {{"why", "so"}}},
};

TEST(Pairs, OpensEveryForm) {
  for (const Good& row : good_data)
    for (const bool packed : {false, true}) {
      const TemporaryFolder folder;
      Names data;
      for (const File& file : row.files)
        data.push_back(packed ? folder.write(file.name + ".gz", gzip(file.bytes))
                              : folder.write(file.name, file.bytes));
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

const std::string kinds = "expected two line-aligned files, one .tsv, one .jsonl or toy:NAME";
const std::string form = R"(; write one object a line, as {"source": "...", "target": "..."})";
const Bad bad_data[]{
    {{}, {}, kinds + "; got 0 names"},
    {{{"a", "x\n"}, {"b", "x\n"}, {"c", "x\n"}}, {}, kinds + "; got 3 names"},
    {{{"a.de", "1\n2\n3\n"}, {"a.en", "1\n2\n"}},
     {},
     "a.de: has 3 lines and a.en has 2; line n of one must belong to line n of the other"},
    {{{"a.de", "x\n"}, {"none.en", ""}}, {}, "none.en: no such file; check the name"},
    {{{"a.de", "\n"}, {"a.en", "x\n"}},
     {},
     "a.de a.en: no line has text on both sides (1 skipped); check that these are the right "
     "files"},
    {{{"a.de", "x\n"}, {"a.en", "x\n"}},
     {"1", "2"},
     "fields belong to a .tsv or a .jsonl; got 'a.de a.en'"},
    {{{"a.tsv", "x\ty\n"}, {"b.tsv", "x\ty\n"}},
     {},
     "a.tsv: holds both sides, so it stands alone; got 'a.tsv b.tsv'"},
    {{{"a.txt", "x\n"}}, {}, "a.txt: a single .txt is for a language model; " + kinds},
    {{{"a.csv", "x\n"}}, {}, "a.csv: cannot tell what is in it; " + kinds + "; did you mean .tsv?"},
    {{{"corpus", "x\n"}}, {}, "corpus: cannot tell what is in it; " + kinds},
    {{{"a.tsv", "a\tb\na\tb\tc\n"}},
     {},
     "a.tsv:2: expected 2 tab-separated columns, got 3; choose two fields, such as 1 and 2"},
    {{{"a.tsv", "a b\n"}},
     {},
     "a.tsv:1: expected 2 tab-separated columns, got 1; put a tab between source and target"},
    {{{"a.tsv", "a\tb\tc\na\tb\n"}},
     {"1", "3"},
     "a.tsv:2: has 2 columns, and fields 1 and 3 ask for column 3; correct the line or the fields"},
    {{{"a.tsv", "a\tb\n"}},
     {"0", "1"},
     "fields of a .tsv are column numbers, such as 1 and 2, or names in its first line; got '0'"},
    {{{"a.tsv", "a\tb\n"}},
     {"source", "target"},
     "a.tsv:1: has no column 'source'; fields of a .tsv are column numbers, such as 1 and 2, or "
     "names in its first line"},
    {{{"a.tsv", "a\tb\n"}}, {"1"}, "expected two fields, the source and the target; got 1"},
    {{{"a.jsonl", "{\"source\": \"x\", \"target\": \"y\"}\n{\"source\": \"x\n"}},
     {},
     "a.jsonl:2: is not valid JSON at byte 13" + form},
    {{{"a.jsonl", "{\"source\": \"x\", \"target\": \"y\"} x\n"}},
     {},
     "a.jsonl:1: is not valid JSON at byte 32" + form},
    {{{"a.jsonl", "{\"source\": \"x\" \"target\": \"y\"}\n"}},
     {},
     "a.jsonl:1: is not valid JSON at byte 23" + form},
    {{{"a.jsonl", "{'source': 'x'}\n"}}, {}, "a.jsonl:1: is not valid JSON at byte 2" + form},
    {{{"a.jsonl", R"({"source": "x", "n": 1e999, "target": "y"})"}},
     {},
     "a.jsonl:1: is not valid JSON at byte 26" + form},
    {{{"a.jsonl", R"({"source": "x", "target": "y", "source": "z"})"}},
     {},
     "a.jsonl:1: has \"source\" 2 times; keep one"},
    {{{"a.jsonl", R"({"source": "x", "target": ["y"]})"}},
     {},
     "a.jsonl:1: \"target\" is of type array; make it a string"},
    {{{"a.jsonl", R"({"source": {"source": "x"}, "target": "y"})"}},
     {},
     "a.jsonl:1: \"source\" is of type object; make it a string"},
    {{{"a.jsonl", R"({"source": "x", "target": true})"}},
     {},
     "a.jsonl:1: \"target\" is of type boolean; make it a string"},
    {{{"a.jsonl", R"({})"}},
     {},
     "a.jsonl:1: has no \"source\"; add it, or name the two fields to read"},
    {{{"a.jsonl", R"("text")"}}, {}, "a.jsonl:1: is not a JSON object" + form},
    {{{"a.jsonl", "[1, 2]\n"}}, {}, "a.jsonl:1: is not a JSON object" + form},
    {{{"a.jsonl", R"({"source": "x"})"}},
     {},
     "a.jsonl:1: has no \"target\"; add it, or name the two fields to read"},
    {{{"a.jsonl", R"({"source": "x", "targets": "y"})"}},
     {},
     "a.jsonl:1: has no \"target\"; did you mean targets?"},
    {{{"a.jsonl", R"({"document": "x"})"}},
     {},
     "a.jsonl:1: has no \"summary\"; add it, or name the two fields to read"},
    {{{"a.jsonl", R"({"source": "x", "target": 3})"}},
     {},
     "a.jsonl:1: \"target\" is of type number; make it a string"},
    {{{"a.jsonl", R"({"source": null, "target": "y"})"}},
     {},
     "a.jsonl:1: \"source\" is of type null; make it a string"},
    {{{"a.jsonl", R"({"source": "\ud800", "target": "y"})"}},
     {},
     "a.jsonl:1: is not valid JSON at byte 19" + form},
    {{{"a.jsonl", R"({"source": "x\u0000", "target": "y"})"}},
     {},
     "a.jsonl:1: \"source\" holds a NUL (\\u0000); take it out"},
    {{{"a.jsonl", "{\"source\": \"x\xFF\", \"target\": \"y\"}"}},
     {},
     "a.jsonl:1: malformed UTF-8 at byte 14 of the line (0xFF); save the file as UTF-8"},
    {{{"a.de", "x\n"}, {"a.en", "y\nz\n\n"}},
     {},
     "a.de: has 1 lines and a.en has 3; line n of one must belong to line n of the other"},
    {{{"a.de", "x\ny\n"},
      {"a.en",
       "y\nStra\xDF"
       "e\n"}},
     {},
     "a.en:2: malformed UTF-8 at byte 5 of the line (0xDF); save the file as UTF-8"},
    {{{"a.tsv", "x\ty\n" + std::string("a\0\tb", 4) + "\n"}},
     {},
     "a.tsv:2: NUL at byte 2 of the line; is this a text file, and saved as UTF-8?"},
    {{{"a.tsv", "x\ty\n\t\n" + std::string(LineReader::most_bytes + 1, 'x')}},
     {},
     "a.tsv:3: is longer than 4 MiB; is this a text with a pair a line? break it up or leave it "
     "out"},
    {{{"a.tsv", "x\ty\nx\n"}},
     {},
     "a.tsv:2: expected 2 tab-separated columns, got 1; put a tab between source and target"},
    {{{"a.csv.gz", "x,y\n"}},
     {},
     "a.csv.gz: cannot tell what is in it; " + kinds + "; did you mean .tsv?"},
    {{{"a.txt.gz", "x\n"}}, {}, "a.txt.gz: a single .txt is for a language model; " + kinds},
    {{{"a.tsv.gz", "x\ty\n"}, {"b.tsv.gz", "x\ty\n"}},
     {},
     "a.tsv.gz: holds both sides, so it stands alone; got 'a.tsv.gz b.tsv.gz'"},
};

TEST(Pairs, SaysWhatIsWrongWhere) {
  for (const Bad& row : bad_data) {
    const TemporaryFolder folder;
    Names data;
    for (const File& file : row.files)
      data.push_back(file.bytes.empty() ? folder.path(file.name)
                                        : folder.write(file.name, file.bytes));
    EXPECT_EQ(folder.message([&] { open_pairs(data, row.fields, Split::train, 1); }), row.message);
  }
  const TemporaryFolder folder;
  const auto toy = [&](const std::string& name, const Names& fields) {
    return folder.message([&] { open_pairs({name}, fields, Split::train, 1); });
  };
  for (const std::string& known : toy::names())
    EXPECT_NE(toy("toy:translate", {}).find(fmt::format("toy:{}", known)), std::string::npos);
  EXPECT_TRUE(toy("toy:revers", {}).starts_with("unknown corpus 'toy:revers': expected toy:"))
      << toy("toy:revers", {});
  EXPECT_TRUE(toy("toy:revers", {}).ends_with("; did you mean reverse?")) << toy("toy:revers", {});
  EXPECT_EQ(toy("toy:copy", {"1", "2"}), "fields belong to a .tsv or a .jsonl; got 'toy:copy'");
}

TEST(Pairs, TheFirstOfAnySource) {
  const auto endless = open_pairs({"toy:copy"}, {}, Split::valid, 1);
  const auto few = first_pairs(*endless, 5);
  EXPECT_EQ(few->size(), 5);
  for (Index i = 0; i < 5; ++i)
    EXPECT_EQ(few->at(i), endless->at(i));
  EXPECT_EQ(first_pairs(*few, 9)->size(), 5);
  EXPECT_EQ(first_pairs(*few, 0)->size(), 0);
}

struct Blank {
  std::vector<File> files;
  std::string message;
};

TEST(Pairs, BlankSidesAreAnErrorWhereAsked) {
  const std::string advice = " is blank; write it, or have such lines skipped";
  const Blank rows[]{
      {{{"a.de", "x\n\n"}, {"a.en", "x\ny\n"}}, "a.de:2: the line" + advice},
      {{{"a.de", "x\nx\n"}, {"a.en", "y\n \t\u00A0\n"}}, "a.en:2: the line" + advice},
      {{{"a.de", "x\n \n"}, {"a.en", "y\n\n"}}, "a.de:2: the line" + advice},
      {{{"a.tsv", "x\ty\n\n"}}, "a.tsv:2: the line" + advice},
      {{{"a.tsv", "x\t \n"}}, "a.tsv:1: the target" + advice},
      {{{"a.tsv", "\ty\n"}}, "a.tsv:1: the source" + advice},
      {{{"a.jsonl", R"({"source": "\n", "target": "y"})"}}, "a.jsonl:1: the source" + advice},
      {{{"a.jsonl", R"({"source": "x", "target": ""})"}}, "a.jsonl:1: the target" + advice},
      {{{"a.jsonl", "\n"}}, "a.jsonl:1: the line" + advice},
      {{{"a.jsonl", R"({"source": "x", "target": "y"})"}}, "no error"},
  };
  for (const Blank& row : rows) {
    const TemporaryFolder folder;
    Names data;
    for (const File& file : row.files)
      data.push_back(folder.write(file.name, file.bytes));
    EXPECT_EQ(
        folder.message([&] { open_pairs(data, {}, Split::train, 1, {.blank_is_error = true}); }),
        row.message);
  }
}

// `lines` aligned lines, every seventh blank, so that blocks hold more lines than pairs.
std::pair<std::string, std::string> numbered(Index lines) {
  std::string source;
  std::string target;
  for (Index i = 0; i < lines; ++i) {
    source += i % 7 == 3 ? "\n" : fmt::format("s{}\n", i);
    target += fmt::format("t{}\n", i);
  }
  return {source, target};
}

TEST(Pairs, AreReadInAnyOrder) {
  for (const Index lines : {1, 63, 64, 65, 75, 128, 150, 5000}) {
    const TemporaryFolder folder;
    const auto [source, target] = numbered(lines);
    const auto pairs =
        open_pairs({folder.write("a", source), folder.write("b", target)}, {}, Split::train, 1);
    std::vector<Pair> expected;
    for (Index i = 0; i < lines; ++i)
      if (i % 7 != 3) expected.push_back({fmt::format("s{}", i), fmt::format("t{}", i)});
    EXPECT_EQ(pairs->block(), 64);
    EXPECT_EQ(pairs->skipped(), lines - pairs->size());
    ASSERT_EQ(read_all(*pairs), expected);
    for (Index i = pairs->size() - 1; i >= 0; i -= i > 500 ? 97 : 1)
      ASSERT_EQ(pairs->at(i), expected[static_cast<std::size_t>(i)]);
    Random random(1);
    for (int n = 0; n < 500; ++n) {
      const auto i = random.below(expected.size());
      if (n % 3 == 0) pairs->will_need(static_cast<Index>(i), 200);
      ASSERT_EQ(pairs->at(static_cast<Index>(i)), expected[i]);
    }
    const TemporaryFolder nowhere;
    EXPECT_EQ(nowhere.message([&] { pairs->at(pairs->size()); }),
              fmt::format("[pairs] expected a number in [0, {0}); got {0}", pairs->size()));
    pairs->will_need(-1, 1);
    pairs->will_need(0, 0);
    pairs->will_need(pairs->size(), 9);
    pairs->will_need(0, Index{1} << 60);
  }
}

TEST(Pairs, TheSameFileMayBeBothSides) {
  const TemporaryFolder folder;
  const std::string path = folder.write("a", "x\ny\n");
  EXPECT_EQ(read_all(*open_pairs({path, path}, {}, Split::train, 1)),
            (std::vector<Pair>{{"x", "x"}, {"y", "y"}}));
  ASSERT_EQ(mkfifo(folder.path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(folder.message([&] {
    open_pairs({folder.path("pipe"), folder.path("pipe")}, {}, Split::train, 1);
  }),
            "pipe: is no plain file, so it can be read only once; name a file for each side");
}

TEST(Pairs, ComeThroughPipesToo) {
  const TemporaryFolder folder;
  const auto [source, target] = numbered(3000);
  for (const bool packed : {false, true}) {
    const std::string path = folder.path(packed ? "packed" : "plain");
    ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
    std::thread writer(
        [&] { std::ofstream(path, std::ios::binary) << (packed ? gzip(source) : source); });
    const auto pairs = open_pairs({path, folder.write("b", target)}, {}, Split::train, 1);
    writer.join();
    for (const Index i : {2000, 0, 1000})
      EXPECT_EQ(pairs->at(i).source.substr(1), pairs->at(i).target.substr(1));
  }
}

TEST(Pairs, AFileThatChangesIsAnErrorAndOneThatVanishesIsNone) {
  const TemporaryFolder folder;
  const auto [source, target] = numbered(1000);
  const std::string a = folder.write("a", source);
  const std::string b = folder.write("b", target);
  const std::string c = folder.write("c.tsv", "x\ty\n");
  const auto changed = open_pairs({a, b}, {}, Split::train, 1);
  const auto vanished = open_pairs({c}, {}, Split::train, 1);
  changed->at(0);
  std::filesystem::remove(c);
  EXPECT_EQ(vanished->at(0), (Pair{"x", "y"}));
  std::ofstream(b, std::ios::app) << "more\n";
  EXPECT_EQ(folder.message([&] { changed->at(500); }),
            "b: has changed since it was opened; leave the data alone while they are in use, and "
            "start again");
  std::ofstream(b, std::ios::trunc).close();
  EXPECT_EQ(folder.message([&] { changed->at(0); }),
            "b: has changed since it was opened; leave the data alone while they are in use, and "
            "start again");
}

// A file that was opened is read to its end, even if it is renamed or deleted. A change of its
// contents and a failing disk are errors.
TEST(Pairs, AFileStaysWhatItWasOpenedAs) {
  const TemporaryFolder folder;
  const auto [source, target] = numbered(1000);
  const auto open = [&] {
    return open_pairs({folder.write("a", source), folder.write("b", target)}, {}, Split::train, 1);
  };
  const auto expected = read_all(*open());
  const std::string a = folder.path("a");
  const std::pair<const char*, std::function<void()>> harmless[]{
      {"deleted", [&] { std::filesystem::remove(a); }},
      {"replaced", [&] { std::filesystem::rename(folder.write("c", "other\n"), a); }},
      {"moved", [&] { std::filesystem::rename(a, folder.path("elsewhere")); }},
      {"forbidden", [&] { std::filesystem::permissions(a, std::filesystem::perms::none); }},
  };
  for (const auto& [name, act] : harmless) {
    const auto pairs = open();
    act();
    EXPECT_EQ(read_all(*pairs), expected) << name;
    std::filesystem::remove(a);
  }
  const std::pair<const char*, std::function<void()>> harmful[]{
      {"truncated", [&] { std::filesystem::resize_file(a, 100); }},
      {"rewritten", [&] { std::ofstream(a) << std::string(source.size(), 'x'); }},
      {"rewritten as rubbish", [&] { std::ofstream(a) << std::string(source.size(), '\xff'); }},
  };
  for (const auto& [name, act] : harmful)
    for (const Index next : {4, 700}) {  // of the same block, which is being read, and of another
      const auto pairs = open();
      pairs->at(3);
      act();
      const std::string message = folder.message([&] {
        pairs->at(next);
        pairs->at(next + 64);
      });
      EXPECT_EQ(message,
                "a: has changed since it was opened; leave the data alone while they are in use, "
                "and start again")
          << name;
    }
  EXPECT_EQ(folder.message([] {
    open_pairs({"/proc/self/mem", "/proc/self/mem"}, {}, Split::train, 1);
  }),
            "/proc/self/mem: cannot be read to its end (Input/output error); check the disk");
}

TEST(Pairs, AFingerprintIsOfWhatTheyHold) {
  const TemporaryFolder folder;
  const Pair first{"eins zwei", "one two"};
  const Pair second{"drei", "three"};
  const std::string a = folder.write("a", "eins zwei\n\ndrei");
  const std::string b = folder.write("b", "one two\nx\nthree");
  const auto of = [&](const Names& data) {
    return open_pairs(data, {}, Split::train, 1)->fingerprint();
  };
  const auto memory = [](std::vector<Pair> pairs) {
    return MemoryPairs(std::move(pairs)).fingerprint();
  };
  const std::uint64_t print = memory({first, second});
  EXPECT_EQ(of({a, b}), print);
  EXPECT_EQ(of({folder.write("a.gz", gzip(" eins zwei\r\ndrei\n")),
                folder.write("b.gz", gzip("one two\nthree\n"))}),
            print);
  EXPECT_EQ(of({folder.write("c.tsv", "eins zwei\tone two\ndrei\tthree\n")}), print);
  EXPECT_EQ(of({folder.write("d.jsonl",
                             "{\"source\":\"eins zwei\",\"target\":\"one "
                             "two\"}\n{\"target\":\"three\",\"source\":\"drei\"}\n")}),
            print);
  EXPECT_EQ(first_pairs(*open_pairs({a, b}, {}, Split::train, 1), 9)->fingerprint(), print);
  std::set<std::uint64_t> others{print};  // each another
  const std::vector<Pair> different[]{{second, first},
                                      {first},
                                      {first, second, second},
                                      {},
                                      {{"eins zwei", "one twp"}, second},
                                      {{"one two", "eins zwei"}, second},
                                      {{"eins", "zwei one two"}, second},
                                      {{"eins zwei one two", ""}, second},
                                      {first, {"three", "drei"}},
                                      {{"eins zwei", "three"}, {"drei", "one two"}}};
  for (const std::vector<Pair>& pairs : different)
    EXPECT_TRUE(others.insert(memory(pairs)).second) << pairs.size();
  const auto hold = [&](std::uint64_t seed) {
    return hold_out(open_pairs({folder.write("s", numbered(500).first),
                                folder.write("t", numbered(500).second)},
                               {}, Split::train, 1),
                    20, seed);
  };
  const auto [rest, held] = hold(1);
  EXPECT_EQ(rest->fingerprint(), hold(1).first->fingerprint());
  EXPECT_EQ(held->fingerprint(), hold(1).second->fingerprint());
  EXPECT_TRUE(others.insert(rest->fingerprint()).second &&
              others.insert(held->fingerprint()).second &&
              others.insert(hold(2).first->fingerprint()).second);
  for (const std::string& name : toy::names())
    for (const Split split : {Split::train, Split::valid})
      EXPECT_TRUE(others.insert(open_pairs({"toy:" + name}, {}, split, 1)->fingerprint()).second)
          << name;
  EXPECT_EQ(of({"toy:dates"}), of({"toy:dates"}));
}

TEST(Pairs, HoldOutSomeAtRandom) {
  for (const auto& [lines, n] : {std::pair<Index, Index>{10, 0}, {10, 3}, {10, 10}, {1000, 50}}) {
    const TemporaryFolder folder;
    const auto [source, target] = numbered(lines);
    const auto open = [&] {
      return open_pairs({folder.write("a", target), folder.write("b", target)}, {}, Split::train,
                        1);
    };
    const auto [rest, held] = hold_out(open(), n, 3);
    EXPECT_EQ(held->size(), n);
    EXPECT_EQ(rest->size(), lines - n);
    EXPECT_EQ(rest->block(), 64);
    std::vector<Pair> all = read_all(*rest);
    std::vector<Pair> chosen = read_all(*held);
    std::vector<Pair> expected = read_all(*open());
    EXPECT_EQ(chosen, read_all(*hold_out(open(), n, 3).second));
    if (n == 50) {
      EXPECT_NE(chosen, read_all(*hold_out(open(), n, 4).second));
    }
    if (n == 50) {  // of every part of the file
      EXPECT_LT(std::stoi(chosen.front().source.substr(1)), 200);
      EXPECT_GT(std::stoi(chosen.back().source.substr(1)), 800);
    }
    all.insert(all.end(), chosen.begin(), chosen.end());
    const auto by_source = [](const Pair& x, const Pair& y) { return x.source < y.source; };
    std::ranges::sort(all, by_source);
    std::ranges::sort(expected, by_source);
    EXPECT_EQ(all, expected);
    rest->will_need(0, lines * 2);
    rest->will_need(lines - 1, 1);
  }
  const TemporaryFolder folder;
  EXPECT_EQ(folder.message([&] {
    hold_out(std::make_unique<MemoryPairs>(std::vector<Pair>(2, Pair{"x", "y"})), 3, 1);
  }),
            "[pairs] expected to hold out at most 2 pairs; got 3");
}

TEST(Pairs, DeepJsonIsAnErrorNotACrash) {
  const TemporaryFolder folder;
  const std::string path =
      folder.write("deep.jsonl", "{\"source\": " + std::string(200'000, '[') +
                                     std::string(200'000, ']') + ", \"target\": \"y\"}");
  EXPECT_EQ(folder.message([&] { open_pairs({path}, {}, Split::train, 1); }),
            "deep.jsonl:1: \"source\" is of type array; make it a string");
  for (const char* open : {"[", "{\"a\":"}) {
    std::string endless;
    while (endless.size() < 3'000'000)
      endless += open;
    EXPECT_TRUE(folder
                    .message([&] {
                      open_pairs({folder.write("deep.jsonl", endless)}, {}, Split::train, 1);
                    })
                    .starts_with("deep.jsonl:1: is not valid JSON at byte 30000"));
  }
}

}  // namespace
}  // namespace heed
