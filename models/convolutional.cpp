#include "models/convolutional.h"

#include <cmath>
#include <numbers>
#include <numeric>

#include "framework/kernels/attend_rows.h"
#include "framework/kernels/parallel.h"
#include "models/internal/checks.h"
#include "models/internal/common_fields.h"

namespace heed {

namespace {

// Halves the variance of a sum of two terms.
constexpr Real sqrt_half = static_cast<Real>(1 / std::numbers::sqrt2);

const ConvS2SOptions& checked(const ConvS2SOptions& o) {
  check_argument(o.vocabulary >= first_free_id, "conv", "vocabulary", o.vocabulary,
                 "of at least {}, the marks among them", first_free_id);
  check_argument(o.d > 0, "conv", "d", o.d, "above 0");
  check_argument(o.layers >= 1, "conv", "layers", o.layers, "of at least 1");
  check_argument(o.kernel >= 1 && o.kernel % 2 == 1, "conv", "kernel", o.kernel, "above 0 and odd");
  check_argument(o.positions >= 1, "conv", "positions", o.positions, "of at least 1");
  check_argument(o.dropout >= 0 && o.dropout < 1, "conv", "dropout", o.dropout, "within [0, 1)");
  return o;
}

Conv1dOptions conv_options(const ConvS2SOptions& o, bool causal) {
  return {.in = o.d,
          .out = o.d,
          .kernel = o.kernel,
          .causal = causal,
          .weight_norm = o.weight_norm,
          .dropout = o.dropout};
}

/// What step() reads of a layer: its weights, normalised once, and the last inputs of its
/// convolution.
struct LayerState {
  Tensor conv;    // (2 d, kernel d)
  Tensor query;   // (d, d)
  Tensor back;    // (d, d)
  Tensor recent;  // (rows, kernel, d), the latest last
};

struct State : DecoderState {
  Index rows() const override { return static_cast<Index>(sentence.size()); }
  void select(std::span<const Index> chosen) override {
    detail::check_selected("select", chosen, rows());
    std::vector<Index> sentences;
    Ids ids({static_cast<Index>(chosen.size())});
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      sentences.push_back(sentence[chosen[i]]);
      ids[static_cast<Index>(i)] = static_cast<Id>(chosen[i]);
    }
    const Tape::Pause pause;
    for (LayerState& layer : layers)
      layer.recent = gather(layer.recent, ids).value();
    sentence = std::move(sentences);
  }

  std::vector<LayerState> layers;
  Tensor output;  // weight of the output layer
  Tensor memory;  // keys and values of the sources, (source rows, 2 d)
  Spans memory_spans;
  std::vector<Index> sentence;  // of each row: which source
  Index position = 0;
};

/// Drops the oldest row of each window and appends x (rows, d).
void push(Tensor& recent, const Tensor& x) {
  const Index rows = x.rows();
  const Index d = x.columns();
  const Index k = recent.shape()[1];
  for (Index r = 0; r < rows; ++r) {
    Real* window = recent.data() + r * k * d;
    std::copy(window + d, window + k * d, window);
    std::copy_n(x.data() + r * d, d, window + (k - 1) * d);
  }
}

/// Attention of q (rows, d) to the source of each row, with one head and scale 1.
Tensor attend(const Tensor& q, const State& state) {
  std::vector<kernels::KeyList> keys;
  for (Index i : state.sentence)
    keys.push_back({nullptr, state.memory_spans.begin(i), state.memory_spans.length(i)});
  Tensor y(q.shape());
  kernels::attend_rows({.queries = kernels::dense(q.data(), q.rows(), q.columns()),
                        .cache = state.memory.data(),
                        .keys = keys.data()},
                       y.data());
  return y;
}

}  // namespace

ConvS2S::DecoderLayer::DecoderLayer(const ConvS2SOptions& o, Random& random)
    : conv(conv_options(o, true), random),
      query(o.d, o.d, random, o.weight_norm),
      back(o.d, o.d, random, o.weight_norm) {}

void ConvS2SOptions::list(Fields& f) {
  detail::list_width(f, d);
  detail::list_layers(f, layers, "layers of the encoder, and of the decoder");
  f("kernel", kernel, odd(1, 1001), "width of a convolution in tokens; odd");
  f("positions", positions, between(Index{2}, detail::largest_width),
    "largest number of tokens of a source or an output, </s> among them");
  detail::list_dropout(f, dropout);
  f("weight_norm", weight_norm, any_value(), "normalise the weights");
  detail::list_tied(f, tied);
}

ConvS2S::ConvS2S(const ConvS2SOptions& o, Random& random)
    : options_(checked(o)),
      embedding_(o.vocabulary, o.d, random),
      positions_(o.positions, o.d, random),
      dropout_(o.dropout),
      output_(o.d, o.vocabulary, random, o.weight_norm && !o.tied) {
  for (const Parameter* table : {&embedding_.weight, &positions_.weight})
    table->value() = normal(table->shape(), random, Real(0.1));  // section 3.5
  if (o.tied) output_.weight.weight = embedding_.weight.share();
  if (o.source_vocabulary > 0) {
    source_embedding_.emplace(o.source_vocabulary, o.d, random);
    source_embedding_->weight.value() =
        normal(source_embedding_->weight.shape(), random, Real(0.1));
  }
  for (int i = 0; i < o.layers; ++i)
    encoder_.emplace_back(conv_options(o, false), random);
  for (int i = 0; i < o.layers; ++i)
    decoder_.emplace_back(o, random);
}

