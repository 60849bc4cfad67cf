#pragma once

#include <span>
#include <vector>

#include "models/decode/internal/cache.h"
#include "models/decode/internal/packed_layers.h"
#include "models/decode/internal/step_attention.h"

namespace heed {

/// What the cross attention of a layer reads.
struct StepMemory {
  Tensor rows;      // keys and values, (source rows, 2 e)
  LinearSums sums;  // of linear attention, instead of the rows

  Index size() const { return (rows.defined() ? rows.size() : 0) + sums.size(); }
};

/// The weights of a Transformer's decoder, or of a decoder-only model, packed for single steps. The
/// weights of the model may not change while this is used.
///
/// A layer of plain attention, layer norm and relu or gelu is computed by one kernel
/// (docs/kernels.md, "A step of decoding"). Otherwise each sublayer is computed by itself.
class StepWeights {
 public:
  /// `norm` follows the last layer, and `output` (vocabulary, d) follows `norm`.
  StepWeights(const std::vector<DecoderLayer>& layers, const Norm& norm, const Tensor& output);
  StepWeights(const std::vector<EncoderLayer>& layers, const Norm& norm, const Tensor& output);
  StepWeights(const StepWeights&) = delete;
  StepWeights& operator=(const StepWeights&) = delete;

  /// What each cross-attention reads of the encoder's output (source rows, d).
  std::vector<StepMemory> remember(const Tensor& encoded, const Spans& spans) const;

 private:
  friend class StepDecoder;
  template <class Layers>
  void pack_all(const Layers& layers, const Norm& norm, const Tensor& output);
  template <class Layers>
  void pack_kernel(const Layers& layers);
  kernels::StepLinear pack(const PackedLinear& layer);
  kernels::StepNorm keep(const Norm& norm);

  std::size_t self_attentions_ = 0;
  Index sight_ = 0;                   // the longest of all layers; 0: all
  std::vector<PackedLinear> memory_;  // of each cross-attention
  std::vector<CrossAttention> cross_;
  // For the kernel:
  bool in_kernel_ = false;
  std::vector<PackedLinear> packed_;
  std::vector<Tensor> kept_;
  std::vector<kernels::StepSublayer> sublayers_;
  kernels::DecoderStep model_;
  // Otherwise:
  std::vector<PackedLayer<DecoderLayer>> decoder_layers_;
  std::vector<PackedLayer<EncoderLayer>> layers_;  // of a decoder-only model
  std::vector<Norm> norm_;                         // one
  std::vector<PackedLinear> output_;               // one
};

/// Computes one position of every row at a time.
class StepDecoder {
 public:
  StepDecoder(const StepWeights& weights, Index rows);

  /// x through the layers of a decoder-only model, for the first positions of every row: their keys
  /// and values are kept. x (spans.rows(), d). No step may have come before.
  Variable prompt(const std::vector<EncoderLayer>& layers, const Variable& x, const Spans& spans);

  /// Computes one more position. x (rows, d): embeddings, which are replaced by the output of the
  /// last norm. memory: what StepWeights::remember() gave; row r sees the keys of sequence
  /// sources[r]. Returns products with the output layer, (rows, vocabulary).
  Tensor step(Tensor& x, std::span<const StepMemory> memory = {}, const Spans& memory_spans = {},
              std::span<const Index> sources = {});

  /// Keeps the rows named, in that order.
  void select(std::span<const Index> rows);
  /// How many positions of a row have been decoded.
  Index position(Index row) const { return cache_.position(row); }
  /// Numbers that are kept of them.
  Index state_size() const;

 private:
  struct Source;
  Tensor step_kernel(Tensor& x, std::span<const StepMemory> memory, const Source& source);
  Tensor step_layers(Tensor& x, std::span<const StepMemory> memory, const Source& source);
  void keep(std::size_t layer, const SelfAttention& attention, const Projected& placed,
            const Spans& spans);
  /// concat(heads) of one query a row; keeps its key and value.
  Tensor attend(std::size_t layer, const SelfAttention& attention, const Tensor& products);

  const StepWeights& weights_;
  std::vector<kernels::StepSublayer> sublayers_;
  kernels::DecoderStep model_;
  KeyValueCache cache_;
  std::vector<LinearSums> sums_;  // of each layer with linear attention
};

}  // namespace heed
