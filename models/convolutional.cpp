#include "models/convolutional.h"

#include <algorithm>
#include <numbers>

#include "framework/kernels/attend_rows.h"
#include "models/internal/checks.h"
#include "models/internal/common_fields.h"
#include "models/internal/row_state.h"

namespace heed {

namespace {

// Halves the variance of a sum of two terms.
constexpr Real sqrt_half = static_cast<Real>(1 / std::numbers::sqrt2);

void check_heads(const ConvS2SOptions& o) {
  const bool divides = o.conv_heads > 0 && o.d % o.conv_heads == 0;
  check_argument(o.conv_heads == 0 || divides, "conv", "conv_heads", o.conv_heads,
                 "of 0 or a divisor of d = {}", o.d);
}

/// The heads of lightweight convolutions: without a number, the most that are at least 16 wide.
int heads_of(const ConvS2SOptions& o) {
  if (o.conv_heads > 0) return o.conv_heads;
  Index heads = std::max<Index>(1, o.d / 16);
  while (o.d % heads != 0)
    --heads;
  return static_cast<int>(heads);
}

/// What an encoder alone needs too.
void check_layers(const ConvS2SOptions& o) {
  check_argument(o.d > 0, "conv", "d", o.d, "above 0");
  detail::check_depths("conv", o);
  check_argument(o.kernel >= 1 && o.kernel % 2 == 1, "conv", "kernel", o.kernel, "above 0 and odd");
  check_argument(o.positions >= 1, "conv", "positions", o.positions, "of at least 1");
  check_argument(o.dropout >= 0 && o.dropout < 1, "conv", "dropout", o.dropout, "within [0, 1)");
  check_heads(o);
}

const ConvS2SOptions& checked(const ConvS2SOptions& o) {
  check_argument(o.vocabulary >= 1, "conv", "vocabulary", o.vocabulary, "of at least 1");
  check_layers(o);
  return o;
}

ConvLayerOptions conv_options(const ConvS2SOptions& o, bool causal) {
  return {.conv = {.in = o.d,
                   .out = o.d,
                   .kernel = o.kernel,
                   .causal = causal,
                   .weight_norm = o.weight_norm,
                   .dropout = o.dropout},
          .kind = o.convolution,
          .heads = heads_of(o)};
}

/// The weight of a convolution as a product has it, (2 d, kernel d).
Tensor product_of(const GatedConv& layer) {
  const Tensor weight = layer.conv.weight().value();
  return weight.reshape({weight.shape()[0], weight.size() / weight.shape()[0]});
}

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

/// A causal layer with its weights normalised once. It computes one row of each sequence from the
/// rows before, which `recent` holds.
class StepConv {
 public:
  explicit StepConv(const ConvLayer& layer) {
    std::visit([this](const auto& kind) { keep(kind); }, layer.chosen);
  }
  /// y (rows, d); recent (rows, kernel, d), the latest last, gets one more row.
  Variable operator()(const Variable& y, Tensor& recent) const {
    if (!filters_.defined()) {
      push(recent, y.value());
      return glu(linear(recent.reshape({y.rows(), input_.columns()}), input_, input_bias_));
    }
    push(recent, glu(linear(y, input_, input_bias_)).value());
    return linear(sum(Variable(recent) * filters_, 1), output_, output_bias_);
  }

 private:
  void keep(const GatedConv& layer) {
    input_ = product_of(layer);
    input_bias_ = layer.conv.bias.value();
  }
  void keep(const GatedLightweightConv& layer) {
    keep(layer.input);
    filters_ = layer.light.filters().value();
    output_ = layer.output.weight().value();
    output_bias_ = layer.output.bias.value();
  }

