#include "framework/kernels/dropout.h"

#include <gtest/gtest.h>

namespace heed {
namespace {

// The vectorised mask against its definition in dropout.h, computed with the scalar philox().
TEST(DropoutMask, IsTheHalfWordOfPhiloxThatItsHeaderNames) {
  for (const RandomKey key : {RandomKey{0, 0}, RandomKey{0xdeadbeefcafef00d, 0x123456789abcdef0}})
    for (const Index block : {Index{0}, Index{7}, (Index{1} << 40) + 3}) {
      const kernels::Dropout dropout(Real(0.3), key);
      Real mask[kernels::dropout_block];
      kernels::dropout_mask(dropout, block, mask);
      for (Index e = 0; e < kernels::dropout_block; ++e) {
        const std::uint32_t word =
            philox(key, static_cast<std::uint64_t>(16 * block + e % 16))[e / 32];
        const std::uint32_t half = (e / 16) % 2 ? word >> 16 : word & 0xffff;
        ASSERT_EQ(mask[e], half >= 19661 ? static_cast<Real>(65536.0 / (65536.0 - 19661.0)) : 0)
            << "block " << block << ", element " << e;
      }
    }
}

TEST(DropoutMask, KeepsTheShareAskedFor) {
  const kernels::Dropout dropout(Real(0.1), {42, 7});
  Index kept = 0;
  constexpr Index blocks = 4000;
  Real mask[kernels::dropout_block];
  for (Index block = 0; block < blocks; ++block) {
    kernels::dropout_mask(dropout, block, mask);
    for (Real x : mask)
      kept += x > 0;
  }
  // The standard deviation of the share of 512,000 draws is 0.0004.
  EXPECT_NEAR(static_cast<double>(kept) / (blocks * kernels::dropout_block), 0.9, 0.002);
}

}  // namespace
}  // namespace heed
