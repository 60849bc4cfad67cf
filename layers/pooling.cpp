#include "layers/pooling.h"

namespace heed {

AttentionPooling::AttentionPooling(Index d, Index hidden, Random& random)
    : key(d, hidden, random), energy(xavier_uniform({1, hidden}, random).reshape({hidden})) {}

Variable AttentionPooling::operator()(const Operand& x, const Spans& spans,
                                      std::vector<Tensor>* weights) const {
  const std::vector<Index> one_each(static_cast<std::size_t>(spans.count()), 1);
  const Pairing pairing{.queries = Spans::packed(one_each), .keys = spans};
  // b is the query: what is added to each W x_i.
  const Tensor no_query = Tensor::zeros({spans.count(), energy.shape()[0]});
  const Variable scores = additive_scores({no_query, x.where()}, key(x), energy, pairing);
  const Variable shares = scores_softmax({scores, x.where()}, pairing);
  if (weights) *weights = split(shares.value(), pairing);
  return weighted_values({shares, x.where()}, x, pairing);
}

namespace {

using Pool = Variable (*)(const Operand& x, const Spans& spans);

/// Without parameters and weights.
template <Pool pool>
struct PlainPooling : Pooling {
  void visit(Visitor&) override {}
  Variable operator()(const Operand& x, const Spans& spans,
                      std::vector<Tensor>* weights) const override {
    if (weights) weights->clear();
    return pool(x, spans);
  }
};

template <Pool pool>
std::unique_ptr<Pooling> plain(const PoolingOptions&, Random&) {
  return std::make_unique<PlainPooling<pool>>();
}

std::unique_ptr<Pooling> attention_pooling(const PoolingOptions& o, Random& random) {
  return std::make_unique<AttentionPooling>(o.d, o.hidden > 0 ? o.hidden : o.d, random);
}

}  // namespace

Registry<PoolingKind>& poolings() {
  static Registry<PoolingKind> table(
      "pooling",
      {{.name = "mean", .help = "the mean of all rows", .paper = "", .make = plain<mean_rows>},
       {.name = "max",
        .help = "the largest number of each column",
        .paper = "Collobert et al. 2011",
        .make = plain<max_rows>},
       {.name = "first",
        .help = "the first row, as of a token that stands for the whole",
        .paper = "Devlin et al. 2019",
        .make = plain<first_rows>},
       {.name = "last",
        .help = "the last row, as of a recurrent network",
        .paper = "Sutskever et al. 2014",
        .is_last = true,
        .make = plain<last_rows>},
       {.name = "attention",
        .help = "a mean that a learned query weights",
        .paper = "Yang et al. 2016",
        .has_weights = true,
        .make = attention_pooling}});
  return table;
}

std::unique_ptr<Pooling> make_pooling(std::string_view name, const PoolingOptions& options,
                                      Random& random) {
  check_argument(options.d >= 1, "pooling", "d", options.d, "of at least 1");
  check_argument(options.hidden >= 0, "pooling", "hidden", options.hidden, "of at least 0");
  return poolings().at(name).make(options, random);
}

}  // namespace heed
