#include "experiments/report/page.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "experiments/report/colours.h"
#include "experiments/report/text.h"
#include "framework/error.h"
#include "framework/files.h"

namespace heed::report {

namespace {

std::string page_rules(const Theme& t) {
  return fmt::format(
             "body{{background:{0};color:{1}}}"
             ".quiet,figcaption,caption{{color:{2}}}"
             ".token bdi{{color:{1}}}"
             "th,td,details.line{{border-color:{3}}}\n",
             t.paper, t.ink, t.muted, t.grid) +
         weight_rules(t) + chart_rules(t);
}

constexpr std::string_view shape_rules =
    ":root{color-scheme:light dark}\n"
    "body{font:15px/1.5 system-ui,\"Segoe UI\",Helvetica,Arial,sans-serif;"
    "max-width:1080px;margin:0 auto;padding:24px 20px 60px}\n"
    "h1{font-size:24px;line-height:1.25;margin:0 0 12px}"
    "h2{font-size:18px;margin:32px 0 8px}"
    "h3{font-size:13px;margin:18px 0 4px}\n"
    "p{max-width:46em;margin:8px 0}"
    "li{max-width:44em}\n"
    "figure{margin:16px 0;overflow-x:auto}"
    "figcaption{font-size:13px}\n"
    "svg{display:block;max-width:none}"
    "svg text{font:12px system-ui,\"Segoe UI\",Helvetica,Arial,sans-serif}\n"
    ".scroll{overflow-x:auto}"
    "table{border-collapse:collapse;margin:16px 0;font-variant-numeric:tabular-nums}"
    "caption{text-align:left;font-size:13px;padding-bottom:6px}\n"
    "th,td{padding:5px 14px 5px 0;border-bottom:1px solid;text-align:left;vertical-align:top}"
    "th{font-weight:600}"
    ".number{text-align:right}\n";

// The figure of the checked button is shown; there are at most six.
constexpr std::string_view choice_rules =
    ".choices>figure{display:none}"
    ".choices>input{margin:0 4px 0 12px}"
    ".choices>input:nth-of-type(1):checked~figure:nth-of-type(1),"
    ".choices>input:nth-of-type(2):checked~figure:nth-of-type(2),"
    ".choices>input:nth-of-type(3):checked~figure:nth-of-type(3),"
    ".choices>input:nth-of-type(4):checked~figure:nth-of-type(4),"
    ".choices>input:nth-of-type(5):checked~figure:nth-of-type(5),"
    ".choices>input:nth-of-type(6):checked~figure:nth-of-type(6){display:block}\n"
    "@media print{.choices>input,.choices>label{display:none}.choices>figure{display:block}"
    "figure,.scroll{overflow:visible}svg{max-width:100%;height:auto}}\n";

bool is_number(std::string_view cell) {
  const std::size_t digit = cell.find_first_of("0123456789");
  return digit != std::string_view::npos && cell.find_first_not_of("+-−±~<> ") == digit;
}

// For each column, whether its cells are all numbers. Empty cells and dashes do not count.
std::vector<bool> number_columns(const Table& table, std::size_t columns) {
  std::vector<bool> numbers(columns, !table.rows.empty());
  for (const auto& row : table.rows)
    for (std::size_t i = 0; i < row.size(); ++i)
      if (!row[i].empty() && row[i] != "-" && row[i] != "–")
        numbers[i] = numbers[i] && is_number(row[i]);
  return numbers;
}

}  // namespace

std::string page_begin(std::string_view title, std::string_view more_rules) {
  std::string text =
      "<!DOCTYPE html>\n"
      "<html lang=\"en\">\n"
      "<head>\n"
      "<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" "
      "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  text += "<title>" + escape(readable(title)) + "</title>\n<style>\n";
  text += shape_rules;
  text += more_rules;
  text += page_rules(light);
  text += "@media (prefers-color-scheme:dark){\n" + page_rules(dark) + "}\n";
  text += "</style>\n</head>\n<body>\n";
  return text + "<h1>" + escape(readable(title)) + "</h1>\n";
}

std::string page_end() { return "</body>\n</html>\n"; }

Page::Page(std::string_view title, std::string_view more_rules)
    : text_(page_begin(title, std::string(choice_rules) + std::string(more_rules))) {}

void Page::heading(std::string_view text) { text_ += "<h2>" + escape(readable(text)) + "</h2>\n"; }
void Page::paragraph(std::string_view text) { text_ += "<p>" + escape(readable(text)) + "</p>\n"; }

void Page::table(const Table& table) {
  std::size_t columns = table.header.size();
  for (const auto& row : table.rows)
    columns = std::max(columns, row.size());
  const std::vector<bool> numbers = number_columns(table, columns);
  const auto line = [&](const std::vector<std::string>& cells, const char* tag) {
    text_ += "<tr>";
    for (std::size_t i = 0; i < columns; ++i)
      text_ += fmt::format("<{0}{1}>{2}</{0}>", tag, numbers[i] ? " class=\"number\"" : "",
                           i < cells.size() ? escape(readable(cells[i])) : "");
    text_ += "</tr>\n";
  };
  text_ += "<div class=\"scroll\"><table>\n";
  if (!table.caption.empty())
    text_ += "<caption>" + escape(readable(table.caption)) + "</caption>\n";
  if (!table.header.empty()) {
    text_ += "<thead>\n";
    line(table.header, "th");
    text_ += "</thead>\n";
  }
  text_ += "<tbody>\n";
  for (const auto& row : table.rows)
    line(row, "td");
  text_ += "</tbody>\n</table></div>\n";
}

void Page::figure(std::string_view svg, std::string_view caption) {
  text_ += "<figure>\n";
  text_ += svg;
  if (!caption.empty()) text_ += "<figcaption>" + escape(readable(caption)) + "</figcaption>\n";
  text_ += "</figure>\n";
}

void Page::choices(const std::vector<FigureChoice>& figures, std::string_view caption) {
  check(figures.size() <= 6, "choices", "expected at most 6 figures; got {}", figures.size());
  ++choices_;
  text_ += "<div class=\"choices\">\n";
  for (std::size_t i = 0; i < figures.size(); ++i)
    text_ += fmt::format(
        "<input type=\"radio\" name=\"choice-{0}\" id=\"choice-{0}-{1}\"{2}>"
        "<label for=\"choice-{0}-{1}\">{3}</label>\n",
        choices_, i, i == 0 ? " checked" : "", escape(readable(figures[i].name)));
  for (const FigureChoice& choice : figures)
    figure(choice.svg, caption);
  text_ += "</div>\n";
}

void Page::notes(const std::vector<std::string>& items) {
  text_ += "<ul class=\"quiet\">\n";
  for (const std::string& item : items)
    text_ += "<li>" + escape(readable(item)) + "</li>\n";
  text_ += "</ul>\n";
}

void Page::write(const std::string& path) const {
  // A pipe or a device cannot be replaced.
  if (!std::filesystem::exists(path) || std::filesystem::is_regular_file(path))
    return replace_file(path, text());
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  if (!file) fail("{}: cannot write: {}", path, std::strerror(errno));
  file << text();
  file.flush();
  if (!file) fail("{}: cannot write; is the disk full?", path);
}

}  // namespace heed::report
