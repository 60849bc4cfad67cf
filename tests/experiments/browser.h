#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/datasets/temporary.h"
#include "tests/text_files.h"

// Opens pages in Chromium, so that tests see what a reader sees.

namespace heed {

inline bool has_browser() { return std::system("command -v chromium > /dev/null 2>&1") == 0; }

/// Opens an address in the browser. Returns the document and the addresses that it requested.
/// - The browser is headless, has no network but this machine, and uses a profile of its own.
/// - It runs without its sandbox, so that any user can run it.
/// - It is started again if it dies or hangs, since that tells nothing about the page.
struct Seen {
  std::string dom;
  std::vector<std::string> fetched;
};
inline Seen open_address(const TemporaryFolder& folder, const std::string& name,
                         const std::string& address) {
  Seen seen;
  for (int attempt = 0; attempt < 3 && seen.dom.empty(); ++attempt) {
    const std::string home = folder.path(fmt::format("profile-{}-{}", name, attempt));
    const std::string log = home + "/net.json";
    const std::string dom = home + "/dom.html";
    std::filesystem::create_directories(home);
    const std::string command = fmt::format(
        "HOME='{0}' timeout -k 5 120 chromium --headless --no-sandbox --disable-gpu "
        "--disable-dev-shm-usage --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --user-data-dir='{0}/data' "
        "--host-resolver-rules='MAP * ~NOTFOUND, EXCLUDE 127.0.0.1' --log-net-log='{1}' "
        "--virtual-time-budget=10000 --dump-dom '{2}' > '{3}' 2> '{0}/err.txt'",
        home, log, address, dom);
    if (std::system(command.c_str()) != 0) continue;
    seen.dom = read_file(dom);
    // The browser's own errands have no origin; a page from a file has the origin "null".
    const std::string events = read_file(log);
    const std::string initiator = "\"initiator\":\"null\"";
    for (std::size_t at = events.find(initiator); at != std::string::npos;
         at = events.find(initiator, at + 1)) {
      const std::size_t line = events.rfind('\n', at) + 1;
      seen.fetched.push_back(events.substr(line, events.find('\n', at) - line));
    }
    EXPECT_FALSE(events.empty());
  }
  EXPECT_FALSE(seen.dom.empty()) << "the browser gave nothing in three attempts";
  return seen;
}

/// The same of a file in the folder.
inline Seen open_page(const TemporaryFolder& folder, const std::string& name) {
  return open_address(folder, name, "file://" + folder.path(name));
}

#define NEEDS_BROWSER \
  if (!has_browser()) GTEST_SKIP() << "needs Chromium: scripts/install-packages test"

}  // namespace heed
