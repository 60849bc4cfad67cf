#include "tests/experiments/report.h"

#include <bit>
#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "experiments/report/attention.h"
#include "experiments/report/chart.h"
#include "experiments/report/colours.h"
#include "experiments/report/heat_map.h"
#include "experiments/report/page.h"
#include "experiments/report/text.h"
#include "experiments/report/token_text.h"
#include "tests/datasets/temporary.h"
#include "tests/message_of.h"
#include "tests/text_files.h"

namespace heed::report {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

/// Checks that every element is closed in order and that special characters are escaped. Returns ""
/// or the error.
std::string markup_fault(const std::string& text) {
  const std::vector<std::string> empty = {"meta", "input"};
  std::vector<std::string> open;
  for (std::size_t at = text.find('<'); at != std::string::npos; at = text.find('<', at + 1)) {
    const std::size_t end = text.find('>', at);
    if (end == std::string::npos) return "unclosed tag";
    const std::string tag = text.substr(at + 1, end - at - 1);
    if (tag.starts_with('!')) continue;
    const std::string name = tag.substr(0, tag.find_first_of(" /", 1));
    if (name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789/") != name.npos)
      return "tag <" + tag + ">";
    if (std::count(tag.begin(), tag.end(), '"') % 2 != 0) return "quotes in <" + tag + ">";
    if (tag.starts_with('/')) {
      if (open.empty() || open.back() != tag.substr(1))
        return "<" + tag + "> closes " + (open.empty() ? "nothing" : open.back());
      open.pop_back();
    } else if (!tag.ends_with('/') && std::find(empty.begin(), empty.end(), name) == empty.end()) {
      open.push_back(name);
    }
  }
  for (std::size_t at = text.find('&'); at != std::string::npos; at = text.find('&', at + 1))
    if (text.find(';', at) > at + 6) return "bare & at " + text.substr(at, 20);
  return open.empty() ? "" : "unclosed " + open.back();
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos;
       at = text.find(part, at + part.size()))
    ++n;
  return n;
}

std::string written(const std::string& name, const std::vector<AttendedLine>& lines) {
  const TemporaryFolder folder;
  AttentionWriter writer(folder.path(name));
  for (const AttendedLine& line : lines)
    writer.add(line);
  writer.close();
  return read_file(folder.path(name));
}

// ---- text

TEST(PlotText, ShowsAndEscapes) {
  struct Row {
    std::string token;
    std::string visible;
    std::string escaped;
    int columns;
  };
  for (const Row& row : std::vector<Row>{
           {"", "", "", 0},
           {"plain", "plain", "plain", 5},
           {"<b>&\"'", "<b>&\"'", "&lt;b&gt;&amp;&quot;&#39;", 6},
           {"a b", "a b", "a b", 3},
           {" a ", "␣a␣", "␣a␣", 3},
           {"  ", "␣␣", "␣␣", 2},
           {"\t\n\x01\x1f", "␉␊␁␟", "␉␊␁␟", 4},
           {"\x7f", "U+007F", "U+007F", 6},
           {"a\u202eb", "aU+202Eb", "aU+202Eb", 8},
           {"\ufeff", "U+FEFF", "U+FEFF", 6},
           {"\uffff", "U+FFFF", "U+FFFF", 6},
           {"\xff\xc3", "\ufffd\ufffd", "\ufffd\ufffd", 2},
           {"\uffed.", "▪.", "▪.", 2},
           {"é", "é", "é", 1},
           {"e\u0301", "e\u0301", "e\u0301", 1},
           {"日本", "日本", "日本", 4},
           {"🙂", "🙂", "🙂", 2},
           {"مرحبا", "مرحبا", "مرحبا", 5},
       }) {
    EXPECT_EQ(visible(row.token), row.visible);
    EXPECT_EQ(escape(visible(row.token)), row.escaped);
    EXPECT_EQ(text_columns(row.visible), row.columns) << row.visible;
  }
  EXPECT_EQ(readable(" a\u202e "), " aU+202E ");
  EXPECT_EQ(shortened("abcdef", 6), "abcdef");
  EXPECT_EQ(shortened("abcdefg", 6), "abcde…");
  EXPECT_EQ(shortened("日本語日本語", 6), "日本…");
  for (const char* mark : {"<pad>", "<s>", "</s>", "<unk>"})
    EXPECT_TRUE(is_special(mark));
  for (const char* word : {"s", "<b>", "", "unk"})
    EXPECT_FALSE(is_special(word));
}

// ---- colours

/// L* of CIELAB (CIE 1976), from the sRGB bytes.
double lightness(const std::string& colour) {
  double y = 0;
  const double parts[3] = {0.2126, 0.7152, 0.0722};
  for (int i = 0; i < 3; ++i) {
    const double c =
        std::stoi(colour.substr(static_cast<std::size_t>(1 + 2 * i), 2), nullptr, 16) / 255.0;
    y += parts[i] * (c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4));
  }
  return y > 0.008856 ? 116 * std::cbrt(y) - 16 : 903.3 * y;
}

