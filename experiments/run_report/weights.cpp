#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "experiments/report/chart.h"
#include "experiments/report/text.h"
#include "experiments/run_report/internal/sections.h"
#include "framework/module.h"

namespace heed {

namespace {

constexpr std::size_t bars = 24;

/// How the elements of a parameter are distributed.
struct Distribution {
  double least = std::numeric_limits<double>::infinity();
  double most = -least;
  double mean = 0;
  double deviation = 0;            // with the divisor n
  Index not_finite = 0;            // left out of all others
  std::vector<Index> counts = {};  // in `bars` equal parts from the least to the most
};

Distribution distribution_of(std::span<const Real> values) {
  Distribution found;
  double count = 0;
  for (const Real value : values) {
    const auto x = static_cast<double>(value);
    if (!std::isfinite(x)) {
      ++found.not_finite;
      continue;
    }
    found.least = std::min(found.least, x);
    found.most = std::max(found.most, x);
    found.mean += x;
    ++count;
  }
  found.mean /= std::max(count, 1.0);
  found.counts.resize(bars);
  const double width = found.most - found.least;
  for (const Real value : values) {
    const auto x = static_cast<double>(value);
    if (!std::isfinite(x)) continue;
    found.deviation += (x - found.mean) * (x - found.mean) / count;
    const double part = width > 0 ? (x - found.least) / width : 0.5;
    ++found.counts[std::min(bars - 1, static_cast<std::size_t>(part * bars))];
  }
  found.deviation = std::sqrt(found.deviation);
  return found;
}

std::string row_of(const std::string& name, const Tensor& tensor) {
  const Distribution d = distribution_of(tensor.span());
  return fmt::format(
      "<tr><td>{}</td><td>{}</td><td>{}</td><td class=\"number\">{:.3g}</td>"
      "<td class=\"number\">{:.3g}</td><td class=\"number\">{:.3g}</td>"
      "<td class=\"number\">{:.3g}</td><td class=\"number\">{}</td></tr>\n",
      report::escape(report::readable(name)), to_string(tensor.shape()),
      report::histogram(d.counts, "distribution of " + name), d.least, d.mean, d.most, d.deviation,
      d.not_finite);
}

}  // namespace

void add_weights(report::Page& page, Model& model) {
  page.heading("Weights");
  std::string rows;
  for (const NamedParameter& parameter : parameters(model))
    rows += row_of(parameter.name, parameter.parameter.value());
  page.element(
      "<details><summary>The distribution of each parameter</summary>\n"
      "<div class=\"scroll\"><table>\n<thead><tr><th>parameter</th><th>shape</th>"
      "<th>from the least to the largest</th><th>least</th><th>mean</th><th>largest</th>"
      "<th>deviation</th><th>not finite</th></tr></thead>\n<tbody>\n" +
      rows + "</tbody>\n</table></div></details>\n");
}

}  // namespace heed
