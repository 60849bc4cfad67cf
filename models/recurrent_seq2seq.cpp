#include "models/recurrent_seq2seq.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "layers/attention/attentions.h"
#include "models/internal/checks.h"
#include "models/internal/common_fields.h"
#include "models/internal/row_state.h"

namespace heed {

namespace {

/// The options with the widths that 0 stands for.
RecurrentSeq2SeqOptions resolved(RecurrentSeq2SeqOptions o) {
  detail::check_depths("rnn", o);
  if (o.hidden == 0) o.hidden = o.d;
  if (o.encoder_hidden == 0 && !o.transformer) {
    check_argument(!o.bidirectional || o.hidden % 2 == 0, "rnn", "hidden", o.hidden,
                   "of an even number, for two directions");
    o.encoder_hidden = o.bidirectional ? o.hidden / 2 : o.hidden;
  }
  return o;
}

const RecurrentSeq2SeqOptions& checked(const RecurrentSeq2SeqOptions& o) {
  check_argument(o.vocabulary >= 1, "rnn", "vocabulary", o.vocabulary, "of at least 1");
  return o;
}

RecurrentOptions encoder_options(const RecurrentSeq2SeqOptions& o) {
  return {.cell = o.cell,
          .in = o.d,
          .hidden = o.encoder_hidden,
          .layers = o.encoder_depth(),
          .bidirectional = o.bidirectional,
          .dropout = o.dropout,
          .recurrent_dropout = o.recurrent_dropout};
}

std::unique_ptr<Encoder> encoder_of(const RecurrentSeq2SeqOptions& o, Random& random) {
  if (!o.transformer) return std::make_unique<RecurrentEncoder>(encoder_options(o), random);
  check(o.transformer->sizes.d == o.d, "rnn",
        "expected an encoder as wide as the embeddings; got {} and {}", o.transformer->sizes.d,
        o.d);
  check(o.bridge, "rnn", "expected a bridge after an encoder that has no states to start from");
  return std::make_unique<TransformerEncoder>(*o.transformer, random);
}

Spans ones(Index n) {
  const std::vector<Index> lengths(static_cast<std::size_t>(n), 1);
  return Spans::packed(lengths);
}

Variable first_rows(const Variable& x, Index n) {
  return !x.defined() || x.rows() == n ? x : slice(x, 0, 0, n);
}

}  // namespace

void RecurrentSeq2SeqOptions::list(Fields& f) {
  const AttentionKind* kind = attentions().find(attention);
  detail::list_width(f, d);
  detail::list_depths(f, *this);
  f("hidden", hidden, even(0, detail::largest_width), "width of recurrent states; 0: d");
  detail::list_cell(f, cell);
  if (kind && kind->has_heads) detail::list_heads(f, heads);
  f("bidirectional", bidirectional, any_value(), "the encoder reads the source in both directions");
  detail::list_dropout(f, dropout);
  f("recurrent_dropout", recurrent_dropout, between(0.0, 0.99),
    "probability of dropping an entry of a recurrent state, one mask per sequence");
  detail::list_tied(f, tied);
  if (kind && kind->points) detail::list_copy(f, copy);
  if (kind && kind->covers)
    f("coverage", coverage, between(0.0, 100.0),
      "weight of the loss for attending to the same token again; 0: none (paper: 1)")
        .used_by(detail::decoder_part);
}

RecurrentSeq2Seq::Feeding RecurrentSeq2Seq::feeding_of(const std::string& attention) {
  if (attention.empty()) return Feeding::nothing;
  return attention == "additive" ? Feeding::context : Feeding::attentional;
}

RecurrentSeq2Seq::RecurrentSeq2Seq(const RecurrentSeq2SeqOptions& given, Random& random)
    : options_(resolved(checked(given))),
      feeding_(feeding_of(given.attention)),
      embedding_(options_.vocabulary, options_.d, random),
      dropout_(options_.dropout),
      encoder_(encoder_of(options_, random)) {
  const RecurrentSeq2SeqOptions& o = options_;
  if (o.source_vocabulary > 0) source_embedding_.emplace(o.source_vocabulary, o.d, random);
  make_decoder(random);
  if (feeding_ != Feeding::nothing) make_decoder_attention(random);
  check_copying();
  Index features = o.hidden;
  if (feeding_ == Feeding::context) features += attention_->width() + o.d;
  if (o.copy) gate_.emplace(features, 1, random);
  output_ = o.tied && features == o.d ? embedding_.weight.share()
                                      : Parameter(xavier_uniform({o.vocabulary, features}, random));
  output_.layout().table = true;
  output_bias_ = Parameter(zeros({o.vocabulary}));
}

void RecurrentSeq2Seq::make_decoder(Random& random) {
  const RecurrentSeq2SeqOptions& o = options_;
  const Index memory = encoder_->width();
  check(o.bridge || memory == o.hidden, "rnn",
        "expected an encoder as wide as the decoder, to start without a bridge; got {} and {}",
        memory, o.hidden);
  check(o.bridge || o.encoder_depth() == o.decoder_depth(), "rnn",
        "expected as many layers of the encoder as of the decoder, which starts from their states "
        "without a bridge; got {} and {}",
        o.encoder_depth(), o.decoder_depth());
  for (int i = 0; i < o.decoder_depth(); ++i) {
    if (o.bridge) bridge_.emplace_back(memory, o.hidden, random);
    decoder_.emplace_back(o.cell, i == 0 ? o.d : o.hidden, o.hidden, o.recurrent_dropout, random);
  }
}

void RecurrentSeq2Seq::make_decoder_attention(Random& random) {
  const RecurrentSeq2SeqOptions& o = options_;
  attention_ = make_attention(o.attention,
                              {.query = o.hidden,
                               .memory = encoder_->width(),
                               .coverage = o.coverage > 0,
                               .heads = o.heads,
                               .dropout = o.dropout},
                              random);
  const Index context = attention_->width();
  const Index gates = decoder_[0].input.weight.shape()[0];
  feed_.emplace(feeding_ == Feeding::context ? context : o.hidden, gates, random, false);
  if (feeding_ == Feeding::attentional)
    combine_.emplace(context + o.hidden, o.hidden, random, false);
}

void RecurrentSeq2Seq::check_copying() const {
  const RecurrentSeq2SeqOptions& o = options_;
  check(!o.copy || (attention_ && attention_->points()), "rnn",
        "expected attention that points (additive, dot, general, concat), to copy with; got '{}'",
        o.attention);
  check(o.coverage == 0 || attention_, "rnn", "expected attention, for coverage of it");
  check(!o.copy || o.source_vocabulary == 0, "rnn",
        "expected one vocabulary for both sides, so that words can be copied");
}

RecurrentSeq2Seq::RecurrentSeq2Seq(const RecurrentSeq2Seq& other, Random blank)
    : RecurrentSeq2Seq(other.options_, blank) {
  copy_parameters(const_cast<RecurrentSeq2Seq&>(other), *this);  // visits, and changes nothing
}

RecurrentSeq2Seq::RecurrentSeq2Seq(const RecurrentSeq2Seq& other)
    : RecurrentSeq2Seq(other, Random::blank()) {}

RecurrentSeq2Seq& RecurrentSeq2Seq::operator=(const RecurrentSeq2Seq& other) {
  if (!(options_ == other.options_)) return *this = RecurrentSeq2Seq(other);
  copy_parameters(const_cast<RecurrentSeq2Seq&>(other), *this);
  return *this;
}

void RecurrentSeq2Seq::visit(Visitor& v) {
  v("embedding", embedding_);
  if (source_embedding_) v("source_embedding", *source_embedding_);
  v("dropout", dropout_);
  encoder_->visit(v);
  v("bridge", bridge_);
  v("decoder", decoder_);
  if (attention_) v("decoder.attention", *attention_);
  if (feed_) v("decoder.feed", *feed_);
  if (combine_) v("decoder.combine", *combine_);
  if (gate_) v("gate", *gate_);
  v("output", output_);
  v("output_bias", output_bias_);
}

VocabularyParameters RecurrentSeq2Seq::vocabulary_parameters() const {
  VocabularyParameters result{{}, {embedding_.weight, output_, output_bias_}};
  if (source_embedding_) result.source = {source_embedding_->weight};
  return result;
}

Variable RecurrentSeq2Seq::rows_of(const Embedding& table, const Ids& ids) const {
  return table(ids, std::sqrt(static_cast<Real>(options_.d)));
}

Encoded RecurrentSeq2Seq::encode(const Sequences& source) const {
  detail::check_sequences("encode", source);
  const Embedding& table = source_embedding_ ? *source_embedding_ : embedding_;
  Encoded encoded = (*encoder_)(rows_of(table, known(source.ids)), source.spans);
  encoded.ids = source.ids;
  return encoded;
}

RecurrentSeq2Seq::Source RecurrentSeq2Seq::prepared(const Encoded& encoded) const {
  Source source{{}, encoded.spans, {}};
  if (attention_) source.memory = attention_->remember(encoded.values, encoded.spans);
  source.states = first_states(encoded);
  return source;
}

std::vector<CellState> RecurrentSeq2Seq::final_states(const Encoded& encoded) const {
  if (options_.transformer) return {{mean_rows(encoded.values, encoded.spans), {}}};
  const auto depth = static_cast<std::size_t>(options_.encoder_depth());
  check(encoded.states.size() == depth, "rnn",
        "expected a final state of the encoder for each of {} layers; got {}", depth,
        encoded.states.size());
  return encoded.states;
}

std::vector<CellState> RecurrentSeq2Seq::first_states(const Encoded& encoded) const {
  const std::vector<CellState> finals = final_states(encoded);
  const bool same_depth = finals.size() == decoder_.size();
  std::vector<CellState> states;
  for (std::size_t i = 0; i < decoder_.size(); ++i) {
    const CellState& from = same_depth ? finals[i] : finals.back();
    CellState state{from.h, {}};
    const bool has_cells = decoder_[i].has_cells();
    if (options_.bridge) {
      state.h = tanh(bridge_[i](state.h));
      if (has_cells) state.c = Tensor::zeros({state.h.rows(), options_.hidden});
    } else if (has_cells) {
      state.c = from.c;
    }
    states.push_back(std::move(state));
  }
  return states;
}

Variable RecurrentSeq2Seq::decode_without_attention(const Variable& y, const Spans& spans,
                                                    const Source& source) const {
  Variable h = y;
  for (std::size_t i = 0; i < decoder_.size(); ++i)
    h = decoder_[i](i > 0 ? dropout_(h) : h, spans, source.states[i]).y;
  return h;
}

void RecurrentSeq2Seq::step_layers(const Variable& sums, StepState& state,
                                   std::span<const Tensor> masks) const {
  for (std::size_t i = 0; i < decoder_.size(); ++i) {
    const Variable gates =
        i == 0 ? decoder_[0].normed(sums) : decoder_[i].gates(dropout_(state.states[i - 1].h));
    const Variable mask = masks.empty() ? Variable() : first_rows(masks[i], sums.rows());
    state.states[i] = decoder_[i].step(gates, state.states[i], mask);
  }
}

Variable RecurrentSeq2Seq::decode_step(const Variable& input_sums, StepState& state,
                                       const Source& source, const Spans& keys,
                                       std::span<const Tensor> masks,
                                       const AttendOptions& asked) const {
  const Index n = input_sums.rows();
  AttendOptions attend = asked;
  Variable weights;
  attend.covered = state.covered;
  if (options_.coverage > 0 && !attend.flat_weights) attend.flat_weights = &weights;
  Variable sums = input_sums;
  Variable context;
  if (feeding_ == Feeding::context) {
    context = attention_->attend(state.states.back().h, ones(n), source.memory, keys, attend);
    sums = sums + (*feed_)(context);
  } else if (state.attentional.defined()) {  // before the first step there is none
    sums = sums + (*feed_)(state.attentional);
  }
  step_layers(sums, state, masks);
  const Variable& h = state.states.back().h;
  if (feeding_ == Feeding::nothing) return h;
  if (feeding_ == Feeding::attentional) {
    context = attention_->attend(h, ones(n), source.memory, keys, attend);
    state.attentional = tanh((*combine_)(concat({context, h}, 1)));
  }
  if (options_.coverage > 0) {
    const Variable& latest = *attend.flat_weights;
    state.covered = state.covered.defined() ? state.covered + latest : latest;
  }
  return feeding_ == Feeding::context ? concat({h, context}, 1) : state.attentional;
}

RecurrentSeq2Seq::StepState RecurrentSeq2Seq::start_targets(const Source& source,
                                                            std::span<const Index> sequences,
                                                            std::vector<Tensor>& masks) const {
  const auto count = static_cast<Index>(sequences.size());
  StepState state;
  for (std::size_t i = 0; i < decoder_.size(); ++i) {
    state.states.push_back(source.states[i].select(sequences));
    const Dropout& drop = decoder_[i].dropout;
    if (!drop.drops()) continue;
    const Tensor full = Tensor::full({count, options_.hidden}, 1);
    masks.push_back(sequence_dropout(full, ones(count), drop.p, step_random().next_key()).value());
  }
  return state;
}

RecurrentSeq2Seq::Decoded RecurrentSeq2Seq::decode_targets(const Variable& y,
                                                           const TimeOrder& order,
                                                           const Source& source,
                                                           std::vector<Tensor>* weights) const {
  const Spans keys = source.spans.select(order.sequences);
  const std::span<const Index> all = order.sequences;
  std::vector<Tensor> masks;
  StepState state = start_targets(source, all, masks);
  const Variable input_sums = decoder_[0].input(y);
  TargetSteps steps;
  std::vector<Tensor> step_weights;
  Index begin = 0;
  for (const Index n : order.counts) {
    const Spans active =
        n == keys.count() ? keys : source.spans.select(all.first(static_cast<std::size_t>(n)));
    keep_first(state, n, active.tokens());
    const Variable covered = state.covered;
    Variable latest;
    steps.features.emplace_back(
        decode_step(slice(input_sums, 0, begin, begin + n), state, source, active, masks,
                    {.weights = weights ? &step_weights : nullptr,
                     .flat_weights = attention_->points() ? &latest : nullptr}));
    if (weights) weights->insert(weights->end(), step_weights.begin(), step_weights.end());
    if (options_.copy) {
      steps.weights.emplace_back(latest);
      steps.sources.insert(steps.sources.end(), all.begin(), all.begin() + n);
    }
    if (options_.coverage > 0 && covered.defined())
      steps.coverage_losses.emplace_back(sum(minimum(latest, covered)));
    begin += n;
  }
  return joined(steps, source.spans);
}

void RecurrentSeq2Seq::keep_first(StepState& state, Index n, Index source_tokens) {
  for (CellState& layer : state.states)
    layer = {first_rows(layer.h, n), first_rows(layer.c, n)};
  state.attentional = first_rows(state.attentional, n);
  if (state.covered.defined()) state.covered = slice(state.covered, 0, 0, source_tokens);
}

RecurrentSeq2Seq::Decoded RecurrentSeq2Seq::joined(const TargetSteps& steps,
                                                   const Spans& sources) const {
  Decoded decoded;
  const Index width = output_.shape()[1] - (feeding_ == Feeding::context ? options_.d : 0);
  decoded.features =
      steps.features.empty() ? Variable(Tensor({0, width})) : concat(steps.features, 0);
  decoded.coverage_loss = Variable(Tensor::zeros({}));
  for (const Operand& loss : steps.coverage_losses)
    decoded.coverage_loss = decoded.coverage_loss + loss;
  if (!options_.copy) return decoded;
  decoded.weights = steps.weights.empty() ? Variable(Tensor({0})) : concat(steps.weights, 0);
  decoded.pairing = {.queries = ones(static_cast<Index>(steps.sources.size())),
                     .keys = sources.select(steps.sources)};
  return decoded;
}

Variable RecurrentSeq2Seq::copy_gate(const Variable& readout) const {
  return reshape((*gate_)(readout), {readout.rows()});
}

Variable RecurrentSeq2Seq::readout_input(const Variable& features, const Variable& y) const {
  return feeding_ == Feeding::context ? concat({features, y}, 1) : features;
}

Variable RecurrentSeq2Seq::answer_loss(const Decoded& decoded, const Variable& readout,
                                       const Ids& source, const Ids& gold,
                                       const CrossEntropy& options) const {
  if (!options_.copy) return linear_cross_entropy(readout, output_, output_bias_, gold, options);
  const Variable copied = copy_probability(decoded.weights, source, gold, decoded.pairing);
  return copy_cross_entropy(readout, output_, output_bias_, copy_gate(readout), copied, gold,
                            options);
}

namespace {

Ids in_time_order(const Ids& ids, const TimeOrder& order) {
  Ids result(order.rows.shape());
  for (Index i = 0; i < result.size(); ++i)
    result[i] = ids[order.rows[i]];
  return result;
}

/// What the sum of the losses of these gold ids is divided by.
Real divisor_of(const Ids& gold, const CrossEntropy& options) {
  if (options.divisor) return *options.divisor;
  const std::span<const Id> ids = gold.span();
  const auto counted =
      std::count_if(ids.begin(), ids.end(), [&](Id id) { return options.ignore != id; });
  return static_cast<Real>(std::max<std::ptrdiff_t>(counted, 1));
}

/// The map of each sequence, (heads, target, source), from the weights of each token in the order
/// of time, (heads, 1, source).
std::vector<Tensor> maps_of(const std::vector<Tensor>& steps, const TimeOrder& order,
                            const Spans& targets, const Spans& sources) {
  const Index heads = steps.empty() ? 1 : steps[0].shape()[0];
  std::vector<Tensor> maps;
  for (Index s = 0; s < targets.count(); ++s)
    maps.push_back(Tensor({heads, targets.length(s), sources.length(s)}));
  std::size_t next = 0;
  for (std::size_t t = 0; t < order.counts.size(); ++t) {
    for (Index i = 0; i < order.counts[t]; ++i) {
      const Tensor& step = steps[next];
      ++next;
      const Index s = order.sequences[i];
      const Index length = sources.length(s);
      for (Index head = 0; head < heads; ++head) {
        const Index row = head * targets.length(s) + static_cast<Index>(t);
        std::copy_n(step.data() + head * length, length, maps[s].data() + row * length);
      }
    }
  }
  return maps;
}

}  // namespace

Variable RecurrentSeq2Seq::loss(const Sequences& sources, const Sequences& targets,
                                const Ids& all_gold, const CrossEntropy& options) const {
  detail::check_sequences("loss", targets);
  check(all_gold.size() == targets.ids.size(), "loss", "expected a gold id for each of {}; got {}",
        targets.ids.size(), all_gold.size());
  const Source source = prepared(encode(sources));
  if (feeding_ == Feeding::nothing) {
    const Variable h = decode_without_attention(embed(targets.ids), targets.spans, source);
    return linear_cross_entropy(h, output_, output_bias_, all_gold, options);
  }
  const TimeOrder order = time_order(targets.spans);
  const Ids ids = in_time_order(targets.ids, order);
  const Ids gold = in_time_order(all_gold, order);
  const Variable y = embed(known(ids));
  const Decoded decoded = decode_targets(y, order, source, nullptr);
  const Variable loss =
      answer_loss(decoded, readout_input(decoded.features, y), sources.ids, gold, options);
  // In evaluation the loss is that of the answers alone.
  if (options_.coverage == 0 || !dropout_.active) return loss;
  return loss + decoded.coverage_loss * (options_.coverage / divisor_of(gold, options));
}

Variable RecurrentSeq2Seq::logits(const Sequences& sources, const Sequences& targets,
                                  std::vector<AttentionMap>* attention) const {
  detail::check_sequences("logits", targets);
  const Source source = prepared(encode(sources));
  if (attention) attention->clear();
  const Spans& spans = targets.spans;
  if (feeding_ == Feeding::nothing)
    return linear(decode_without_attention(embed(targets.ids), spans, source), output_,
                  output_bias_);
  const TimeOrder order = time_order(spans);
  const Variable y = embed(known(in_time_order(targets.ids, order)));
  std::vector<Tensor> steps;
  const Decoded decoded = decode_targets(y, order, source, attention ? &steps : nullptr);
  const Variable readout = readout_input(decoded.features, y);
  if (attention)
    attention->push_back({"decoder.attention", maps_of(steps, order, spans, source.spans)});
  if (!options_.copy)
    return linear(scatter_add(readout, order.rows, spans.rows()), output_, output_bias_);
  const Tensor p =
      copy_log_probabilities(linear(readout, output_, output_bias_).value(),
                             copy_gate(readout).value(), decoded.weights.value(), decoded.pairing,
                             sources.ids, copy_columns(options_.vocabulary, sources.ids));
  return scatter_add(p, order.rows, spans.rows());
}

/// Decodes by the model's own step: it has nothing to pack.
class RecurrentSeq2Seq::Steps final : public Decoder {
 public:
  explicit Steps(const RecurrentSeq2Seq& model) : model_(model) {}
  Index vocabulary() const override { return model_.vocabulary(); }
  bool copies() const override { return model_.copies(); }
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
  const RecurrentSeq2Seq& model_;
};

struct RecurrentSeq2Seq::Steps::State final : RowState {
  State(const RecurrentSeq2Seq& model, const Encoded& encoded);
  Tensor step(std::span<const Id> tokens) override;
  Index state_size() const override;

