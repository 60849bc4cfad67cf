#pragma once

#include <string>
#include <string_view>

#include <fmt/format.h>

namespace heed::report {

/// A drawing: shapes in the order in which they are added. Lengths are in pixels. Text is escaped
/// here and must not be escaped before. `attributes` are inserted into the tag unchanged:
/// `class="w3"`.
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
  /// A picture, whose pixels stay squares where it is enlarged. `address`: "data:..." or a file.
  void image(double x, double y, double w, double h, std::string_view address);
  void text(double x, double y, std::string_view text, std::string_view attributes = {},
            std::string_view title = {});
  void open(std::string_view attributes);          // <g>
  void close();                                    // </g>
  void add(const Svg& other, double x, double y);  // with its origin at (x, y)

  /// An <svg> element for a page, whose style sheet defines the colours. Screen readers read
  /// `about`.
  std::string element(std::string_view about, std::string_view attributes = {}) const;
  const std::string& shapes() const { return shapes_; }

 private:
  void shape(std::string_view tag, std::string_view attributes, std::string_view title);
  std::string shapes_;
};

/// A length for SVG: at most two decimals; "0" for a value that is not finite.
std::string length(double pixels);

}  // namespace heed::report