TEST(PlotColours, EqualWeightsAreEqualStepsOfLightness) {
  EXPECT_EQ(scale_colour(light, 0), "#ffffff");
  for (const Theme* theme : {&light, &dark}) {
    const double whole = lightness(scale_colour(*theme, 1)) - lightness(scale_colour(*theme, 0));
    EXPECT_GT(std::abs(whole), 60) << "far enough apart without colour";
    for (int i = 0; i < 8; ++i) {
      const double step =
          lightness(scale_colour(*theme, (i + 1) / 8.0)) - lightness(scale_colour(*theme, i / 8.0));
      EXPECT_NEAR(step / (whole / 8), 1, 0.35) << i;
    }
    EXPECT_EQ(scale_colour(*theme, 7), scale_colour(*theme, 1));
  }
}

// ---- attention, in each of its forms

struct Size {
  std::size_t source;
  std::size_t target;
  int layers;
  Index heads;
};
const std::vector<Size> sizes = {
    {1, 1, 1, 1}, {3, 2, 1, 4}, {12, 13, 3, 8}, {40, 2, 2, 1}, {2, 45, 1, 2}};

AttendedLine of_size(const Size& size) {
  std::vector<std::string> source(size.source, "w");
  std::vector<std::string> target(size.target, "v");
  source.back() = target.back() = "</s>";
  return attended(source, target, size.layers, size.heads);
}

TEST(Attention, JsonlGivesTheFloatsBack) {
  std::vector<AttendedLine> lines;
  for (const Size& size : sizes)
    lines.push_back(of_size(size));
  lines.push_back({});
  lines.push_back(attended({"\"\\\x01", "\xff", "日"}, {"</s>"}, 1, 1));
  lines.back().layers[0].weights = {1e-38F, 0.1F, std::numeric_limits<float>::quiet_NaN()};
  const auto texts = lines_of(written("a.jsonl", lines));
  ASSERT_EQ(texts.size(), lines.size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const nlohmann::json json = nlohmann::json::parse(texts[i], nullptr, false);
    ASSERT_TRUE(json.is_object()) << texts[i];
    EXPECT_EQ(json["line"], i + 1);
    EXPECT_EQ(json["source"].size(), lines[i].source.size());
    EXPECT_EQ(json["layers"].size(), lines[i].layers.size());
    for (std::size_t k = 0; k < lines[i].layers.size(); ++k) {
      const AttentionLayerMap& map = lines[i].layers[k];
      EXPECT_EQ(json["layers"][k]["layer"], map.layer);
      std::size_t n = 0;
      ASSERT_EQ(json["layers"][k]["heads"].size(), map.heads);
      for (const auto& head : json["layers"][k]["heads"]) {
        ASSERT_EQ(head.size(), map.rows);
        for (const auto& row : head) {
          ASSERT_EQ(row.size(), map.columns);
          for (const auto& weight : row) {
            const float want = map.weights[n++];
            if (std::isnan(want))
              EXPECT_TRUE(weight.is_null());
            else
              EXPECT_EQ(std::bit_cast<std::uint32_t>(weight.get<float>()),
                        std::bit_cast<std::uint32_t>(want));
          }
        }
      }
    }
  }
  const nlohmann::json odd = nlohmann::json::parse(texts.back());
  EXPECT_EQ(odd["source"], nlohmann::json::array({"\"\\\x01", "\ufffd", "日"}));
  EXPECT_EQ(odd["target"], nlohmann::json::array({"</s>"}));
}

