#include "tests/framework/compositions.h"

namespace heed::test {

namespace {

std::vector<Composition> all(bool small) {
  std::vector<Composition> table;
  for (auto add : {add_row_compositions, add_attention_compositions, add_sequence_compositions,
                   add_pooling_compositions})
    add(table, small);
  return table;
}

}  // namespace

const std::vector<Composition>& small_compositions() {
  static const std::vector<Composition> table = all(true);
  return table;
}
const std::vector<Composition>& case_compositions() {
  static const std::vector<Composition> table = all(false);
  return table;
}

std::vector<Tensor> draw(const Composition& c, std::uint64_t seed) {
  Random random(seed);
  std::vector<Tensor> result;
  for (const Shape& shape : c.inputs) {
    Tensor x(shape);
    for (Real& value : x.span())
      value = static_cast<Real>(random.uniform(c.low, c.high));
    result.push_back(x);
  }
  return result;
}

}  // namespace heed::test
