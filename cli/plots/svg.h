#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>

namespace heed::plots {

/// A drawing that grows: shapes in the order they are added. Lengths are pixels; text is escaped
/// here and nowhere else. `attributes` stand in the tag as they are: `class="w3"`.
class Svg {
 public:
  double width = 0;
  double height = 0;

  void rect(double x, double y, double w, double h, std::string_view attributes,
            std::string_view title = {});
  void line(double x1, double y1, double x2, double y2, std::string_view attributes);
  void circle(double x, double y, double radius, std::string_view attributes,
              std::string_view title = {});
  void path(std::string_view d, std::string_view attributes, std::string_view title = {});
  void text(double x, double y, std::string_view text, std::string_view attributes = {},
            std::string_view title = {});
  void open(std::string_view attributes);  // <g>
  void close();
  void add(const Svg& other, double x, double y);  // moved there

  /// An <svg> element for a page, whose stylesheet gives the colours. `about` is read to those who
  /// cannot see it.
  std::string element(std::string_view about, std::string_view attributes = {}) const;
  const std::string& shapes() const { return shapes_; }

 private:
  void shape(std::string_view tag, std::string_view attributes, std::string_view title);
  std::string shapes_;
};

/// A length as SVG takes it: at most two digits after the point; 0 for what is no number.
std::string length(double pixels);

}  // namespace heed::plots
