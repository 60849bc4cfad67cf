// `heed train` where the disk is full, or its folder is read-only or gone: it ends with a message,
// and can be resumed from the newest whole checkpoint.
#include <cstdlib>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>

#include "framework/checkpoint.h"
#include "framework/run_folder.h"
#include "tests/datasets/temporary.h"

namespace heed {
namespace {

namespace fs = std::filesystem;

constexpr int skipped = 77;

std::string text_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

/// The rows of metrics.jsonl without times.
std::vector<nlohmann::json> rows_of(const std::string& folder) {
  std::ifstream in(RunFolder(folder).metrics());
  std::vector<nlohmann::json> rows;
  for (std::string line; std::getline(in, line);) {
    rows.push_back(nlohmann::json::parse(line));
    rows.back().erase("seconds");
    rows.back().erase("tokens_per_s");
  }
  return rows;
}

class Full : public ::testing::Test {
 protected:
  Full() {
    std::string pairs;
    for (int i = 0; i < 24; ++i)
      pairs += fmt::format("a{} b{} c\tx{} y\n", i % 3, i % 4, i % 5);
    folder_.write("pairs.tsv", pairs);
  }
  /// Writes a script that runs in the folder. In it `heed` is the program, `start` begins a run of
  /// tiny steps that saves after each, and `code` runs a command and keeps its output and exit
  /// status.
  void write_script(const std::string& name, const std::string& text) {
    folder_.write(name, fmt::format(R"sh(cd '{}' || exit 99
heed='{}'
heed() {{ timeout 120 "$heed" "$@"; }}
start() {{ heed train --train pairs.tsv --valid pairs.tsv --model transformer --threads 1 \
  --set data.min_count=1 --set model.d=8 --set model.layers=1 --set model.heads=1 \
  --set model.ff=8 --set optim.schedule=constant --set train.log_every=1 \
  --set train.eval_every=4 --set train.save_every=1 "$@"; }}
code() {{ "$@" >out.txt 2>err.txt; echo $? >code.txt; }}
{})sh",
                                    folder_.path(""), HEED_PROGRAM, text));
  }
  int script(const std::string& name, const std::string& text) {
    write_script(name, text);
    const int status = std::system(
        fmt::format("sh '{}' 2>'{}'", folder_.path(name), folder_.path("script.txt")).c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::string error() const {
    std::string last;
    std::istringstream in(text_of(folder_.path("err.txt")));
    for (std::string line; std::getline(in, line);)
      last = line;
    return last;
  }
  void expect_failed(const std::string& what) const {
    EXPECT_EQ(text_of(folder_.path("code.txt")), "1\n") << text_of(folder_.path("err.txt"));
    EXPECT_TRUE(error().starts_with("heed: error: ")) << error();
    EXPECT_NE(error().find(what), std::string::npos) << error();
    EXPECT_EQ(text_of(folder_.path("out.txt")), "");
  }
  /// Expects that the run `name` ended as the run `whole`, which was not disturbed.
  void expect_same(const std::string& name) const {
    for (const char* file : {"last.heed", "best.heed"}) {
      const std::string found = text_of(RunFolder(folder_.path(name)).checkpoints() / file);
      EXPECT_FALSE(found.empty()) << file;
      EXPECT_TRUE(found == text_of(RunFolder(folder_.path("whole")).checkpoints() / file)) << file;
    }
    EXPECT_EQ(rows_of(folder_.path(name)), rows_of(folder_.path("whole")));
  }

  TemporaryFolder folder_;
};

TEST_F(Full, ReportsAFullDiskAndResumes) {
  const std::string inner = R"sh(
mount -t tmpfs -o size=900k tmpfs disk || exit 77
code start --steps 60 --set train.keep=1000 --out disk/run
mount -o remount,size=64m disk || exit 98
heed train --resume --out disk/run || exit 1
cp -r disk/run run || exit 97
umount disk
)sh";
  script("whole.sh", "start --steps 60 --set train.keep=1000 --out whole");
  ASSERT_TRUE(fs::exists(RunFolder(folder_.path("whole")).step(60)))
      << text_of(folder_.path("script.txt"));
  fs::create_directories(folder_.path("disk"));
  write_script("inner.sh", inner);
  const int code = script("outer.sh",
                          "options=-m; [ \"$(id -u)\" = 0 ] || options=-rm\nunshare $options true "
                          "|| exit 77\nunshare $options sh inner.sh");
  if (code == skipped) GTEST_SKIP() << "mounting is not permitted here";
  ASSERT_EQ(code, 0) << text_of(folder_.path("script.txt"));
  expect_failed("cannot be written: No space left on device; free some space");
  EXPECT_NE(error().find("is saved, and can be resumed from"), std::string::npos) << error();
  expect_same("run");
}

TEST_F(Full, ReportsALimitOnTheSizeOfFiles) {
  ASSERT_EQ(script("s.sh", R"sh(
start --steps 8 --out whole && start --steps 4 --out run || exit 1
size=$(stat -c %s run/checkpoints/last.heed)
code prlimit --fsize=$((size / 2)) timeout 120 "$heed" train --resume --steps 8 --out run
heed inspect run >inspected.txt && heed train --resume --steps 8 --out run)sh"),
            0)
      << text_of(folder_.path("script.txt"));
  expect_failed(
      "cannot be written: File too large; raise the limit on the size of files (ulimit -f)");
  EXPECT_NE(error().find("; step 4 is saved"), std::string::npos) << error();
  EXPECT_NE(text_of(folder_.path("inspected.txt")).find("step                 4"),
            std::string::npos);
  expect_same("run");
}

TEST_F(Full, StopsWithoutMetricsButNotWithoutALog) {
  // Both files are longer than the limit allows, and checkpoints are not.
  ASSERT_EQ(script("s.sh", R"sh(
start --steps 8 --out whole && start --steps 4 --out run || exit 1
size=$(stat -c %s run/checkpoints/last.heed)
cp -r run logged
cp run/metrics.jsonl kept.jsonl
i=0
while [ $i -lt $((size / 500)) ]; do
  printf '{"step": 4, "pad": "%01000d"}\n' 0
  i=$((i + 1))
done >>run/metrics.jsonl
code prlimit --fsize=$((size + size / 2)) timeout 120 "$heed" train --resume --steps 8 --out run
[ "$(sed -n 's/.*; step \([0-9]*\) is saved.*/\1/p' err.txt)" = 5 ] || exit 1
heed train --resume --steps 8 --out run || exit 1
grep -v pad run/metrics.jsonl >m; mv m run/metrics.jsonl
head -c $((size * 2)) /dev/zero | tr '\0' '\n' >>logged/log.txt
prlimit --fsize=$((size + size / 2)) \
  timeout 120 "$heed" train --resume --steps 8 --out logged 2>logged.txt)sh"),
            0)
      << text_of(folder_.path("script.txt")) << text_of(folder_.path("err.txt"));
  expect_failed(
      "metrics.jsonl: cannot be written: File too large; raise the limit on the size of files "
      "(ulimit -f)");
  expect_same("run");
  expect_same("logged");
  const std::string said = text_of(folder_.path("logged.txt"));
  const std::string line =
      "log.txt: cannot be written: File too large; raise the limit on the size "
      "of files (ulimit -f); the run goes on without it";
  EXPECT_NE(said.find(line), std::string::npos) << said;
  EXPECT_EQ(said.find(line), said.rfind(line)) << "once";
}

TEST_F(Full, ReportsAFolderThatIsGone) {
  ASSERT_EQ(script("s.sh", R"sh(
code start --steps 1000000 --out run &
while [ ! -e run/checkpoints/last.heed ] && kill -0 $!; do sleep 0.05; done
mv run gone; rm -rf gone
wait
[ ! -e run ])sh"),
            0)
      << text_of(folder_.path("script.txt"));
  expect_failed("run");  // met before a save or within it
  EXPECT_TRUE(error().find(": No such file or directory") != std::string::npos ||
              error().find("run: the folder was moved or removed; nothing more is written") !=
                  std::string::npos)
      << error();
  EXPECT_EQ(error().find("is saved"), std::string::npos) << error();
}

TEST_F(Full, ReportsAReadOnlyFolder) {
  const int code = script("s.sh", R"sh(
start --steps 400 --out whole || exit 1
cp "$heed" program && chmod 755 . program
as=
if [ "$(id -u)" = 0 ]; then
  as='setpriv --reuid=65534 --regid=65534 --clear-groups'
  $as ./program --version || exit 77
fi
cp -r whole run; rm -rf run/checkpoints run/metrics.jsonl run/log.txt; cp run/config.toml .
mkdir -p at; chmod 777 at
code timeout 120 $as ./program train --config run/config.toml --train pairs.tsv \
  --model transformer --steps 400 --out at/run &
while [ ! -e at/run/checkpoints/last.heed ] && kill -0 $!; do sleep 0.02; done
chmod a-w at/run/checkpoints
wait
$as test -w at/run/checkpoints && exit 77
chmod u+w at/run/checkpoints
$as ./program train --resume --out at/run)sh");
  if (code == skipped)
    GTEST_SKIP() << "this user may write whatever the modes say, and may not be another";
  ASSERT_EQ(code, 0) << text_of(folder_.path("script.txt"));
  expect_failed("cannot be written: Permission denied; may its folder be written to?");
  EXPECT_NE(error().find("is saved, and can be resumed from"), std::string::npos) << error();
  expect_same("at/run");
}

}  // namespace
}  // namespace heed
