#pragma once

#include <span>
#include <vector>

#include "framework/kernels/decoder_step.h"
#include "layers/transformer_layers.h"

namespace heed {

/// y = x W^T + b with W packed once, for many products with the same W.  x (rows, in), W (out, in),
/// b (out), y (rows, out). It is a copy of W, so later changes of W do not reach it. Each row of y
/// depends on its row of x alone, to the bit.
class PackedLinear {
 public:
  explicit PackedLinear(const Tensor& weight, const Tensor& bias = {});
  explicit PackedLinear(const Linear& layer)
      : PackedLinear(layer.weight.value(), layer.bias.defined() ? layer.bias.value() : Tensor()) {}
  /// `relu`: max(0, y).
  Tensor operator()(const Tensor& x, bool relu = false) const;
  kernels::StepLinear view() const { return {packed_.data(), bias_.data(), in_, out_}; }

 private:
  Tensor packed_;
  Tensor bias_;
  Index in_;
  Index out_;
};

/// The two products of a sublayer: what reads its rows, and what gives its result.
struct Products {
  const Linear& in;
  const Linear& out;
};
inline Products products_of(const SelfAttention& attention) {
  return {*attention.input, attention.output};
}
inline Products products_of(const CrossAttention& attention) {
  return {*attention.query, attention.output};
}
inline Products products_of(const FeedForward& layer) { return {layer.up, layer.down}; }

struct PackedProducts {
  PackedLinear in;
  PackedLinear out;
};

/// A layer with its products packed. `plain` has all the rest, never drops, and shares the
/// parameters.
template <class Layer>
struct PackedLayer {
  Layer plain;
  std::vector<PackedProducts> packed = {};  // of each sublayer, in order

  explicit PackedLayer(const Layer& layer) : plain(share(layer)) {
    // Only the copy: the model itself may be training.
    set_training(plain, false);
    layer.sublayers([this](const Residual&, const auto& sublayer) {
      const Products products = products_of(sublayer);
      packed.push_back({PackedLinear(products.in), PackedLinear(products.out)});
    });
  }
  /// x through the layer. attend(attention, r) gives concat(heads) of what the first product of an
  /// attention gave.
  template <class... Attend>
  Variable operator()(const Variable& x, const Attend&... attend) const {
    struct Chosen : Attend... {
      using Attend::operator()...;
    };
    const Chosen heads{attend...};
    auto next = packed.begin();
    return through(
        plain, x,
        [&]<class Attention>(
            const Attention& attention,
            const Operand& z) requires std::is_base_of_v<MultiHeadAttention, Attention> {
          const PackedProducts& products = *next++;
          return Variable(products.out(heads(attention, products.in(z.value()))));
        },
        [&](const FeedForward& f, const Operand& z) {
          const PackedProducts& products = *next++;
          const bool relu = f.kind == FeedForwardKind::relu;
          const Tensor hidden = products.in(z.value(), relu);
          return Variable(products.out(relu ? hidden : f.activate(Variable(hidden)).value()));
        });
  }
};

template <class Layer>
std::vector<PackedLayer<Layer>> packed_layers(const std::vector<Layer>& layers) {
  return {layers.begin(), layers.end()};
}

/// A Transformer's encoder with packed weights, for decoding. Gives what its layers give in
/// evaluation.
class PackedEncoder {
 public:
  PackedEncoder(const std::vector<EncoderLayer>& layers, const Norm& norm)
      : layers_(packed_layers(layers)), norm_(share(norm)) {}
  Tensor operator()(const Tensor& x, const Spans& spans) const;  // (rows, d) -> (rows, d)

 private:
  std::vector<PackedLayer<EncoderLayer>> layers_;
  Norm norm_;
};

}  // namespace heed
