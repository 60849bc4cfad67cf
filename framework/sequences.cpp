#include "framework/sequences.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include "framework/error.h"

namespace heed {

namespace {

// Sums of numbers of rows must not overflow.
constexpr Index most_rows = std::numeric_limits<Index>::max() / 2;

}  // namespace

Spans Spans::packed(std::span<const Index> lengths) {
  auto data = std::make_shared<Data>();
  data->lengths.assign(lengths.begin(), lengths.end());
  for (Index length : lengths) {
    check(length >= 0, "spans", "expected lengths of at least 0; got {}", length);
    check(length <= most_rows - data->tokens, "spans",
          "expected at most {} rows; got a length of {} more", most_rows, length);
    data->begins.push_back(data->tokens);
    data->tokens += length;
    data->longest = std::max(data->longest, length);
  }
  data->rows = data->tokens;
  Spans result;
  result.data_ = std::move(data);
  return result;
}

Spans Spans::padded(std::span<const Index> lengths, Index width) {
  check(width >= 0, "spans", "expected a width of at least 0; got {}", width);
  check(lengths.empty() || width <= most_rows / static_cast<Index>(lengths.size()), "spans",
        "expected at most {} rows; got {} sequences of width {}", most_rows, lengths.size(), width);
  auto data = std::make_shared<Data>();
  data->lengths.assign(lengths.begin(), lengths.end());
  for (Index length : lengths) {
    check(0 <= length && length <= width, "spans", "expected lengths of at most {}; got {}", width,
          length);
    data->begins.push_back(static_cast<Index>(data->begins.size()) * width);
    data->tokens += length;
    data->longest = std::max(data->longest, length);
  }
  data->rows = static_cast<Index>(lengths.size()) * width;
  Spans result;
  result.data_ = std::move(data);
  return result;
}

Spans Spans::select(std::span<const Index> sequences) const {
  auto data = std::make_shared<Data>();
  for (Index i : sequences) {
    check(0 <= i && i < count(), "spans", "expected sequences within [0, {}); got {}", count(), i);
    data->begins.push_back(begin(i));
    data->lengths.push_back(length(i));
    data->tokens += length(i);
    data->longest = std::max(data->longest, length(i));
  }
  data->rows = rows();
  Spans result;
  result.data_ = std::move(data);
  return result;
}

TimeOrder time_order(const Spans& spans, bool reverse) {
  TimeOrder order;
  order.sequences.resize(static_cast<std::size_t>(spans.count()));
  std::iota(order.sequences.begin(), order.sequences.end(), Index{0});
  std::stable_sort(order.sequences.begin(), order.sequences.end(),
                   [&](Index a, Index b) { return spans.length(a) > spans.length(b); });
  order.rows = Ids({spans.tokens()});
  Id* next_row = order.rows.data();
  Index running = spans.count();
  for (Index t = 0; t < spans.longest(); ++t) {
    while (spans.length(order.sequences[running - 1]) <= t)
      --running;
    order.counts.push_back(running);
    for (Index i = 0; i < running; ++i) {
      const Index s = order.sequences[i];
      const Index row_in_sequence = reverse ? spans.length(s) - 1 - t : t;
      *next_row = static_cast<Id>(spans.begin(s) + row_in_sequence);
      ++next_row;
    }
  }
  return order;
}

Sequences pack(std::span<const std::vector<Id>> sequences) {
  std::vector<Index> lengths;
  for (const auto& sequence : sequences)
    lengths.push_back(static_cast<Index>(sequence.size()));
  Sequences result{{}, Spans::packed(lengths)};
  result.ids = Ids({result.spans.rows()});
  Id* out = result.ids.data();
  for (const auto& sequence : sequences)
    out = std::copy(sequence.begin(), sequence.end(), out);
  return result;
}

}  // namespace heed
