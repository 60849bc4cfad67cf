#include <cmath>

#include "tests/framework/ops_table/compositions.h"

// Fused ops on rows, from plain ones: norms, softmaxes, losses, dropout, elementwise functions,
// products with a bias.

namespace heed::test {

namespace {

struct Rows {
  const char* what;
  Index m;
  Index n;
};

Ids some_ids(Index count, Index extent) {
  Ids ids({count});
  for (Index i = 0; i < count; ++i)
    ids[i] = static_cast<Id>((i * 7919 + 3) % extent);
  return ids;
}

Variable composed_softmax(const Variable& x) {
  const Variable e = exp(x - max(x, {-1}, true).detach());
  return e / sum(e, {-1}, true);
}
Variable composed_log_softmax(const Variable& x) {
  const Variable shifted = x - max(x, {-1}, true).detach();
  return shifted - log(sum(exp(shifted), {-1}, true));
}

/// -sum_c q_c log p_c, a mean over the rows whose gold is not `ignore`.
Variable composed_cross_entropy(const Variable& logits, const Ids& gold, const CrossEntropy& o) {
  const Variable logs = composed_log_softmax(logits);
  const Variable rows =
      pick(logs, gold) * (o.label_smoothing - 1) - mean(logs, {1}) * o.label_smoothing;
  Tensor counts = Tensor::full({gold.size()}, 1);
  Index counted = 0;
  for (Index i = 0; i < gold.size(); ++i) {
    if (o.ignore && gold[i] == *o.ignore) counts[i] = 0;
    counted += counts[i] > 0;
  }
  return sum(rows * counts) / o.divisor.value_or(static_cast<Real>(std::max<Index>(counted, 1)));
}

void add_norms(std::vector<Composition>& t, const std::vector<Rows>& rows) {
  const auto composed_norm = [](Xs x) {
    const Variable centred = x[0] - mean(x[0], {-1}, true);
    return centred / sqrt(mean(square(centred), {-1}, true) + 1e-5) * x[1] + x[2];
  };
  for (const auto& [what, m, n] : rows) {
    // Rows of one number need a wider tolerance.
    const double factor = n == 1 ? 1000 : 4;
    t.push_back(within(
        factor,
        {"layer_norm", what, {{m, n}, {n}, {n}}, OP(layer_norm(x[0], x[1], x[2])), composed_norm}));
    t.push_back(within(factor, {"rms_norm",
                                what,
                                {{m, n}, {n}},
                                OP(rms_norm(x[0], x[1])),
                                OP(x[0] / sqrt(mean(square(x[0]), {-1}, true) + 1e-5) * x[1])}));
    t.push_back({"variance",
                 what,
                 {{m, n}},
                 OP(variance(x[0], {-1})),
                 OP(mean(square(x[0] - mean(x[0], {-1}, true)), {-1}))});
  }
}

void add_softmaxes(std::vector<Composition>& t, const std::vector<Rows>& rows) {
  for (const auto& [what, m, n] : rows) {
    t.push_back({"softmax", what, {{m, n}}, OP(softmax(x[0])), OP(composed_softmax(x[0]))});
    t.push_back(
        {"log_softmax", what, {{m, n}}, OP(log_softmax(x[0])), OP(composed_log_softmax(x[0]))});
    for (const CrossEntropy& o :
         {CrossEntropy{}, CrossEntropy{.label_smoothing = Real(0.1), .ignore = 3}}) {
      const Ids gold = some_ids(m, n);
      t.push_back({"cross_entropy",
                   fmt::format("{}{}", what, o.ignore ? ", smoothed" : ""),
                   {{m, n}},
                   [=](Xs x) { return cross_entropy(x[0], gold, o); },
                   [=](Xs x) { return composed_cross_entropy(x[0], gold, o); }});
    }
  }
}

void add_divergences(std::vector<Composition>& t, const std::vector<Rows>& rows) {
  for (const auto& [what, m, n] : rows)
    t.push_back({"symmetric_kl",
                 what,
                 {{m, n}, {m, n}},
                 [gold = some_ids(m, n)](Xs x) { return symmetric_kl(x[0], x[1], gold); },
                 [](Xs x) {
                   const Variable p = composed_log_softmax(x[0]);
                   const Variable q = composed_log_softmax(x[1]);
                   return mean(sum((exp(p) - exp(q)) * (p - q), {1})) * Real(0.5);
                 }});
}

struct Classes {
  const char* what;
  Index rows;
  Index d;
  Index classes;
};

void add_linear_cross_entropy(std::vector<Composition>& t, const Classes& size) {
  const auto& [what, n, d, classes] = size;
  const Ids gold = some_ids(n, classes);
  for (const CrossEntropy& o :
       {CrossEntropy{.label_smoothing = Real(0.1), .ignore = 3}, CrossEntropy{.divisor = 7}}) {
    const auto fused = [=](Xs x) { return linear_cross_entropy(x[0], x[1], x[2], gold, o); };
    const auto composed = [=](Xs x) {
      return composed_cross_entropy(matmul(x[0], x[1], {.b = true}) + x[2], gold, o);
    };
    t.push_back(within(4, {"linear_cross_entropy",
                           o.ignore ? fmt::format("{}, smoothed", what) : what,
                           {{n, d}, {classes, d}, {classes}},
                           fused,
                           composed}));
  }
}

void add_copy_cross_entropy(std::vector<Composition>& t, const Classes& size) {
  const auto& [what, n, d, classes] = size;
  const Ids gold = some_ids(n, classes);
  const auto fused = [=](Xs x) {
    return copy_cross_entropy(x[0], x[1], x[2], x[3], x[4], gold, {.label_smoothing = Real(0.1)});
  };
  const auto composed = [=](Xs x) {
    const Variable logs = composed_log_softmax(matmul(x[0], x[1], {.b = true}) + x[2]);
    const Variable g = sigmoid(x[3]);
    const Variable p = g * exp(pick(logs, gold)) + (1 - g) * x[4];
    return mean(log(p)) * Real(-0.9) - mean(logs) * Real(0.1);
  };
  t.push_back(drawn(0.1, 1,
                    within(4, {"copy_cross_entropy",
                               what,
                               {{n, d}, {classes, d}, {classes}, {n}, {n}},
                               fused,
                               composed})));
}

void add_output_layers(std::vector<Composition>& t, const std::vector<Classes>& all) {
  for (const Classes& size : all) {
    add_linear_cross_entropy(t, size);
    add_copy_cross_entropy(t, size);
  }
}

void add_dropouts(std::vector<Composition>& t, const std::vector<Rows>& rows) {
  const RandomKey key{5, 7};
  const Real p = Real(0.3);
  for (const auto& [what, m, n] : rows) {
    const Tensor ones = Tensor::full({m, n}, 1);
    t.push_back({"dropout",
                 what,
                 {{m, n}},
                 [=](Xs x) { return dropout(x[0], p, key); },
                 [=](Xs x) { return x[0] * dropout(ones, p, key); }});
    t.push_back({"add_dropout",
                 what,
                 {{m, n}, {m, n}},
                 [=](Xs x) { return add_dropout(x[0], x[1], p, key); },
                 [=](Xs x) { return x[0] + dropout(x[1], p, key); }});
    t.push_back({"relu_dropout",
                 what,
                 {{m, n}},
                 [=](Xs x) { return relu_dropout(x[0], p, key); },
                 [=](Xs x) { return dropout(relu(x[0]), p, key); }});
  }
}

void add_feed_forward(std::vector<Composition>& t, const Rows& size) {
  const auto& [what, m, n] = size;
  const auto fused =
      OP(feed_forward(x[0], x[1], x[2], x[3], x[4], Activation::gelu, Real(0.1), {7, 5}));
  const auto composed = [](Xs x) {
    const Variable hidden = gelu(linear(x[0], x[1], x[2]));
    return linear(dropout(hidden, Real(0.1), {7, 5}), x[3], x[4]);
  };
  t.push_back(
      within(4, {"feed_forward", what, {{m, n}, {19, n}, {19}, {7, 19}, {7}}, fused, composed}));
}

void add_weight_norm(std::vector<Composition>& t, const Rows& size) {
  const auto fused = OP(weight_norm(x[0], x[1]));
  const auto composed = [m = size.m](Xs x) {
    return reshape(x[1], {m, 1}) * x[0] / sqrt(sum(square(x[0]), {1}, true));
  };
  t.push_back(
      drawn(0.1, 1,
            within(4, {"weight_norm", size.what, {{size.m, size.n}, {size.m}}, fused, composed})));
}

/// Functions of one number.
void add_functions(std::vector<Composition>& t, const std::vector<Rows>& rows) {
  for (const Rows& size : rows) {
    const auto& [what, m, n] = size;
    const std::vector<Shape> one{{m, n}};
    t.push_back({"sigmoid", what, one, OP(sigmoid(x[0])), OP(1 / (1 + exp(-x[0])))});
    t.push_back({"gelu", what, one, OP(gelu(x[0])), [](Xs x) {
                   const Variable inside = x[0] + power(x[0], 3) * 0.044715;
                   return x[0] * 0.5 * (1 + tanh(inside * 0.7978845608028654));
                 }});
    add_feed_forward(t, size);
    t.push_back({"silu", what, one, OP(silu(x[0])), OP(x[0] * sigmoid(x[0]))});
    t.push_back({"softplus", what, one, OP(softplus(x[0])), OP(log(1 + exp(x[0])))});
    t.push_back({"add_scaled",
                 what,
                 {{m, n}, {m, n}},
                 OP(add_scaled(x[0], x[1], Real(0.7))),
                 OP((x[0] + x[1]) * Real(0.7))});
    t.push_back({"glu", what, {{m, 2 * n}}, OP(glu(x[0])), [n = size.n](Xs x) {
                   return slice(x[0], 1, 0, n) * sigmoid(slice(x[0], 1, n, 2 * n));
                 }});
    if (m > 0 && n > 0) add_weight_norm(t, size);
  }
}

struct Product {
  const char* what;
  Index rows;
  Index in;
  Index out;
};

void add_products(std::vector<Composition>& t, const std::vector<Product>& all) {
  for (const auto& [what, m, k, n] : all)
    t.push_back(within(4, {"linear",
                           what,
                           {{m, k}, {n, k}, {n}},
                           OP(linear(x[0], x[1], x[2])),
                           OP(matmul(x[0], x[1], {.b = true}) + x[2])}));
}

void add_tables(std::vector<Composition>& t, const std::vector<Rows>& tables, Index count) {
  for (const auto& [what, n, d] : tables) {
    const Ids ids = some_ids(count, n);
    t.push_back({"embedding",
                 what,
                 {{n, d}},
                 [ids](Xs x) { return embedding(ids, x[0], 3); },
                 [ids](Xs x) { return gather(x[0], ids) * 3; }});
  }
}

}  // namespace

void add_row_compositions(std::vector<Composition>& t, bool small) {
  if (small) {
    const std::vector<Rows> rows = {{"one element", 1, 1},
                                    {"one row", 1, 64},
                                    {"odd width", 7, 19},
                                    {"many rows", 200, 33},
                                    {"no rows", 0, 5}};
    add_norms(t, rows);
    add_dropouts(t, rows);
    add_functions(t, rows);
    add_softmaxes(
        t, {{"one element", 1, 1}, {"odd width", 7, 19}, {"wide", 3, 1000}, {"many rows", 200, 5}});
    add_divergences(t, {{"odd width", 7, 19}, {"wide", 3, 1000}, {"many rows", 200, 5}});
    add_output_layers(
        t, {{"one row", 1, 4, 5}, {"odd widths", 7, 19, 33}, {"several blocks", 700, 8, 5000}});
    add_products(t, {{"one row", 1, 3, 5},
                     {"odd widths", 7, 19, 33},
                     {"no rows", 0, 4, 5},
                     {"tasks", 300, 64, 200}});
    add_tables(t, {{"odd width", 5, 19}, {"one row", 1, 64}}, 12);
  } else {
    const std::vector<Rows> rows = {
        {"tiny", 960, 128}, {"base", 1536, 512}, {"gptlong", 4096, 256}};
    add_norms(t, rows);
    add_dropouts(t, {{"tiny", 960, 512}, {"summ", 4800, 1024}});
    add_functions(t, {{"conv", 960, 256}, {"gptlong", 4096, 1024}});
    add_softmaxes(t, {{"tiny", 960, 8000}});
    add_divergences(t, {{"tiny", 960, 8000}});
    add_output_layers(
        t, {{"tiny", 960, 128, 8000}, {"base", 768, 512, 8000}, {"gptlong", 4096, 256, 65}});
    add_products(t, {{"tiny", 960, 128, 512},
                     {"small", 960, 256, 1024},
                     {"base", 768, 512, 2048},
                     {"gptlong", 4096, 256, 768},
                     {"one row", 1, 256, 8000}});
    add_tables(t, {{"tiny", 8000, 128}, {"base", 8000, 512}}, 960);
  }
}

}  // namespace heed::test
