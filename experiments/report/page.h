#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace heed::report {

/// A table for a page. A column whose cells are all numbers is aligned to the right.
struct Table {
  std::string caption = {};
  std::vector<std::string> header = {};
  std::vector<std::vector<std::string>> rows = {};
};

/// The beginning of a self-contained page. It loads no other file (its content policy forbids it),
/// runs no script, and is light or dark like the reader's system. Elements that follow stand
/// directly in the body, so browsers show a page that ends after any element.
std::string page_begin(std::string_view title, std::string_view more_rules = {});
std::string page_end();

/// One of several figures of a page of which a reader sees one at a time.
struct FigureChoice {
  std::string name;  // "by step"
  std::string svg;
};

/// A page that is built element by element. Its title is the first heading. Text is escaped.
class Page {
 public:
  explicit Page(std::string_view title, std::string_view more_rules = {});
  void heading(std::string_view text);
  void paragraph(std::string_view text);
  void table(const Table& table);
  // `svg` is an <svg> element, as line_chart() and bar_chart() return.
  void figure(std::string_view svg, std::string_view caption = {});
  /// Figures with a button for each; the first is shown. Needs no script.
  void choices(const std::vector<FigureChoice>& figures, std::string_view caption = {});
  /// An element that is written already, with its text escaped.
  void element(std::string_view html) { text_ += html; }
  void notes(const std::vector<std::string>& items);
  std::string text() const { return text_ + page_end(); }
  /// Replaces the file as a whole. Throws Error, `FILE: cannot write ...`, when it cannot be
  /// written.
  void write(const std::string& path) const;

 private:
  std::string text_;
  int choices_ = 0;
};

}  // namespace heed::report
