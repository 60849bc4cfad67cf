// `heed report` and `heed serve`, as somebody calls them.

#include "tests/cli/program.h"

namespace heed {
namespace {

const Args quick = {"--steps",    "4",     "--threads",      "1",     "--set",
                    "model.d=16", "--set", "model.layers=1", "--set", "optim.warmup=2"};

TEST(Report, IsAPageOrOneClearError) {
  const TemporaryFolder folder;
  const Ran trained =
      run(folder, Args{"train", "--train", "toy:reverse", "--model", "rnn", "--out", "a"} + quick);
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_TRUE(std::filesystem::exists(folder.path("a/report.html")));
  const std::string config = read_file(folder.path("a/config.toml"));
  struct Row {
    Args args;
    int code;
    std::string error;
  };
  const std::vector<Row> rows = {
      {{"a", "--out", "page.html"}, 0, ""},
      {{"a", "--data", "toy:reverse", "--lines", "5", "--out", "page.html"}, 0, ""},
      {{"a", "--out", "/dev/null"}, 0, ""},
      {{"a"}, 2, "--out is required"},
      {{"a", "--out", "a/config.toml"}, 1, "a report is a page; name the file .html"},
      {{"a", "--out", "none/page.html"}, 1, "none/page.html: cannot be written"},
      {{"a", "--lines", "0", "--out", "page.html"}, 2, "--lines"},
      {{"none", "--out", "page.html"}, 1, "none: no such folder"},
      {{"a", "--data", "none.tsv", "--out", "page.html"}, 1, "none.tsv: no such file"},
  };
  for (const Row& row : rows) {
    const Ran ran = run(folder, Args{"report"} + row.args);
    EXPECT_EQ(ran.code, row.code) << ran.err;
    EXPECT_NE(ran.err.find(row.error), std::string::npos) << ran.err;
    EXPECT_EQ(lines_of(ran.err).size(), row.code == 0 ? 0u : 1u) << ran.err;
  }
  EXPECT_EQ(read_file(folder.path("a/config.toml")), config);
}

TEST(Serve, EndsBySignalsAndRefusesWhatItCannotServe) {
  const TemporaryFolder folder;
  const std::string model = HEED_SOURCE_DIR "/tests/data/kept/rnn";
  for (const int signal : {SIGINT, SIGTERM}) {
    Program serving(folder, {"serve", "--run", model, "--port", "0"});
    for (int i = 0; i < 1000 && serving.err().find("serving at") == std::string::npos; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    serving.interrupt(signal);
    const Ran ran = serving.wait();
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ran.out, "");
  }
  const Ran none = run(folder, {"serve", "--run", "none", "--port", "0"});
  EXPECT_EQ(none.code, 1);
  EXPECT_NE(none.err.find("none: no such folder"), std::string::npos) << none.err;
  EXPECT_EQ(run(folder, {"serve", "--run", model, "--port", "70000"}).code, 2);
  const Ran elsewhere = run(folder, {"serve", "--run", model, "--host", "192.0.2.77"});
  EXPECT_EQ(elsewhere.code, 1);
  EXPECT_NE(elsewhere.err.find("cannot listen"), std::string::npos) << elsewhere.err;
}

}  // namespace
}  // namespace heed
