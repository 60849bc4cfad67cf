// Single headers, and a header of this project that has the name of one of Heed's. This project's
// folder is searched first; Heed's headers must find their own.
#include <heed/framework/ops.h>
#include <heed/layers/linear.h>

#include "layers/linear.h"  // this project's own, not Heed's

int main() {
  heed::Random random(1);
  const heed::Linear linear(4, 3, random);
  const heed::Variable y = linear(heed::Tensor::full({2, 4}, 1));
  static_assert(mine::Linear::is_mine);
  const bool is_relu = heed::relu(heed::Tensor::full({1}, -1)).item() == 0;
  return y.shape() == heed::Shape{2, 3} && is_relu ? 0 : 1;
}
