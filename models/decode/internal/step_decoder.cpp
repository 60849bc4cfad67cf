#include "models/decode/internal/step_decoder.h"

#include <algorithm>
#include <numeric>
#include <type_traits>

namespace heed {

namespace {

kernels::StepSublayer step_of(const SelfAttention& attention) {
  return {.kind = kernels::StepKind::self_attention, .heads = attention.heads};
}
kernels::StepSublayer step_of(const CrossAttention& attention) {
  return {.kind = kernels::StepKind::cross_attention, .heads = attention.heads};
}
kernels::StepSublayer step_of(const FeedForward& layer) {
  return {.kind = kernels::StepKind::feed_forward, .gelu = layer.kind == FeedForwardKind::gelu};
}

bool fits_kernel(const MultiHeadAttention& attention) { return attention.is_plain(); }
bool fits_kernel(const FeedForward& layer) {
  return layer.kind == FeedForwardKind::relu || layer.kind == FeedForwardKind::gelu;
}
bool fits_kernel(const Norm& norm) { return norm.bias.defined(); }

template <class Layers>
bool all_fit_kernel(const Layers& layers) {
  bool fit = true;
  for (const auto& layer : layers)
    layer.sublayers([&](const Residual& around, const auto& sublayer) {
      fit = fit && fits_kernel(sublayer) && fits_kernel(around.norm);
    });
  return fit;
}

/// How many keys back the layer that sees farthest sees; 0: all.
template <class Layers>
Index sight_of(const Layers& layers) {
  Index sight = 1;
  for (const auto& layer : layers) {
    const Index one = layer.attention.sight();
    if (one == 0) return 0;
    sight = std::max(sight, one);
  }
  return sight;
}

}  // namespace

kernels::StepLinear StepWeights::pack(const PackedLinear& layer) {
  packed_.push_back(layer);
  return layer.view();
}

kernels::StepNorm StepWeights::keep(const Norm& norm) {
  kept_.push_back(norm.gain.value());
  kept_.push_back(norm.bias.value());
  return {norm.gain.value().data(), norm.bias.value().data()};
}

template <class Layers>
void StepWeights::pack_kernel(const Layers& layers) {
  for (const auto& layer : layers)
    layer.sublayers([this](const Residual& around, const auto& sublayer) {
      const Products products = products_of(sublayer);
      kernels::StepSublayer& to = sublayers_.emplace_back(step_of(sublayer));
      to.in = pack(PackedLinear(products.in));
      to.out = pack(PackedLinear(products.out));
      to.place = around.place;
      to.norm = keep(around.norm);
    });
}

template <class Layers>
void StepWeights::pack_all(const Layers& layers, const Norm& norm, const Tensor& output) {
  for (const auto& layer : layers)
    layer.sublayers([this]<class Sublayer>(const Residual&, const Sublayer& sublayer) {
      if constexpr (std::is_same_v<Sublayer, SelfAttention>) ++self_attentions_;
      if constexpr (std::is_same_v<Sublayer, CrossAttention>) {
        memory_.emplace_back(*sublayer.memory);
        cross_.push_back(share(sublayer));
      }
    });
  sight_ = sight_of(layers);
  in_kernel_ = all_fit_kernel(layers) && fits_kernel(norm);
  if (in_kernel_) {
    pack_kernel(layers);
    model_ = {.sublayer_count = static_cast<Index>(sublayers_.size()),
              .d = output.columns(),
              .norm = keep(norm),
              .scores = pack(PackedLinear(output))};
    return;
  }
  norm_.push_back(share(norm));
  output_.emplace_back(output);
  if constexpr (std::is_same_v<Layers, std::vector<DecoderLayer>>)
    decoder_layers_ = packed_layers(layers);
  else
    layers_ = packed_layers(layers);
}

std::vector<StepMemory> StepWeights::remember(const Tensor& encoded, const Spans& spans) const {
  const Tape::Pause pause;
  std::vector<StepMemory> result;
  for (std::size_t i = 0; i < memory_.size(); ++i) {
    const CrossAttention& cross = cross_[i];
    StepMemory& memory = result.emplace_back();
    memory.rows = memory_[i](encoded);
    if (cross.is_plain()) continue;
    const Index e = cross.kv_width();
    const Variable both(memory.rows);
    const Variable keys = cross.placed_keys(slice(both, 1, 0, e), spans);
    const Variable values = slice(both, 1, e, 2 * e);
    if (cross.weighing == Weighing::linear) {
      memory.sums = LinearSums(cross, spans.count());
      memory.sums.add(keys.value(), values.value(), spans);
      memory.rows = {};
    } else {
      memory.rows = concat({keys, values}, 1).value();
    }
  }
  return result;
}

StepWeights::StepWeights(const std::vector<DecoderLayer>& layers, const Norm& norm,
                         const Tensor& output) {
  pack_all(layers, norm, output);
}
StepWeights::StepWeights(const std::vector<EncoderLayer>& layers, const Norm& norm,
                         const Tensor& output) {
  pack_all(layers, norm, output);
}

StepDecoder::StepDecoder(const StepWeights& weights, Index rows)
    : weights_(weights),
      sublayers_(weights.sublayers_),
      model_(weights.model_),
      cache_(weights.self_attentions_, rows, weights.sight_),
      sums_(weights.self_attentions_) {
  const auto add_sums = [&](std::size_t layer, const SelfAttention& attention) {
    if (attention.weighing == Weighing::linear) sums_[layer] = LinearSums(attention, rows);
  };
  for (std::size_t i = 0; i < weights.decoder_layers_.size(); ++i)
    add_sums(i, weights.decoder_layers_[i].plain.attention);
  for (std::size_t i = 0; i < weights.layers_.size(); ++i)
    add_sums(i, weights.layers_[i].plain.attention);
}

void StepDecoder::select(std::span<const Index> rows) {
  cache_.select(rows);
  for (LinearSums& sums : sums_)
    sums.select(rows);
}

Index StepDecoder::state_size() const {
  Index size = cache_.size();
  for (const LinearSums& sums : sums_)
    size += sums.size();
  return size;
}

void StepDecoder::keep(std::size_t layer, const SelfAttention& attention, const Projected& placed,
                       const Spans& spans) {
  if (attention.weighing == Weighing::linear) {
    const Projected p = attention.separate(placed);
    return sums_[layer].add(p.memory.keys.value(), p.memory.values.value(), spans);
  }
  const Index d = attention.width();
  const Index e = attention.kv_width();
  Real* const to = cache_.data(layer, 2 * e) + cache_.latest() * 2 * e;
  const bool joined = !placed.memory.keys.defined();  // (rows, d + 2 e)
  const auto copy_columns = [&](const Tensor& from, Index begin, Index count, Index column) {
    for (Index r = 0; r < from.rows(); ++r)
      std::copy_n(from.data() + r * from.columns() + begin, count, to + r * 2 * e + column);
  };
  if (joined) return copy_columns(placed.queries.value(), d, 2 * e, 0);
  copy_columns(placed.memory.keys.value(), 0, e, 0);
  copy_columns(placed.memory.values.value(), 0, e, e);
}

Variable StepDecoder::prompt(const std::vector<EncoderLayer>& layers, const Variable& x,
                             const Spans& spans) {
  cache_.extend(spans);
  std::size_t next = 0;
  Variable y = x;
  for (const EncoderLayer& layer : layers)
    y = through(
        layer, y,
        [&](const SelfAttention& attention, const Operand& z) {
          const Projected placed = attention.place(attention.project(z, spans), spans, spans);
          keep(next++, attention, placed, spans);
          return attention.output(attention.combine_placed(placed, spans, spans, {.causal = true}));
        },
        [](const FeedForward& plain, const Operand& z) { return plain(z); });
  return y;
}

/// The keys of the source that each row sees.
struct StepDecoder::Source {
  std::vector<kernels::KeyList> keys;
  std::span<const Index> sequences;
};

Tensor StepDecoder::step(Tensor& x, std::span<const StepMemory> memory, const Spans& memory_spans,
                         std::span<const Index> sources) {
  cache_.extend();
  Source source{{}, sources};
  for (const Index i : sources)
    source.keys.push_back({nullptr, memory_spans.begin(i), memory_spans.length(i)});
  return weights_.in_kernel_ ? step_kernel(x, memory, source) : step_layers(x, memory, source);
}

Tensor StepDecoder::step_kernel(Tensor& x, std::span<const StepMemory> memory,
                                const Source& source) {
  const Index rows = x.rows();
  std::size_t caches = 0;
  std::size_t memories = 0;
  for (kernels::StepSublayer& s : sublayers_) {
    if (s.kind == kernels::StepKind::self_attention) s.cache = cache_.data(caches++, 2 * model_.d);
    if (s.kind == kernels::StepKind::cross_attention) s.memory = memory[memories++].rows.data();
  }
  const std::vector<kernels::KeyList> past = cache_.keys();
  model_.sublayers = sublayers_.data();
  Tensor logits({rows, model_.scores.out});
  Tensor scratch({kernels::decoder_step_scratch(model_, rows)});
  kernels::decoder_step(model_, {rows, cache_.latest(), past.data(), source.keys.data()}, x.data(),
                        scratch.data(), logits.data());
  return logits;
}

Tensor StepDecoder::attend(std::size_t layer, const SelfAttention& attention,
                           const Tensor& products) {
  const Index rows = products.rows();
  const Spans ones = Spans::packed(std::vector<Index>(static_cast<std::size_t>(rows), 1));
  std::vector<Index> positions(static_cast<std::size_t>(rows));
  for (Index r = 0; r < rows; ++r)
    positions[static_cast<std::size_t>(r)] = cache_.position(r);
  const Spans ends = Spans::packed(positions);
  const Projected p = attention.separate({Variable(products), {}});
  const Tensor q = attention.placed_queries(p.queries, ones, ends).value();
  const Variable k = attention.placed_keys(p.memory.keys, ones, ends);
  keep(layer, attention, {Variable(q), {k, p.memory.values}}, ones);
  if (attention.weighing == Weighing::linear) {
    std::vector<Index> own(static_cast<std::size_t>(rows));
    std::iota(own.begin(), own.end(), Index{0});
    return sums_[layer](q, own);
  }
  return attend_step(attention, q, cache_.data(layer, 2 * attention.kv_width()),
                     cache_.keys(attention.sight()));
}

Tensor StepDecoder::step_layers(Tensor& x, std::span<const StepMemory> memory,
                                const Source& source) {
  std::size_t layer = 0;
  std::size_t memories = 0;
  const auto self = [&](const SelfAttention& attention, const Tensor& products) {
    return attend(layer++, attention, products);
  };
  const auto cross = [&](const CrossAttention& attention, const Tensor& products) {
    const StepMemory& m = memory[memories++];
    const Spans none;
    const Tensor q = attention.placed_queries(Variable(products), none, none).value();
    if (attention.weighing == Weighing::linear) return m.sums(q, source.sequences);
    return attend_step(attention, q, m.rows.data(), source.keys);
  };
  Variable y(x);
  for (const auto& one : weights_.decoder_layers_)
    y = one(y, self, cross);
  for (const auto& one : weights_.layers_)
    y = one(y, self);
  x = weights_.norm_.front()(y).value();
  return weights_.output_.front()(x);
}

}  // namespace heed
