// Messages name the line that called a layer, not the line of the layer that calls the op.

#include <limits>

#include <gtest/gtest.h>

#include "layers/convolution.h"
#include "layers/linear.h"
#include "layers/norm.h"
#include "layers/recurrent.h"
#include "layers/transformer_layers.h"
#include "tests/message_of.h"

namespace heed {
namespace {

TEST(Where, IsTheLineThatCalledTheLayer) {
  Random random(1);
  Tensor x = Tensor::zeros({2, 4});
  x[0] = std::numeric_limits<Real>::quiet_NaN();
  const std::vector<Index> two{2};
  const Spans spans = Spans::packed(two);
  const Linear linear(4, 4, random);
  const LayerNorm norm(4);
  const EncoderLayer encoder({.d = 4, .heads = 2, .ff = 8}, random);
  const FeedForward feed_forward(4, 8, FeedForwardKind::relu, 0, random);
  const Conv1d convolution({.in = 4, .out = 3, .kernel = 1}, random);
  struct Row {
    const char* what;
    std::function<void()> call;
    int line;
  };
  const std::vector<Row> rows = {
      {"linear", [&] { linear(x); }, __LINE__},
      {"norm", [&] { norm(x); }, __LINE__},
      {"feed forward", [&] { feed_forward(x); }, __LINE__},
      {"encoder layer", [&] { encoder(x, spans); }, __LINE__},
      {"convolution", [&] { convolution(x, spans); }, __LINE__},
  };
  for (const Row& row : rows) {
    const std::string message = message_of([&] {
      Tape tape({.check_finite = true});
      row.call();
    });
    const std::string end = fmt::format("where_test.cpp:{}", row.line);
    EXPECT_TRUE(message.ends_with(end)) << row.what << ": " << message;
  }
}

}  // namespace
}  // namespace heed
