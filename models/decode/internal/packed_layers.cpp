#include "models/decode/internal/packed_layers.h"

#include "framework/kernels/packed.h"

namespace heed {

PackedLinear::PackedLinear(const Tensor& weight, const Tensor& bias)
    : packed_({kernels::packed_size(weight.columns(), weight.shape()[0])}),
      bias_(bias),
      in_(weight.columns()),
      out_(weight.shape()[0]) {
  kernels::pack_panels(transposed(kernels::dense(weight.data(), out_, in_)), packed_.data());
}

Tensor PackedLinear::operator()(const Tensor& x, bool relu) const {
  Tensor y(x.shape().with(x.rank() - 1, out_));
  kernels::step_linear(view(), kernels::dense(x.data(), x.rows(), in_),
                       kernels::dense(y.data(), x.rows(), out_), {.relu = relu});
  return y;
}

Tensor PackedEncoder::operator()(const Tensor& x, const Spans& spans) const {
  Variable y(x);
  for (const PackedLayer<EncoderLayer>& layer : layers_)
    y = layer(y, [&](const SelfAttention& attention, const Tensor& products) {
      return attention.combine({Variable(products), {}}, spans, spans).value();
    });
  return norm_(y).value();
}

}  // namespace heed
