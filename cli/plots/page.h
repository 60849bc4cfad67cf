#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace heed::plots {

/// Figures for a page. A column whose cells are all numbers stands to the right.
struct Table {
  std::string caption = {};
  std::vector<std::string> header = {};
  std::vector<std::vector<std::string>> rows = {};
};

/// The beginning of a page that needs nothing but itself: it fetches nothing (its content policy
/// forbids it), runs no script, and is light or dark as the reader's system is. What follows goes
/// straight into its body, so a page cut short after any element is whole.
std::string page_begin(std::string_view title, std::string_view more_rules = {});
std::string page_end();

/// A page in pieces, under its title as the first heading; text is escaped.
class Page {
 public:
  explicit Page(std::string_view title);
  void heading(std::string_view text);
  void paragraph(std::string_view text);
  void table(const Table& table);
  // `svg` as line_chart() and point_chart() give it
  void figure(std::string_view svg, std::string_view caption = {});
  void notes(const std::vector<std::string>& items);
  std::string text() const { return text_ + page_end(); }
  /// Throws Error, `FILE: cannot write ...`.
  void write(const std::string& path) const;

 private:
  std::string text_;
};

}  // namespace heed::plots
