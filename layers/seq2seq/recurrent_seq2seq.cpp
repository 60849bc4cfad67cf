#include "layers/seq2seq/recurrent_seq2seq.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "layers/attention/family.h"
#include "layers/seq2seq/checks.h"

namespace heed {

namespace {

RecurrentSeq2SeqOptions resolved(RecurrentSeq2SeqOptions o) {
  check_argument(o.vocabulary >= first_free_id, "rnn", "vocabulary", o.vocabulary,
                 "of at least {}, the marks among them", first_free_id);
  check_argument(o.layers >= 1, "rnn", "layers", o.layers, "of at least 1");
  if (o.hidden == 0) o.hidden = o.d;
  if (o.encoder_hidden == 0) {
    check_argument(!o.bidirectional || o.hidden % 2 == 0, "rnn", "hidden", o.hidden,
                   "of an even number, for two directions");
    o.encoder_hidden = o.bidirectional ? o.hidden / 2 : o.hidden;
  }
  return o;
}

Index memory_width(const RecurrentSeq2SeqOptions& o) {
  return o.encoder_hidden * (o.bidirectional ? 2 : 1);
}

Spans ones(Index n) {
  const std::vector<Index> lengths(static_cast<std::size_t>(n), 1);
  return Spans::packed(lengths);
}

Variable first_rows(const Variable& x, Index n) {
  return !x.defined() || x.rows() == n ? x : slice(x, 0, 0, n);
}

}  // namespace

RecurrentSeq2Seq::RecurrentSeq2Seq(const RecurrentSeq2SeqOptions& given, Random& random)
    : options_(resolved(given)),
      feeding_(given.attention.empty()         ? Feeding::nothing
               : given.attention == "additive" ? Feeding::context
                                               : Feeding::attentional),
      embedding_(options_.vocabulary, options_.d, random),
      dropout_(options_.dropout),
      encoder_({.cell = options_.cell,
                .in = options_.d,
                .hidden = options_.encoder_hidden,
                .layers = options_.layers,
                .bidirectional = options_.bidirectional,
                .dropout = options_.dropout,
                .recurrent_dropout = options_.recurrent_dropout},
               random) {
  const RecurrentSeq2SeqOptions& o = options_;
  const Index memory = memory_width(o);
  if (o.source_vocabulary > 0) source_embedding_.emplace(o.source_vocabulary, o.d, random);
  check(o.bridge || memory == o.hidden, "rnn",
        "expected an encoder as wide as the decoder, to start without a bridge; got {} and {}",
        memory, o.hidden);
  for (int i = 0; i < o.layers; ++i) {
    if (o.bridge) bridge_.emplace_back(memory, o.hidden, random);
    decoder_.emplace_back(o.cell, i == 0 ? o.d : o.hidden, o.hidden, o.recurrent_dropout, random);
  }
  Index features = o.hidden;
  if (feeding_ != Feeding::nothing) {
    attention_ = make_attention(o.attention,
                                {.query = o.hidden,
                                 .memory = memory,
                                 .coverage = o.coverage > 0,
                                 .heads = o.heads,
                                 .dropout = o.dropout},
                                random);
    const Index context = attention_->width();
    feed_.emplace(feeding_ == Feeding::context ? context : o.hidden,
                  decoder_[0].input.weight.shape()[0], random, false);
    if (feeding_ == Feeding::attentional)
      combine_.emplace(context + o.hidden, o.hidden, random, false);
    if (feeding_ == Feeding::context) features = o.hidden + context + o.d;
  }
  check(!o.copy || (attention_ && attention_->points()), "rnn",
        "expected attention that points (additive, dot, general, concat), to copy with; got '{}'",
        o.attention);
  check(o.coverage == 0 || attention_, "rnn", "expected attention, for coverage of it");
  check(!o.copy || o.source_vocabulary == 0, "rnn",
        "expected one vocabulary for both sides, so that words can be copied");
  if (o.copy) gate_.emplace(features, 1, random);
  output_ = o.tied && features == o.d ? embedding_.weight.share()
                                      : Parameter(xavier_uniform({o.vocabulary, features}, random));
  output_bias_ = Parameter(zeros({o.vocabulary}));
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
  v("encoder", encoder_);
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

Variable RecurrentSeq2Seq::embed(const Embedding& table, const Ids& ids) const {
  return dropout_(table(ids, std::sqrt(static_cast<Real>(options_.d))));
}

RecurrentSeq2Seq::Source RecurrentSeq2Seq::read(const Sequences& source) const {
  detail::check_sequences("read", source);
  const Recurrent::Output encoded = encoder_(
      embed(source_embedding_ ? *source_embedding_ : embedding_, known(source.ids)), source.spans);
  Source result{{}, source.spans, {}};
  if (attention_) result.memory = attention_->remember(encoded.y, source.spans);
  const auto joined = [&](std::size_t layer, Variable CellState::*part) -> Variable {
    return options_.bidirectional
               ? concat({encoded.forward[layer].*part, encoded.backward[layer].*part}, 1)
               : encoded.forward[layer].*part;
  };
  for (std::size_t i = 0; i < decoder_.size(); ++i) {
    const bool cells = decoder_[i].has_cells();
    const Variable last = joined(i, &CellState::h);
    if (!options_.bridge)
      result.states.push_back({last, cells ? joined(i, &CellState::c) : Variable()});
    else
      result.states.push_back(
          {tanh(bridge_[i](last)),
           cells ? Variable(Tensor::zeros({last.rows(), options_.hidden})) : Variable()});
  }
  return result;
}

Variable RecurrentSeq2Seq::run(const Variable& y, const Spans& spans, const Source& source) const {
  Variable h = y;
  for (std::size_t i = 0; i < decoder_.size(); ++i)
    h = decoder_[i](i > 0 ? dropout_(h) : h, spans, source.states[i]).y;
  return h;
}

Variable RecurrentSeq2Seq::advance(const Variable& share, Running& running, const Source& source,
                                   const Spans& keys, std::span<const Tensor> masks,
                                   const AttendOptions& asked) const {
  const Index n = share.rows();
  AttendOptions attend = asked;
  Variable weights;
  attend.covered = running.covered;
  if (options_.coverage > 0 && !attend.pairs) attend.pairs = &weights;
  Variable sums = share;
  Variable context;
  if (feeding_ == Feeding::context) {
    context = attention_->attend(running.states.back().h, ones(n), source.memory, keys, attend);
    sums = sums + (*feed_)(context);
  } else if (running.attentional.defined()) {  // before the first step there is none
    sums = sums + (*feed_)(running.attentional);
  }
  for (std::size_t i = 0; i < decoder_.size(); ++i) {
    const Variable gates =
        i == 0 ? decoder_[0].normed(sums) : decoder_[i].gates(dropout_(running.states[i - 1].h));
    running.states[i] = decoder_[i].step(gates, running.states[i],
                                         masks.empty() ? Variable() : first_rows(masks[i], n));
  }
  const Variable& h = running.states.back().h;
  if (feeding_ == Feeding::nothing) return h;
  if (feeding_ == Feeding::attentional) {
    context = attention_->attend(h, ones(n), source.memory, keys, attend);
    running.attentional = tanh((*combine_)(concat({context, h}, 1)));
  }
  if (options_.coverage > 0)
    running.covered = running.covered.defined() ? running.covered + *attend.pairs : *attend.pairs;
  return feeding_ == Feeding::context ? concat({h, context}, 1) : running.attentional;
}

RecurrentSeq2Seq::Walk RecurrentSeq2Seq::walk(const Variable& y, const TimeOrder& order,
                                              const Source& source,
                                              std::vector<Tensor>* weights) const {
  const Spans keys = source.spans.select(order.sequences);
  const std::span<const Index> all = order.sequences;
  std::vector<Tensor> masks;
  Running running;
  for (std::size_t i = 0; i < decoder_.size(); ++i) {
    running.states.push_back(source.states[i].select(all));
    if (const Dropout& drop = decoder_[i].dropout; drop.drops()) {
      const Index count = keys.count();
      masks.push_back(sequence_dropout(Tensor::full({count, options_.hidden}, 1), ones(count),
                                       drop.p, step_random().next_key())
                          .value());
    }
  }
  const Variable shares = decoder_[0].input(y);
  std::vector<Operand> steps;
  std::vector<Operand> pairs;
  std::vector<Operand> repeated;
  std::vector<Tensor> step_weights;
  std::vector<Index> sources;  // of each token
  Index begin = 0;
  for (const Index n : order.counts) {
    for (CellState& state : running.states)
      state = {first_rows(state.h, n), first_rows(state.c, n)};
    running.attentional = first_rows(running.attentional, n);
    const Spans active =
        n == keys.count() ? keys : source.spans.select(all.first(static_cast<std::size_t>(n)));
    if (running.covered.defined()) running.covered = slice(running.covered, 0, 0, active.tokens());
    const Variable before = running.covered;
    Variable seen;
    steps.emplace_back(advance(slice(shares, 0, begin, begin + n), running, source, active, masks,
                               {.weights = weights ? &step_weights : nullptr,
                                .pairs = attention_->points() ? &seen : nullptr}));
    if (weights) weights->insert(weights->end(), step_weights.begin(), step_weights.end());
    if (options_.copy) {
      pairs.emplace_back(seen);
      sources.insert(sources.end(), all.begin(), all.begin() + n);
    }
    if (options_.coverage > 0 && before.defined())
      repeated.emplace_back(sum(minimum(seen, before)));
    begin += n;
  }
  Walk walk;
  const Index width = output_.shape()[1] - (feeding_ == Feeding::context ? options_.d : 0);
  walk.features = steps.empty() ? Variable(Tensor({0, width})) : concat(steps, 0);
  walk.repeated = Variable(Tensor::zeros({}));
  for (const Operand& term : repeated)
    walk.repeated = walk.repeated + term;
  if (!options_.copy) return walk;
  walk.weights = pairs.empty() ? Variable(Tensor({0})) : concat(pairs, 0);
  walk.pairing = {.queries = ones(begin), .keys = source.spans.select(sources)};
  return walk;
}

Variable RecurrentSeq2Seq::open(const Variable& readout) const {
  return reshape((*gate_)(readout), {readout.rows()});
}

Variable RecurrentSeq2Seq::readout_input(const Variable& features, const Variable& y) const {
  return feeding_ == Feeding::context ? concat({features, y}, 1) : features;
}

Variable RecurrentSeq2Seq::loss(const Batch& batch, const CrossEntropy& options) const {
  detail::check_sequences("loss", batch.target);
  check(batch.gold.size() == batch.target.ids.size(), "loss",
        "expected a gold id for each of {}; got {}", batch.target.ids.size(), batch.gold.size());
  const Source source = read(batch.source);
  if (feeding_ == Feeding::nothing) {
    const Variable h = run(embed(embedding_, batch.target.ids), batch.target.spans, source);
    return linear_cross_entropy(h, output_, output_bias_, batch.gold, options);
  }
  const TimeOrder order = time_order(batch.target.spans);
  Ids ids(order.rows.shape());
  Ids gold(order.rows.shape());
  for (Index i = 0; i < ids.size(); ++i) {
    ids[i] = batch.target.ids[order.rows[i]];
    gold[i] = batch.gold[order.rows[i]];
  }
  const Variable y = embed(embedding_, known(ids));
  const Walk walked = walk(y, order, source, nullptr);
  const Variable readout = readout_input(walked.features, y);
  Variable loss;
  if (options_.copy) {
    const Variable copied =
        copy_probability(walked.weights, batch.source.ids, gold, walked.pairing);
    loss = copy_cross_entropy(readout, output_, output_bias_, open(readout), copied, gold, options);
  } else {
    loss = linear_cross_entropy(readout, output_, output_bias_, gold, options);
  }
  // in evaluation the loss is that of the answers alone
  if (options_.coverage == 0 || !dropout_.active) return loss;
  const std::span<const Id> answers = std::as_const(gold).span();  // backward reads them: no change
  const auto counted =
      std::count_if(answers.begin(), answers.end(), [&](Id id) { return options.ignore != id; });
  const auto rows = static_cast<Real>(std::max<std::ptrdiff_t>(counted, 1));
  const Real divisor = options.divisor.value_or(rows);
  return loss + walked.repeated * (options_.coverage / divisor);
}

Variable RecurrentSeq2Seq::logits(const Batch& batch, std::vector<AttentionMap>* attention) const {
  detail::check_sequences("logits", batch.target);
  const Source source = read(batch.source);
  if (attention) attention->clear();
  const Spans& spans = batch.target.spans;
  if (feeding_ == Feeding::nothing)
    return linear(run(embed(embedding_, batch.target.ids), spans, source), output_, output_bias_);
  const TimeOrder order = time_order(spans);
  Ids ids(order.rows.shape());
  for (Index i = 0; i < ids.size(); ++i)
    ids[i] = batch.target.ids[order.rows[i]];
  const Variable y = embed(embedding_, known(ids));
  std::vector<Tensor> steps;  // of each row, in the order of time: (heads, 1, source)
  const Walk walked = walk(y, order, source, attention ? &steps : nullptr);
  const Variable readout = readout_input(walked.features, y);
  if (attention) {
    AttentionMap& map = attention->emplace_back(AttentionMap{
        "decoder.attention", std::vector<Tensor>(static_cast<std::size_t>(spans.count()))});
    for (Index s = 0; s < spans.count(); ++s)
      map.weights[s] = Tensor(
          {steps.empty() ? 1 : steps[0].shape()[0], spans.length(s), source.spans.length(s)});
    auto step = steps.begin();
    for (std::size_t t = 0; t < order.counts.size(); ++t)
      for (Index i = 0; i < order.counts[t]; ++i, ++step) {
        Tensor& whole = map.weights[order.sequences[i]];
        const Index targets = whole.shape()[1];
        const Index sources = whole.shape()[2];
        for (Index head = 0; head < whole.shape()[0]; ++head)
          std::copy_n(step->data() + head * sources, sources,
                      whole.data() + (head * targets + static_cast<Index>(t)) * sources);
      }
  }
  if (!options_.copy)
    return linear(scatter_add(readout, order.rows, spans.rows()), output_, output_bias_);
  const Tensor p = copy_log_probabilities(
      linear(readout, output_, output_bias_).value(), open(readout).value(), walked.weights.value(),
      walked.pairing, batch.source.ids, copy_columns(options_.vocabulary, batch.source.ids));
  return scatter_add(p, order.rows, spans.rows());
}

namespace {

struct State : DecoderState {
  Index rows() const override { return static_cast<Index>(sentence.size()); }
  void select(std::span<const Index> chosen) override {
    detail::check_selected("select", chosen, rows());
    for (CellState& state : states)
      state = state.select(chosen);
    if (attentional.defined()) attentional = CellState{attentional, {}}.select(chosen).h;
    std::vector<Index> sentences;
    for (Index row : chosen)
      sentences.push_back(sentence[row]);
    if (covered.defined()) {
      std::vector<Index> begins{0};  // of each row's part
      for (Index of : sentence)
        begins.push_back(begins.back() + spans.length(of));
      Index size = 0;
      for (Index of : sentences)
        size += spans.length(of);
      Tensor next({size});
      Real* to = next.data();
      for (Index row : chosen)
        to = std::copy(covered.data() + begins[row], covered.data() + begins[row + 1], to);
      covered = next;
    }
    sentence = std::move(sentences);
  }
  Memory memory;
  Spans spans;
  std::vector<CellState> states;
  Variable attentional;
  Tensor covered;               // each row's part, as long as its source, after the other
  std::vector<Index> sentence;  // of each row
  Ids tokens;                   // of the source, of a model that copies
  Index columns = 0;
};

}  // namespace

std::unique_ptr<DecoderState> RecurrentSeq2Seq::start(const Sequences& source) const {
  const Tape::Pause pause;
  const NoDropout evaluate;
  Source read_source = read(source);
  auto state = std::make_unique<State>();
  state->memory = read_source.memory;
  state->spans = read_source.spans;
  state->states = read_source.states;
  state->sentence.resize(static_cast<std::size_t>(source.spans.count()));
  std::iota(state->sentence.begin(), state->sentence.end(), Index{0});
  if (options_.copy) {
    state->tokens = source.ids;
    state->columns = copy_columns(options_.vocabulary, source.ids);
  }
  return state;
}

Tensor RecurrentSeq2Seq::step(DecoderState& decoder_state, std::span<const Id> tokens) const {
  const Tape::Pause pause;
  const NoDropout evaluate;
  auto& state = dynamic_cast<State&>(decoder_state);
  const Index rows = state.rows();
  check(static_cast<Index>(tokens.size()) == rows, "step",
        "expected a token for each of {} rows; got {}", rows, tokens.size());
  if (rows == 0) return Tensor({0, options_.vocabulary});
  const Variable y = embed(embedding_, known(Ids({rows}, tokens)));
  Running running{std::move(state.states), std::move(state.attentional),
                  state.covered.defined() ? Variable(state.covered) : Variable()};
  const Source source{state.memory, state.spans, {}};
  const Spans keys = state.spans.select(state.sentence);
  Variable weights;
  const Variable features = advance(decoder_[0].input(y), running, source, keys, {},
                                    {.pairs = options_.copy ? &weights : nullptr});
  state.states = std::move(running.states);
  state.attentional = std::move(running.attentional);
  if (running.covered.defined()) state.covered = running.covered.value();
  const Variable readout = readout_input(features, y);

  const Variable scores = linear(readout, output_, output_bias_);
  if (!options_.copy) return scores.value();
  return copy_log_probabilities(scores.value(), open(readout).value(), weights.value(),
                                {.queries = ones(rows), .keys = keys}, state.tokens, state.columns);
}

}  // namespace heed
