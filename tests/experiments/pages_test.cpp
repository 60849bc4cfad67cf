#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "experiments/report/attention.h"
#include "experiments/report/chart.h"
#include "experiments/report/page.h"
#include "experiments/run_report/run_report.h"
#include "experiments/training.h"
#include "tests/datasets/temporary.h"
#include "tests/experiments/browser.h"
#include "tests/experiments/report.h"
#include "tests/text_files.h"

// Opens pages in Chromium and tests what a reader sees.

namespace heed::report {
namespace {

const AttendedLine& line() {
  static const AttendedLine line = [] {
    AttendedLine made = attended({"the", "<unk>", "<b>", "日本", "</s>"},
                                 {"le", "x&y", "<unk>", "\x01", "z", "</s>"}, 2, 3);
    made.source_text = "the <script>document.title='run'</script>";
    return made;
  }();
  return line;
}

std::string write_page(const TemporaryFolder& folder, const std::string& name) {
  AttentionWriter writer(folder.path(name));
  writer.add(line());
  writer.close();
  return read_file(folder.path(name));
}

TEST(Browser, ShowsTheWeightsGivenAndFetchesNothing) {
  NEEDS_BROWSER;
  const TemporaryFolder folder;
  for (const std::string name : {"a.html", "a.svg"}) {
    write_page(folder, name);
    const Seen seen = open_page(folder, name);
    EXPECT_EQ(seen.fetched, std::vector<std::string>{}) << name;
    auto drawn = drawn_weights(seen.dom);
    const auto expect = [&](const std::string& key, const std::vector<double>& given) {
      ASSERT_EQ(drawn[key].size(), given.size()) << name << " " << key;
      for (std::size_t i = 0; i < given.size(); ++i)
        ASSERT_NEAR(drawn[key][i], given[i], 1e-6) << name << " " << key;
    };
    expect("mean/mean", mean_weights(line()));
    EXPECT_EQ(seen.dom.find("<parsererror"), std::string::npos) << seen.dom;
    if (name == "a.svg") continue;
    EXPECT_NE(seen.dom.find("<title>What the model attended to</title>"), std::string::npos)
        << "no script ran";
    for (const AttentionLayerMap& map : line().layers)
      for (Index head = 0; head < map.heads; ++head) {
        const auto begin = map.weights.begin() + head * map.rows * map.columns;
        expect(fmt::format("{}/{}", map.layer, head + 1), {begin, begin + map.rows * map.columns});
      }
  }
  // A page that does fetch is caught.
  folder.write("other.html", "<p>x<img src=\"http://example.invalid/a.png\">");
  EXPECT_FALSE(open_page(folder, "other.html").fetched.empty());
}

/// Runs `script` in the page and returns its variable `result`.
nlohmann::json ask(const TemporaryFolder& folder, std::string page, const std::string& script) {
  const std::size_t policy = page.find("<meta http-equiv=\"Content-Security-Policy\"");
  EXPECT_NE(policy, std::string::npos);
  page.erase(policy, page.find('>', policy) + 1 - policy);
  page.insert(
      page.rfind("</body>"),
      "<pre id=\"result\"></pre><script>const result = {};\n" + script +
          "\ndocument.getElementById('result').textContent = JSON.stringify(result);</script>");
  folder.write("asked.html", page);
  const std::string dom = open_page(folder, "asked.html").dom;
  const std::string tag = "<pre id=\"result\">";
  const std::size_t begin = dom.find(tag) + tag.size();
  return nlohmann::json::parse(dom.substr(begin, dom.find("</pre>", begin) - begin), nullptr,
                               false);
}

TEST(Browser, HidesSpecialTokens) {
  NEEDS_BROWSER;
  const TemporaryFolder folder;
  const nlohmann::json result = ask(folder, write_page(folder, "a.html"), R"(
    const shown = e => e.getClientRects().length > 0;
    const picture = document.querySelector('svg');
    const shownIn = (element, selector) => [...element.querySelectorAll(selector)].filter(shown);
    const rows = () => shownIn(picture, '.cells .row').map(row => shownIn(row, 'rect'));
    const corner = row => {
      const box = row[row.length - 1].getBoundingClientRect();
      return [Math.round(box.x), Math.round(box.y)];
    };
    const look = () => ({
      special: shownIn(document, '.special').length,
      cells: rows().map(row => row.length),
      corners: rows().map(corner),
      labels: shownIn(picture, 'text:not(.n)').map(t => t.firstChild.nodeValue),
    });
    result.before = look();
    document.getElementById('hide-special').click();
    result.after = look();
    document.getElementById('hide-special').click();
    result.again = look();)");
  ASSERT_TRUE(result.is_object());
  const auto& before = result["before"];
  const auto& after = result["after"];
  EXPECT_GT(before["special"].get<int>(), 20);
  EXPECT_EQ(before["cells"], nlohmann::json::array({5, 5, 5, 5, 5, 5}));
  EXPECT_EQ(before["labels"],
            nlohmann::json::array({"le", "x&amp;y", "&lt;unk&gt;", "␁", "z", "&lt;/s&gt;", "the",
                                   "&lt;unk&gt;", "&lt;b&gt;", "日本", "&lt;/s&gt;"}));
  EXPECT_EQ(after["special"], 0);
  EXPECT_EQ(after["cells"], nlohmann::json::array({3, 3, 3, 3}));
  EXPECT_EQ(after["labels"],
            nlohmann::json::array({"le", "x&amp;y", "␁", "z", "the", "&lt;b&gt;", "日本"}));
  // The remaining cells close the gaps: the last cell of each row is now the third, and the rows
  // follow one another.
  for (int row = 0; row < 4; ++row) {
    EXPECT_EQ(after["corners"][row][0].get<int>(), before["corners"][0][0].get<int>() - 2 * 32)
        << row;
    EXPECT_EQ(after["corners"][row][1].get<int>(), before["corners"][0][1].get<int>() + row * 32)
        << row;
  }
  EXPECT_EQ(result["again"], before);
}

TEST(Browser, LabelsDoNotOverlapNorLeaveThePicture) {
  NEEDS_BROWSER;
  const TemporaryFolder folder;
  AttentionWriter writer(folder.path("a.html"));
  for (const std::size_t length : {3u, 12u, 40u, 200u}) {
    std::vector<std::string> words;
    for (std::size_t i = 0; i + 1 < length; ++i)
      words.push_back(
          std::vector<std::string>{"extraordinarily", "mWmW", "the", "日本語", "a"}[i % 5]);
    words.push_back("</s>");
    writer.add(attended(words, words, 1, 1));
  }
  writer.close();
  const nlohmann::json result = ask(folder, read_file(folder.path("a.html")), R"(
    document.querySelectorAll('details').forEach(d => d.open = true);
    const box = element => element.getBoundingClientRect();
    const leaves = (inner, outer) =>
      inner.left < outer.left - 1 || inner.right > outer.right + 1 ||
      inner.top < outer.top - 1 || inner.bottom > outer.bottom + 1;
    const overlaps = (label, above) => {
      const size = parseFloat(getComputedStyle(label).fontSize);
      return box(label).top < box(above).top + size * 0.95;
    };
    result.pictures = [...document.querySelectorAll('figure > svg')].map(svg => {
      const frame = box(svg);
      const texts = [...svg.querySelectorAll('text')];
      const labels = [...svg.querySelectorAll('text[text-anchor=end]')];
      const out = texts.filter(text => leaves(box(text), frame));
      const over = labels.filter((label, i) => i > 0 && overlaps(label, labels[i - 1]));
      const contents = elements => elements.map(element => element.textContent);
      return {
        out: contents(out),
        over: contents(over),
        labels: labels.length,
        width: frame.width,
      };
    });)");
  ASSERT_EQ(result["pictures"].size(), 4u) << result;
  for (const auto& picture : result["pictures"]) {
    EXPECT_EQ(picture["out"], nlohmann::json::array()) << picture;
    EXPECT_EQ(picture["over"], nlohmann::json::array()) << picture;
    EXPECT_GE(picture["labels"].get<int>(), 3);
    EXPECT_LT(picture["width"].get<double>(), 1100);
  }
}

TEST(Browser, ShowsAComparison) {
  NEEDS_BROWSER;
  const TemporaryFolder folder;
  Page page("Comparison");
  page.table({.header = {"model", "BLEU"}, .rows = {{"a", "1.5"}}});
  page.figure(line_chart(
      {.title = "loss",
       .series = {
           {.name = "1", .model = "rnn+additive", .xs = {1, 2, 3}, .ys = {3.25, 2.5, 1.125}}}}));
  page.figure(bar_chart({.title = "length",
                         .categories = {"1-5", "6-10"},
                         .series = {{"conv", {10.5, 7}, {1, 0.5}}}}));
  page.write(folder.path("comparison.html"));
  const Seen seen = open_page(folder, "comparison.html");
  EXPECT_EQ(seen.fetched, std::vector<std::string>{});
  for (const char* text : {"<title>1: 3, 1.125</title>", "<title>conv, 1-5: 10.5 ± 1</title>",
                           "<td class=\"number\">1.5</td>"})
    EXPECT_NE(seen.dom.find(text), std::string::npos) << text;
}

TEST(Browser, ShowsAReportWhoseTokensAreMarkup) {
  NEEDS_BROWSER;
  const TemporaryFolder folder;
  std::string lines;
  for (int i = 0; i < 60; ++i)
    lines +=
        fmt::format("</script> <img/src=x> word{} \u202e\t<b>title</b> &amp; w{}\n", i % 7, i % 5);
  Settings settings = default_settings("transformer", {folder.write("a.tsv", lines)});
  for (const char* key :
       {"model.d=16", "model.layers=1", "train.steps=4", "data.tokenizer=words"}) {
    const std::string text = key;
    settings.set(text.substr(0, text.find('=')), text.substr(text.find('=') + 1));
  }
  Training(settings, folder.path("run")).run();
  run_report(folder.path("run")).write(folder.path("report.html"));
  const Seen seen = open_page(folder, "report.html");
  EXPECT_EQ(seen.fetched, std::vector<std::string>{});
  EXPECT_EQ(seen.dom.find("<img"), std::string::npos);
  EXPECT_EQ(seen.dom.find("\u202e"), std::string::npos);
  for (const char* text :
       {"&lt;/script&gt;", "Loss by step", "id=\"output-", "Hide special tokens"})
    EXPECT_NE(seen.dom.find(text), std::string::npos) << text;
}

}  // namespace
}  // namespace heed::report