 private:
  void follow_rows();
  Tensor selected_coverage(std::span<const Index> chosen) const;

  const RecurrentSeq2Seq& model_;
  Source source_;
  StepState now_;
  // Of a model that copies:
  Ids tokens_;  // of the sources
  Index columns_ = 0;
};

std::unique_ptr<DecoderState> RecurrentSeq2Seq::Steps::start(const Encoded& encoded) const {
  return std::make_unique<State>(model_, encoded);
}

RecurrentSeq2Seq::Steps::State::State(const RecurrentSeq2Seq& model, const Encoded& encoded)
    : RowState(encoded.spans.count()), model_(model) {
  const Tape::Pause pause;
  const NoDropout evaluate;
  detail::check_encoded(encoded, model.encoder_->width());
  source_ = model.prepared(encoded);
  now_.states = std::move(source_.states);
  follow_rows();
  if (!model.options_.copy) return;
  detail::check_copied(encoded);
  tokens_ = encoded.ids;
  columns_ = copy_columns(model.options_.vocabulary, tokens_);
}

void RecurrentSeq2Seq::Steps::State::follow_rows() {
  follow([this](std::span<const Index> chosen) {
    const Tape::Pause pause;
    for (CellState& state : now_.states)
      state = state.select(chosen);
    now_.attentional = CellState{now_.attentional, {}}.select(chosen).h;
    if (now_.covered.defined()) now_.covered = selected_coverage(chosen);
  });
}

Index RecurrentSeq2Seq::Steps::State::state_size() const {
  const auto size_of = [](const Variable& x) { return x.defined() ? x.value().size() : 0; };
  Index size = size_of(source_.memory.keys) + size_of(now_.attentional) + size_of(now_.covered);
  // Where values are no others than the keys they are kept once.
  if (source_.memory.values.defined() &&
      source_.memory.values.value().data() != source_.memory.keys.value().data())
    size += size_of(source_.memory.values);
  for (const CellState& layer : now_.states)
    size += size_of(layer.h) + size_of(layer.c);
  return size;
}

/// Coverage of each row, as long as its source, one row after the other.
Tensor RecurrentSeq2Seq::Steps::State::selected_coverage(std::span<const Index> chosen) const {
  std::vector<Index> begins{0};  // of each row's part
  for (const Index i : source())
    begins.push_back(begins.back() + source_.spans.length(i));
  Index size = 0;
  for (const Index row : chosen)
    size += begins[row + 1] - begins[row];
  Tensor next({size});
  Real* to = next.data();
  for (const Index row : chosen)
    to = std::copy(now_.covered.data() + begins[row], now_.covered.data() + begins[row + 1], to);
  return next;
}

Tensor RecurrentSeq2Seq::Steps::State::step(std::span<const Id> tokens) {
  const Tape::Pause pause;
  const NoDropout evaluate;
  detail::check_tokens(tokens, rows());
  if (rows() == 0) return Tensor({0, model_.options_.vocabulary});
  const Variable y = model_.embed(model_.known(Ids({rows()}, tokens)));
  const Spans keys = source_.spans.select(source());
  Variable weights;
  const Variable features =
      model_.decode_step(model_.decoder_[0].input(y), now_, source_, keys, {},
                         {.flat_weights = model_.options_.copy ? &weights : nullptr});
  const Variable readout = model_.readout_input(features, y);
  const Variable scores = linear(readout, model_.output_, model_.output_bias_);
  if (!model_.options_.copy) return scores.value();
  return copy_log_probabilities(scores.value(), model_.copy_gate(readout).value(), weights.value(),
                                {.queries = ones(rows()), .keys = keys}, tokens_, columns_);
}

std::unique_ptr<const Decoder> RecurrentSeq2Seq::decoder() const {
  return std::make_unique<Steps>(*this);
}

std::unique_ptr<Encoder> make_encoder(const RecurrentSeq2SeqOptions& o, Random& random) {
  return std::make_unique<RecurrentEncoder>(encoder_options(resolved(o)), random);
}

}  // namespace heed