ConvS2S::ConvS2S(const ConvS2S& other, Random blank) : ConvS2S(other.options_, blank) {
  copy_parameters(const_cast<ConvS2S&>(other), *this);  // visits, and changes nothing
}

ConvS2S::ConvS2S(const ConvS2S& other) : ConvS2S(other, Random::blank()) {}

ConvS2S& ConvS2S::operator=(const ConvS2S& other) {
  if (!(options_ == other.options_)) return *this = ConvS2S(other);
  copy_parameters(const_cast<ConvS2S&>(other), *this);
  return *this;
}

void ConvS2S::visit(Visitor& v) {
  v("embedding", embedding_);
  if (source_embedding_) v("source_embedding", *source_embedding_);
  v("positions", positions_);
  v("dropout", dropout_);
  v("encoder", encoder_);
  v("decoder", decoder_);
  v("output", output_);
}

VocabularyParameters ConvS2S::vocabulary_parameters() const {
  VocabularyParameters result{{}, {embedding_.weight, output_.weight.weight, output_.bias}};
  if (output_.weight.gain.defined()) result.target.push_back(output_.weight.gain);
  if (source_embedding_) result.source = {source_embedding_->weight};
  return result;
}

ConvS2S::Memory ConvS2S::encode(const Sequences& source) const {
  detail::check_sequences("encode", source);
  const Variable e = dropout_((source_embedding_ ? *source_embedding_ : embedding_)(source.ids) +
                              positions_(source.spans));
  Variable x = e;
  for (const GatedConv& conv : encoder_)
    x = add_scaled(conv(dropout_(x), source.spans), x, sqrt_half);
  return {x, add_scaled(x, e, sqrt_half)};
}

Variable ConvS2S::decode(const Sequences& target, const Memory& memory, const Spans& memory_spans,
                         std::vector<AttentionMap>* attention) const {
  detail::check_sequences("decode", target);
  if (attention) attention->resize(decoder_.size());
  const Variable e = dropout_(embedding_(target.ids) + positions_(target.spans));
  Variable y = e;
  for (std::size_t i = 0; i < decoder_.size(); ++i) {
    const DecoderLayer& layer = decoder_[i];
    if (attention) (*attention)[i].layer = fmt::format("decoder.{}.attention", i);
    const Variable z = layer.conv(dropout_(y), target.spans);
    const Variable a =
        heed::attention(add_scaled(layer.query(z), e, sqrt_half), memory.keys, memory.values,
                        {.queries = target.spans,
                         .keys = memory_spans,
                         .scale = 1,
                         .weights = attention ? &(*attention)[i].weights : nullptr});
    y = add_scaled(add_scaled(layer.back(a), z, sqrt_half), y, sqrt_half);
  }
  return y;
}

Variable ConvS2S::loss(const Batch& batch, const CrossEntropy& options) const {
  return linear_cross_entropy(decode(batch.target, encode(batch.source), batch.source.spans),
                              output_.weight(), output_.bias, batch.gold, options);
}

Variable ConvS2S::logits(const Batch& batch, std::vector<AttentionMap>* attention) const {
  return output_(decode(batch.target, encode(batch.source), batch.source.spans, attention));
}

std::unique_ptr<DecoderState> ConvS2S::start(const Sequences& source) const {
  const Tape::Pause pause;
  const NoDropout evaluate;
  auto state = std::make_unique<State>();
  const Memory memory = encode(source);
  state->memory = concat({memory.keys, memory.values}, 1).value();
  state->memory_spans = source.spans;
  state->sentence.resize(static_cast<std::size_t>(source.spans.count()));
  std::iota(state->sentence.begin(), state->sentence.end(), Index{0});
  state->output = output_.weight().value();
  const Index d = options_.d;
  const Index k = options_.kernel;
  for (const DecoderLayer& layer : decoder_)
    state->layers.push_back({layer.conv.conv.weight().value().reshape({2 * d, k * d}),
                             layer.query.weight().value(), layer.back.weight().value(),
                             Tensor::zeros({state->rows(), k, d})});
  return state;
}

Tensor ConvS2S::step(DecoderState& decoder_state, std::span<const Id> tokens) const {
  const Tape::Pause pause;
  const NoDropout evaluate;
  auto& state = dynamic_cast<State&>(decoder_state);
  const Index rows = state.rows();
  detail::check_tokens(tokens, rows);
  if (rows == 0) return Tensor({0, options_.vocabulary});
  const std::vector<Index> ones(tokens.size(), 1);
  const Variable e =
      embedding_(Ids({rows}, tokens)) + positions_(Spans::packed(ones), state.position++);
  Variable y = e;
  for (std::size_t i = 0; i < decoder_.size(); ++i) {
    const DecoderLayer& layer = decoder_[i];
    LayerState& own = state.layers[i];
    push(own.recent, y.value());
    const Variable z =
        glu(linear(own.recent.reshape({rows, own.conv.columns()}), own.conv, layer.conv.conv.bias));
    const Tensor a =
        attend(add_scaled(linear(z, own.query, layer.query.bias), e, sqrt_half).value(), state);
    y = add_scaled(add_scaled(linear(a, own.back, layer.back.bias), z, sqrt_half), y, sqrt_half);
  }
  return linear(y, state.output, output_.bias).value();
}

}  // namespace heed