  Tensor input_;
  Tensor input_bias_;
  // Of a lightweight layer:
  Tensor filters_;  // (kernel, d)
  Tensor output_;   // (d, d)
  Tensor output_bias_;
};

}  // namespace

ConvS2S::DecoderLayer::DecoderLayer(const ConvS2SOptions& o, Random& random)
    : conv(conv_options(o, true), random),
      query(o.d, o.d, random, o.weight_norm),
      back(o.d, o.d, random, o.weight_norm) {}

void ConvS2SOptions::list(Fields& f) {
  detail::list_width(f, d);
  detail::list_depths(f, *this);
  f("kernel", kernel, odd(1, 1001), "width of a convolution in tokens; odd");
  f("convolution", convolution, {{"full", ConvKind::full}, {"lightweight", ConvKind::lightweight}},
    "full, or lightweight: one normalised filter for all columns of a head, between two products")
      .selects()
      .absent(std::string("full"));
  if (convolution == ConvKind::lightweight)
    f("conv_heads", conv_heads, between(Index{0}, detail::largest_width),
      "heads of lightweight convolutions; 0: as many as are 16 wide or wider");
  f("positions", positions, between(Index{2}, detail::largest_width),
    "largest number of tokens of a source or an output, </s> among them");
  detail::list_dropout(f, dropout);
  f("weight_norm", weight_norm, any_value(), "normalise the weights");
  detail::list_tied(f, tied);
}

void ConvS2SOptions::check() const { check_heads(*this); }

ConvS2S::ConvS2S(const ConvS2SOptions& o, Random& random)
    : options_(checked(o)),
      embedding_(o.vocabulary, o.d, random),
      positions_(o.positions, o.d, random),
      dropout_(o.dropout),
      encoder_(conv_options(o, false), 0, random),
      output_(o.d, o.vocabulary, random, o.weight_norm && !o.tied) {
  for (const Parameter* table : {&embedding_.weight, &positions_.weight})
    table->value() = normal(table->shape(), random, Real(0.1));  // section 3.5
  if (o.tied) output_.weight.weight = embedding_.weight.share();
  output_.weight.weight.layout().table = true;
  if (o.source_vocabulary > 0) {
    source_embedding_.emplace(o.source_vocabulary, o.d, random);
    source_embedding_->weight.value() =
        normal(source_embedding_->weight.shape(), random, Real(0.1));
  }
  // Layers are drawn last: what a seed gives depends on the order.
  encoder_ = ConvStack(conv_options(o, false), o.encoder_depth(), random);
  for (int i = 0; i < o.decoder_depth(); ++i)
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
  encoder_.visit(v);
  v("decoder", decoder_);
  v("output", output_);
}

VocabularyParameters ConvS2S::vocabulary_parameters() const {
  VocabularyParameters result{{}, {embedding_.weight, output_.weight.weight, output_.bias}};
  if (output_.weight.gain.defined()) result.target.push_back(output_.weight.gain);
  if (source_embedding_) result.source = {source_embedding_->weight};
  return result;
}

Encoded ConvS2S::encode(const Sequences& source) const {
  detail::check_sequences("encode", source);
  const Variable e = dropout_((source_embedding_ ? *source_embedding_ : embedding_)(source.ids) +
                              positions_(source.spans));
  return encoder_(e, source.spans);
}

Variable ConvS2S::decode(const Sequences& target, const Encoded& source,
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
        heed::attention(add_scaled(layer.query(z), e, sqrt_half), source.keys, source.values,
                        {.queries = target.spans,
                         .keys = source.spans,
                         .scale = 1,
                         .weights = attention ? &(*attention)[i].weights : nullptr});
    y = add_scaled(add_scaled(layer.back(a), z, sqrt_half), y, sqrt_half);
  }
  return y;
}

Variable ConvS2S::loss(const Sequences& sources, const Sequences& targets, const Ids& gold,
                       const CrossEntropy& options) const {
  return linear_cross_entropy(decode(targets, encode(sources)), output_.weight(), output_.bias,
                              gold, options);
}

Variable ConvS2S::logits(const Sequences& sources, const Sequences& targets,
                         std::vector<AttentionMap>* attention) const {
  return output_(decode(targets, encode(sources), attention));
}

/// The model with its weights normalised once.
class ConvS2S::Packed final : public Decoder {
 public:
  explicit Packed(const ConvS2S& model) : model_(model) {
    const Tape::Pause pause;
    const NoDropout evaluate;
    for (const DecoderLayer& layer : model.decoder_)
      layers_.push_back(
          {StepConv(layer.conv), layer.query.weight().value(), layer.back.weight().value()});
    output_ = model.output_.weight().value();
  }
  Index vocabulary() const override { return model_.vocabulary(); }
  Index longest_output(Index /*source*/) const override { return model_.longest(); }
  Index longest_source() const override { return model_.longest(); }
  std::unique_ptr<DecoderState> start(const Sequences& sources) const override {
    const Tape::Pause pause;
    const NoDropout evaluate;
    return start(model_.encode(sources));
  }
  std::unique_ptr<DecoderState> start(const Encoded& encoded) const override;
  Variable logits(const Sequences& sources, const Sequences& targets,
                  std::vector<AttentionMap>* attention) const override {
    const NoDropout evaluate;
    return model_.logits(sources, targets, attention);
  }