void expect_weights(const std::vector<double>& drawn, const std::vector<double>& given,
                    const std::string& what) {
  ASSERT_EQ(drawn.size(), given.size()) << what;
  for (std::size_t i = 0; i < given.size(); ++i)
    ASSERT_NEAR(drawn[i], given[i], 1e-6) << what << ", cell " << i;
}

TEST(Attention, PagesHoldEveryWeight) {
  for (const Size& size : sizes) {
    const AttendedLine line = of_size(size);
    const std::string page = written("a.html", {line});
    const std::string picture = written("a.svg", {line});
    EXPECT_EQ(markup_fault(page), "");
    EXPECT_EQ(markup_fault(picture), "");
    auto drawn = drawn_weights(page);
    expect_weights(drawn["mean/mean"], mean_weights(line), "mean");
    expect_weights(drawn_weights(picture)["mean/mean"], mean_weights(line), "mean of the picture");
    if (size.layers * size.heads == 1) continue;  // the mean of one is that one
    for (const AttentionLayerMap& map : line.layers)
      for (Index head = 0; head < map.heads; ++head) {
        const auto begin = map.weights.begin() + head * map.rows * map.columns;
        expect_weights(drawn[fmt::format("{}/{}", map.layer, head + 1)],
                       {begin, begin + map.rows * map.columns}, map.layer);
      }
  }
}

/// A picture of 4 x 6 pixels in 2 x 3 parts. Its bytes are not looked at here.
AttendedLine attended_picture(const std::string& bytes) {
  AttendedLine line = attended({"a", "b", "c", "d", "e", "f"}, {"disc"}, 1, 1);
  line.layers[0].weights = {0.5F,  0.25F, 0, 0.125F, std::numeric_limits<float>::quiet_NaN(),
                            0.125F};
  line.picture = AttendedPicture{.png = bytes, .height = 4, .width = 6, .down = 2, .across = 3};
  return line;
}

TEST(Attention, PicturesAreVeiledWhereLittleWasLookedAt) {
  // 240 / 6 = 40 pixels of the page for each of the picture; the second one begins at 240 + 16.
  const std::vector<std::string> veils = {
      "x=\"256\" y=\"0\" width=\"80\" height=\"80\" class=\"paper\" fill-opacity=\"0\"",
      "x=\"336\" y=\"0\" width=\"80\" height=\"80\" class=\"paper\" fill-opacity=\"0.45\"",
      "x=\"416\" y=\"0\" width=\"80\" height=\"80\" class=\"paper\" fill-opacity=\"0.9\"",
      "x=\"256\" y=\"80\" width=\"80\" height=\"80\" class=\"paper\" fill-opacity=\"0.68\"",
      "x=\"336\" y=\"80\" width=\"80\" height=\"80\" class=\"paper\" fill-opacity=\"1\"",
      "x=\"416\" y=\"80\" width=\"80\" height=\"80\" class=\"paper\" fill-opacity=\"0.68\""};
  for (const char* name : {"a.html", "a.svg"}) {
    const std::string drawn = written(name, {attended_picture("PNG")});
    EXPECT_EQ(markup_fault(drawn), "");
    for (const std::string& veil : veils)
      EXPECT_EQ(count(drawn, veil), 1u) << veil;
    EXPECT_EQ(count(drawn, "<title>0.250000</title>"), 1u);
    EXPECT_EQ(count(drawn, "the part with the most, 0.5."), 1u);
  }
  EXPECT_EQ(count(written("a.html", {attended_picture("PNG")}), "; img-src data:\""), 1u);
  AttendedLine wrong = attended_picture("PNG");
  wrong.picture->across = 2;
  EXPECT_THROW(written("a.html", {wrong}), Error);
}

TEST(Attention, PicturesStandInThePage) {
  // By hand (RFC 4648, section 4).
  for (const auto& [bytes, text] : {std::pair<std::string, std::string>{"P", "UA=="},
                                    {"PN", "UE4="},
                                    {"PNG", "UE5H"},
                                    {"\xff\xfe\xfd?", "//79Pw=="}})
    EXPECT_EQ(count(written("a.svg", {attended_picture(bytes)}),
                    "href=\"data:image/png;base64," + text + "\""),
              2u);
}

