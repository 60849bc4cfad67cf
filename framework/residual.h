#pragma once

#include <cstdint>

namespace heed {

/// Where a residual connection has its norm.
enum class NormPlace : std::uint8_t {
  pre,   // x + f(norm(x)) (Xiong et al. 2020)
  post,  // norm(x + f(x)) (Vaswani et al. 2017)
};

/// A residual connection around f: the one place that knows the order of its parts. Layers call it
/// on the tape, the kernels of decoding on rows in place. add_branch(x, z) gives x + f(z): both add
/// while they compute. norm(x) gives its result, which may take the place of x.
template <class X, class Norm, class AddBranch>
auto residual(NormPlace place, const X& x, const Norm& norm, const AddBranch& add_branch) {
  if (place == NormPlace::pre) return add_branch(x, norm(x));
  return norm(add_branch(x, x));
}

}  // namespace heed