 private:
  struct State;
  struct Layer {
    StepConv conv;
    Tensor query;  // (d, d)
    Tensor back;   // (d, d)
  };
  const ConvS2S& model_;
  std::vector<Layer> layers_;
  Tensor output_;  // (vocabulary, d)
};

struct ConvS2S::Packed::State final : RowState {
  State(const Packed& packed, const Encoded& encoded);
  Tensor step(std::span<const Id> tokens) override;
  Index state_size() const override {
    Index size = memory_.size();
    for (const Tensor& layer : recent_)
      size += layer.size();
    return size;
  }

 private:
  /// Attention of q (rows, d) to the source of each row, with one head and scale 1.
  Tensor attend(const Tensor& q) const;

  const Packed& packed_;
  Tensor memory_;  // keys and values of the sources, (source rows, 2 d)
  Spans memory_spans_;
  std::vector<Tensor> recent_;  // what StepConv keeps of each layer, (rows, kernel, d)
  Index position_ = 0;
};

std::unique_ptr<DecoderState> ConvS2S::Packed::start(const Encoded& encoded) const {
  return std::make_unique<State>(*this, encoded);
}

ConvS2S::Packed::State::State(const Packed& packed, const Encoded& encoded)
    : RowState(encoded.spans.count()), packed_(packed), memory_spans_(encoded.spans) {
  const Tape::Pause pause;
  detail::check_encoded(encoded, packed.model_.options_.d);
  memory_ = concat({encoded.keys, encoded.values}, 1).value();
  const ConvS2SOptions& o = packed.model_.options_;
  for (std::size_t i = 0; i < packed.layers_.size(); ++i)
    recent_.push_back(Tensor::zeros({rows(), o.kernel, o.d}));
  for (Tensor& layer : recent_)
    follow(layer);
}

Tensor ConvS2S::Packed::State::attend(const Tensor& q) const {
  std::vector<kernels::KeyList> keys;
  for (const Index i : source())
    keys.push_back({nullptr, memory_spans_.begin(i), memory_spans_.length(i)});
  Tensor y(q.shape());
  kernels::attend_rows({.queries = kernels::dense(q.data(), q.rows(), q.columns()),
                        .cache = memory_.data(),
                        .keys = keys.data()},
                       y.data());
  return y;
}

Tensor ConvS2S::Packed::State::step(std::span<const Id> tokens) {
  const Tape::Pause pause;
  const NoDropout evaluate;
  const ConvS2S& model = packed_.model_;
  detail::check_tokens(tokens, rows());
  if (rows() == 0) return Tensor({0, model.options_.vocabulary});
  const std::vector<Index> ones(tokens.size(), 1);
  const Variable e =
      model.embedding_(Ids({rows()}, tokens)) + model.positions_(Spans::packed(ones), position_++);
  Variable y = e;
  for (std::size_t i = 0; i < model.decoder_.size(); ++i) {
    const DecoderLayer& layer = model.decoder_[i];
    const Layer& packed = packed_.layers_[i];
    const Variable z = packed.conv(y, recent_[i]);
    const Tensor a =
        attend(add_scaled(linear(z, packed.query, layer.query.bias), e, sqrt_half).value());
    y = add_scaled(add_scaled(linear(a, packed.back, layer.back.bias), z, sqrt_half), y, sqrt_half);
  }
  return linear(y, packed_.output_, model.output_.bias).value();
}

std::unique_ptr<const Decoder> ConvS2S::decoder() const { return std::make_unique<Packed>(*this); }

std::unique_ptr<Encoder> make_encoder(const ConvS2SOptions& o, Random& random) {
  check_layers(o);
  return std::make_unique<ConvEncoder>(conv_options(o, false), o.encoder_depth(), o.positions,
                                       random);
}

}  // namespace heed
