#include "tests/framework/ops_table/compositions.h"

namespace heed::test {

std::vector<OpRow> composed_rows(Size size) {
  std::vector<Composition> all;
  for (auto add :
       {add_row_compositions, add_attention_compositions, add_attention_option_compositions,
        add_sequence_compositions, add_pooling_compositions})
    add(all, size == Size::large);
  std::vector<OpRow> rows;
  for (Composition& c : all) {
    OpRow row{.op = std::move(c.op),
              .what = std::move(c.what),
              .compute = std::move(c.fused),
              .tolerance_factor = c.tolerance_factor,
              .composed = std::move(c.composed),
              .size = size};
    for (const Shape& shape : c.inputs)
      row.inputs.emplace_back(shape, c.low, c.high);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace heed::test
