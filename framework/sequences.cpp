#include "framework/sequences.h"

#include <algorithm>

#include "framework/error.h"

namespace heed {

Spans Spans::packed(std::span<const Index> lengths) {
  auto data = std::make_shared<Data>();
  data->lengths.assign(lengths.begin(), lengths.end());
  for (Index length : lengths) {
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
  auto data = std::make_shared<Data>();
  data->lengths.assign(lengths.begin(), lengths.end());
  for (Index length : lengths) {
    check(0 <= length && length <= width, "spans", "expected lengths of at most {}; got {}", width, length);
    data->begins.push_back(static_cast<Index>(data->begins.size()) * width);
    data->tokens += length;
    data->longest = std::max(data->longest, length);
  }
  data->rows = static_cast<Index>(lengths.size()) * width;
  Spans result;
  result.data_ = std::move(data);
  return result;
}

Sequences pack(std::span<const std::vector<Id>> lines) {
  std::vector<Index> lengths;
  for (const auto& line : lines) lengths.push_back(static_cast<Index>(line.size()));
  Sequences result{{}, Spans::packed(lengths)};
  result.ids = Ids({result.spans.rows()});
  Id* out = result.ids.data();
  for (const auto& line : lines) out = std::copy(line.begin(), line.end(), out);
  return result;
}

}  // namespace heed
