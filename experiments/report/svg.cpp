#include "experiments/report/svg.h"

#include <cmath>
#include <iterator>

#include "experiments/report/text.h"

namespace heed::report {

std::string length(double pixels) {
  if (!std::isfinite(pixels)) return "0";
  std::string text = fmt::format("{:.2f}", pixels);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

void Svg::shape(std::string_view tag, std::string_view attributes, std::string_view title) {
  shapes_ += '<';
  shapes_ += tag;
  if (!attributes.empty()) {
    shapes_ += ' ';
    shapes_ += attributes;
  }
  if (title.empty()) {
    shapes_ += "/>";
  } else {
    shapes_ += "><title>";
    shapes_ += escape(title);
    shapes_ += "</title></";
    shapes_ += tag.substr(0, tag.find(' '));
    shapes_ += '>';
  }
}

void Svg::rect(double x, double y, double w, double h, std::string_view attributes,
               std::string_view title) {
  shape(fmt::format(R"(rect x="{}" y="{}" width="{}" height="{}")", length(x), length(y), length(w),
                    length(h)),
        attributes, title);
}
void Svg::line(double x1, double y1, double x2, double y2, std::string_view attributes) {
  shape(fmt::format(R"(path d="M{} {}L{} {}")", length(x1), length(y1), length(x2), length(y2)),
        attributes, {});
}
void Svg::circle(double x, double y, double radius, std::string_view attributes,
                 std::string_view title) {
  shape(fmt::format(R"(circle cx="{}" cy="{}" r="{}")", length(x), length(y), length(radius)),
        attributes, title);
}
void Svg::path(std::string_view d, std::string_view attributes, std::string_view title) {
  shape(fmt::format(R"(path d="{}")", d), attributes, title);
}

void Svg::image(double x, double y, double w, double h, std::string_view address) {
  shape(fmt::format(R"(image x="{}" y="{}" width="{}" height="{}")", length(x), length(y),
                    length(w), length(h)),
        fmt::format(R"(href="{}" style="image-rendering:pixelated")", escape(address)), {});
}

void Svg::text(double x, double y, std::string_view text, std::string_view attributes,
               std::string_view title) {
  fmt::format_to(std::back_inserter(shapes_), R"(<text x="{}" y="{}"{}{}>)", length(x), length(y),
                 attributes.empty() ? "" : " ", attributes);
  shapes_ += escape(text);
  if (!title.empty()) shapes_ += "<title>" + escape(title) + "</title>";
  shapes_ += "</text>";
}

void Svg::open(std::string_view attributes) {
  shapes_ += "<g ";
  shapes_ += attributes;
  shapes_ += '>';
}
void Svg::close() { shapes_ += "</g>\n"; }

void Svg::add(const Svg& other, double x, double y) {
  open(fmt::format("transform=\"translate({} {})\"", length(x), length(y)));
  shapes_ += other.shapes_;
  close();
}

std::string Svg::element(std::string_view about, std::string_view attributes) const {
  return fmt::format(
             R"(<svg role="img" aria-label="{}" width="{}" height="{}" viewBox="0 0 {} {}"{}{}>)",
             escape(about), length(width), length(height), length(width), length(height),
             attributes.empty() ? "" : " ", attributes) +
         "\n" + shapes_ + "</svg>\n";
}

}  // namespace heed::report