TEST(Attention, IsWholeAfterEveryLine) {
  const TemporaryFolder folder;
  for (const char* name : {"a.html", "a.svg", "a.jsonl"}) {
    AttentionWriter writer(folder.path(name));
    double previous = 0;
    for (int i = 0; i < 55; ++i) {
      writer.add(attended({"a", "b", "</s>"}, {"c", "</s>"}, 1, 2));
      const std::string text = read_file(folder.path(name));
      if (std::string(name) == "a.jsonl") {
        EXPECT_EQ(lines_of(text).size(), static_cast<std::size_t>(i + 1));
        EXPECT_TRUE(text.ends_with("}\n"));
      } else if (std::string(name) == "a.svg") {
        ASSERT_EQ(markup_fault(text), "") << i;
        EXPECT_TRUE(text.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"0"));
        const double height = std::stod(text.substr(text.find("height=\"") + 8));
        if (i < 51) {
          EXPECT_GT(height, previous) << "grows until lines are left out";
        }
        previous = height;
      } else {
        EXPECT_EQ(markup_fault(text + page_end()), "") << i;
        EXPECT_EQ(count(text, "<details class=\"line\""), static_cast<std::size_t>(i + 1));
        EXPECT_EQ(count(text, " open>"), static_cast<std::size_t>(std::min(i + 1, 3)))
            << "the others are folded";
      }
    }
    if (std::string(name) == "a.svg") {
      EXPECT_NE(read_file(folder.path(name)).find("Lines after the 50th"), std::string::npos);
    }
  }
}

TEST(Attention, TakesWhateverComes) {
  AttendedLine odd =
      attended({"<b>", "&", "\"'", "\x01", "\xff", "\u202e", "日本語", "<unk>", "</s>"},
               {"</script>", "]]>", "</s>"}, 2, 2);
  odd.source_text = "</summary><script>alert(1)</script>";
  odd.target_text = "\u202e&amp;\x02";
  odd.layers[0].layer = "a\"b<c>";
  odd.layers[1].weights[4] = std::numeric_limits<float>::quiet_NaN();
  odd.layers[1].weights[5] = std::numeric_limits<float>::infinity();
  odd.layers[1].weights[6] = -1;
  odd.layers[1].weights[7] = 1e30F;
  AttendedLine bare;  // a blank line
  AttendedLine no_maps{.source_text = "x", .source = {"x"}, .target = {"y"}};
  AttendedLine large =
      attended(std::vector<std::string>(230, "w"), std::vector<std::string>(220, "v"), 1, 2);
  for (const char* name : {"a.html", "a.svg"}) {
    EXPECT_EQ(markup_fault(written(name, {})), "") << name;
    const std::string text = written(name, {odd, bare, no_maps, large, of_size({3, 3, 1, 1})});
    EXPECT_EQ(markup_fault(text), "") << name;
    EXPECT_EQ(text.find("<script"), std::string::npos);
    EXPECT_NE(text.find("class=\"nan"), std::string::npos)
        << "a weight that is no number is shown as that";
    EXPECT_NE(text.find("not a number"), std::string::npos);
    for (char c : text)
      EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 || c == '\n');
    EXPECT_LT(text.size(), 2'000'000u) << "what is too large for tooltips is drawn without";
  }
  struct Bad {
    std::string path;
    std::string message;
  };
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder.path("d.svg"));
  for (const Bad& row :
       std::vector<Bad>{{"a.png", "a.png: attention is written as .html"},
                        {"a", "a: attention is written as"},
                        {"a.HTML", "a.HTML: attention"},
                        {"nowhere/a.svg", "nowhere/a.svg: cannot write: No such file or directory"},
                        {"d.svg", "d.svg: is a folder"}})
    EXPECT_TRUE(folder.message([&] { AttentionWriter writer(folder.path(row.path)); })
                    .starts_with(row.message))
        << row.path;
  for (const char* name : {"full.html", "full.svg", "full.jsonl"}) {
    std::filesystem::create_symlink("/dev/full", folder.path(name));
    EXPECT_EQ(folder.message([&] {
      AttentionWriter writer(folder.path(name));
      writer.add(of_size({3, 3, 1, 1}));
    }),
              std::string(name) + ": cannot write; is the disk full?");
  }
  AttendedLine wrong = of_size({3, 3, 1, 1});
  wrong.source.pop_back();
  AttentionWriter writer(folder.path("w.html"));
  EXPECT_TRUE(folder.message([&] { writer.add(wrong); })
                  .starts_with("[attention] expected weights (1, 3, 2)"));
}

TEST(Attention, PagesHaveABound) {
  const AttendedLine large = of_size({200, 199, 1, 1});
  const std::string page = written("a.html", std::vector<AttendedLine>(20, large));
  EXPECT_LT(page.size(), 50'000'000u);
  EXPECT_GT(page.size(), 40'000'000u);
  const std::size_t drawn = count(page, "<details class=\"line\"");
  EXPECT_NE(page.find(fmt::format("<p class=\"quiet\">{} more lines are not drawn", 20 - drawn)),
            std::string::npos);
  EXPECT_TRUE(page.ends_with("</body>\n</html>\n"));
  EXPECT_EQ(lines_of(written("a.jsonl", std::vector<AttendedLine>(20, large))).size(), 20u)
      << "numbers have none";
}

// ---- charts

TEST(Charts, HaveSensibleTicks) {
  struct Row {
    double low;
    double high;
    bool log;
    std::vector<std::string> labels;
  };
  for (const Row& row : std::vector<Row>{
           {0, 10, false, {"0", "2", "4", "6", "8", "10"}},
           {0, 1, false, {"0.0", "0.2", "0.4", "0.6", "0.8", "1.0"}},
           {-1, 1, false, {"-1.0", "-0.5", "0.0", "0.5", "1.0"}},
           {80, 1600, false, {"0", "500", "1000", "1500", "2000"}},
           {0.024, 0.031, false, {"0.024", "0.026", "0.028", "0.030", "0.032"}},
           {0, 5e9, false, {"0", "1e+09", "2e+09", "3e+09", "4e+09", "5e+09"}},
           {3, 3, false, {"2.6", "2.8", "3.0", "3.2", "3.4"}},
           {1, 100, true, {"1", "2", "5", "10", "20", "50", "100"}},
           {0.01, 1000, true, {"0.01", "0.1", "1", "10", "100", "1000"}},
           {1, 2, true, {"1.0", "1.2", "1.4", "1.6", "1.8", "2.0"}},
       }) {
    std::vector<std::string> labels;
    for (const Tick& tick : row.log ? log_ticks(row.low, row.high) : ticks(row.low, row.high, 5))
      labels.push_back(tick.label);
    EXPECT_EQ(labels, row.labels) << row.low << " to " << row.high;
  }
  for (const auto& [low, high] : std::vector<std::pair<double, double>>{
           {-1e308, 1e308}, {1, 1 + 1e-15}, {1e-320, 2e-320}, {0, 0}, {5e15, 5e15 + 1}}) {
    const auto marks = ticks(low, high, 5);
    EXPECT_GE(marks.size(), 2u);
    EXPECT_LE(marks.size(), 12u) << low << " to " << high;
    EXPECT_LE(log_ticks(1e-300, 1e300).size(), 20u);
  }
}

TEST(Charts, AverageOverWhatAllReach) {
  const Series a{.name = "a", .model = "m", .xs = {0, 10, 20}, .ys = {0, 10, 30}};
  const Series b{.name = "b", .model = "m", .xs = {5, 15, nan}, .ys = {1, 3, 9}};
  const Series mean = mean_of({&a, &b});
  EXPECT_EQ(mean.xs, (std::vector<double>{5, 10, 15}));
  EXPECT_EQ(mean.ys, (std::vector<double>{(5 + 1) / 2.0, (10 + 2) / 2.0, (20 + 3) / 2.0}));
  EXPECT_TRUE(mean_of({}).xs.empty());
}

TEST(Charts, TakeWhateverComes) {
  struct Row {
    std::string what;
    std::vector<Series> series;
    std::size_t lines;  // drawn
  };
  const std::vector<Row> rows = {
      {"nothing", {}, 0},
      {"an empty one", {{.name = "a", .model = "a"}}, 0},
      {"one point", {{.name = "a", .model = "a", .xs = {3}, .ys = {4}}}, 1},
      {"a gap", {{.name = "a", .model = "a", .xs = {1, 2, 3, 4, 5}, .ys = {1, 2, nan, 4, 5}}}, 1},
      {"infinities",
       {{.name = "a", .model = "a", .xs = {1, 2, infinity}, .ys = {infinity, -infinity, 1}}},
       0},
      {"huge values",
       {{.name = "a", .model = "a", .xs = {-1e308, 1e308}, .ys = {1e308, -1e308}}},
       1},
      {"tiny ones", {{.name = "a", .model = "a", .xs = {1, 2}, .ys = {1e-320, 2e-320}}}, 1},
      {"uneven sides", {{.name = "a", .model = "a", .xs = {1, 2, 3}, .ys = {1}}}, 1},
      {"seeds",
       {{.name = "1", .model = "a", .xs = {1, 2}, .ys = {1, 2}},
        {.name = "2", .model = "a", .xs = {1, 2}, .ys = {2, 3}}},
       3},
  };
  for (const Row& row : rows) {
    const std::string svg =
        line_chart({.title = "<t> & \"q\"", .x_label = "x", .y_label = "y", .series = row.series});
    EXPECT_EQ(markup_fault(svg), "") << row.what;
    EXPECT_EQ(count(svg, "<path d=\"M") - count(svg, "\"grid\"/>") - count(svg, "\"axis\"/>"),
              row.lines)
        << row.what << svg;
    EXPECT_EQ(svg.find("no data") != std::string::npos, row.lines == 0) << row.what;
    for (const char* bad : {"nan", "inf"})
      EXPECT_EQ(svg.find(bad), std::string::npos) << row.what << ": " << bad;
    for (bool log_x : {false, true})
      for (bool log_y : {false, true}) {
        const std::string drawn =
            line_chart({.title = "t", .log_x = log_x, .log_y = log_y, .series = row.series});
        EXPECT_EQ(markup_fault(drawn), "") << row.what;
        EXPECT_LT(drawn.size(), 20'000u) << row.what;
      }
  }
  // Eleven lines end at one point. Their labels must not overlap and must be within the picture.
  std::vector<Series> same;
  for (int i = 0; i < 11; ++i)
    same.push_back({.name = "s", .model = fmt::format("model-{}", i), .xs = {0, 1}, .ys = {0, 1}});
  const std::string svg = line_chart({.title = "t", .series = same});
  std::vector<double> heights;
  for (int i = 0; i < 11; ++i) {
    const std::size_t label = svg.find(fmt::format(">model-{}</text>", i));
    const std::size_t begin = svg.rfind("y=\"", label);
    ASSERT_NE(label, std::string::npos);
    heights.push_back(std::stod(svg.substr(begin + 3)));
  }
  std::sort(heights.begin(), heights.end());
  for (std::size_t i = 1; i < heights.size(); ++i)
    EXPECT_GE(heights[i] - heights[i - 1], 15);
  EXPECT_LT(heights.back(), 400);
}

TEST(Charts, DrawBarsAndPoints) {
  const BarChart chart{
      .title = "quality",
      .categories = {"1-5", "6-10", "<11>"},
      .series = {{"a", {10, 20, nan}, {1, 2, 3}}, {"b", {5, -3}, {}}, {"c", {}, {}}}};
  for (bool bars : {false, true}) {
    BarChart drawn = chart;
    drawn.bars = bars;
    const std::string svg = bar_chart(drawn);
    EXPECT_EQ(markup_fault(svg), "");
    EXPECT_EQ(count(svg, bars ? "<rect" : "<circle"), 4u);
    EXPECT_NE(svg.find("<title>a, 6-10: 20 ± 2</title>"), std::string::npos) << svg;
    EXPECT_NE(svg.find("<title>b, 1-5: 5</title>"), std::string::npos);
    EXPECT_EQ(svg.find("nan"), std::string::npos);
  }
  EXPECT_NE(bar_chart({}).find("no data"), std::string::npos);
  EXPECT_NE(bar_chart({.categories = {"x"}, .series = {{"a", {nan}, {}}}}).find("no data"),
            std::string::npos);
  EXPECT_EQ(markup_fault(bar_chart({.categories = {"x"}, .series = {{"a", {1e308}, {1e308}}}})),
            "");
}

TEST(Charts, MarkPlacesOfTheAxis) {
  LineChart chart{.series = {{.name = "a", .model = "a", .xs = {0, 100}, .ys = {1, 2}}},
                  .marks = {{50, "best"}, {50, "<resumed>", "at 50"}, {nan, "x"}, {200, "beyond"}}};
  const std::string svg = line_chart(chart);
  EXPECT_EQ(markup_fault(svg), "");
  EXPECT_EQ(count(svg, "stroke-dasharray=\"3 3\""), 2u) << svg;
  EXPECT_NE(svg.find("<title>best</title>"), std::string::npos);
  EXPECT_NE(svg.find("<title>at 50</title>"), std::string::npos);
  EXPECT_NE(svg.find("&lt;resumed&gt;"), std::string::npos);
  EXPECT_EQ(svg.find("beyond"), std::string::npos);
  for (int i = 0; i < 40; ++i)
    chart.marks.push_back({50.0, "crowded"});
  EXPECT_EQ(count(line_chart(chart), ">crowded</text>"), 1u) << "three rows, two of them taken";
}

TEST(Charts, DrawHistograms) {
  const std::string svg = histogram({0, 4, 2}, "of w");
  EXPECT_EQ(markup_fault(svg), "");
  EXPECT_EQ(count(svg, "z"), 2u + count(histogram({}, "of w"), "z")) << svg;  // a closed bar each
  EXPECT_EQ(markup_fault(histogram({}, "<")), "");
}

TEST(Pages, ShowOneOfSeveralFigures) {
  Page page("t");
  page.choices({{"by <step>", line_chart({.title = "a"})}, {"by second", line_chart({})}}, "c");
  page.choices({{"other", line_chart({})}});
  const std::string text = page.text();
  EXPECT_EQ(markup_fault(text), "");
  EXPECT_EQ(count(text, " checked"), 2u + count(Page("t").text(), " checked"));
  EXPECT_NE(text.find("by &lt;step&gt;"), std::string::npos);
  EXPECT_EQ(count(text, "<figure>"), 3u);
  const std::vector<FigureChoice> many(7);
  EXPECT_NE(message_of([&] { page.choices(many); }).find("at most 6"), std::string::npos);
}

TEST(Tokens, AreInertAndShowHowSureTheModelWas) {
  const std::vector<TokenConfidence> tokens = {{"</script>", 1.0, 1, {{"<b>", 1.0}}},
                                               {"\u202e", std::exp(-2.5), 2, {}},
                                               {"\n", 0.0, 9, {}},
                                               {"", 0.5, 1, {}}};
  const std::string html = token_text(tokens);
  EXPECT_EQ(markup_fault("<p>" + html + "</p>"), "");
  EXPECT_NE(html.find("class=\"token w0\" title=\"&lt;/script&gt;: 1.0000, rank 1; best: &lt;b&gt; "
                      "1.0000\""),
            std::string::npos)
      << html;
  EXPECT_NE(html.find("token w24\" title=\"U+202E"), std::string::npos) << html;  // half of 5 nats
  EXPECT_NE(html.find("token w48"), std::string::npos);
  EXPECT_NE(html.find("↵"), std::string::npos);
}

TEST(Pages, AreWhole) {
  Page page("<Title> & more");
  page.heading("h <1>");
  page.paragraph("p & q");
  page.notes({"n < 1", "\u202e"});
  page.table({.caption = "c",
              .header = {"model", "BLEU", "note"},
              .rows = {{"a<b", "98.2 ± 0.3", "fast"}, {"b", "–"}}});
  page.figure(line_chart({.title = "t"}), "caption");
  const std::string text = page.text();
  EXPECT_EQ(markup_fault(text), "");
  EXPECT_NE(text.find("<td class=\"number\">98.2 ± 0.3</td>"), std::string::npos);
  EXPECT_NE(text.find("<td>a&lt;b</td>"), std::string::npos);
  EXPECT_NE(text.find("<td>fast</td>"), std::string::npos);
  EXPECT_NE(text.find("prefers-color-scheme:dark"), std::string::npos);
  for (const char* outside :
       {"http:", "https:", "//", "url(", "@import", "src=", "href=", "<script", "<link"})
    EXPECT_EQ(text.find(outside), std::string::npos) << outside;
  const TemporaryFolder folder;
  page.write(folder.path("c.html"));
  EXPECT_EQ(read_file(folder.path("c.html")), text);
  EXPECT_TRUE(folder.message([&] { page.write(folder.path("no/c.html")); })
                  .starts_with("no/c.html: cannot be written"));
}

}  // namespace
}  // namespace heed::report
