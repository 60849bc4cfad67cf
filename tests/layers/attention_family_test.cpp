#include <algorithm>
#include <map>

#include "layers/attention/attentions.h"
#include "tests/layers/rows.h"
#include "tests/message_of.h"

// Every attention against its definition, written with loops over doubles, and against what all
// attentions promise.

namespace heed {
namespace {

// Definitions ------------------------------------------------------------------------------------

/// The parameters of a layer by name. Those of fused products stand under the names of the products
/// that they join.
struct Numbers {
  std::map<std::string, Rows> values;

  explicit Numbers(AttentionLayer& layer) {
    for (const auto& [name, p] : parameters(layer))
      values[name] = rows_of(p.value());
    for (const std::string field : {".weight", ".bias"}) {
      if (values.contains("input" + field)) cut("input" + field, field, 8);
      if (values.contains("memory" + field)) cut("memory" + field, field, 0);
    }
  }
  /// A weight (rows, ..) or bias (1, rows) of queries, keys and values. The queries have the first
  /// rows; keys and values share the rest.
  void cut(const std::string& fused, const std::string& field, Index of_queries) {
    const Rows& all = values[fused];
    const bool bias = field == ".bias";
    const Index end = static_cast<Index>(bias ? all[0].size() : all.size());
    const Index middle = (of_queries + end) / 2;
    const auto part = [&](Index from, Index to) {
      if (bias) return Rows{{all[0].begin() + from, all[0].begin() + to}};
      return Rows{all.begin() + from, all.begin() + to};
    };
    if (of_queries > 0) values["query" + field] = part(0, of_queries);
    values["key" + field] = part(of_queries, middle);
    values["value" + field] = part(middle, end);
  }
  const Rows& operator[](const std::string& name) const { return values.at(name); }
  Row linear(const std::string& name, const Row& x) const {
    Row y;
    for (const Row& w : (*this)[name + ".weight"])
      y.push_back(dot(w, x));
    return values.contains(name + ".bias") ? y + (*this)[name + ".bias"][0] : y;
  }
};

/// The definition of an attention, for head h, query i, key j and the place of i among the keys:
///   w_hij = mass(h, i, j) / sum_j mass(h, i, j), over the keys that i sees
///   y_i = concat_h(sum_j w_hij value(h, j)), projected by "output" where there is one
struct Definition {
  int heads = 1;
  std::function<double(int h, Index i, Index j, Index place)> mass;
  std::function<Row(int h, Index j, Index place)> value;
  std::function<bool(Index j, Index place)> sees = [](Index, Index) { return true; };
};

struct Answer {
  Rows y;
  std::vector<Rows> weights;  // (heads, queries, keys)
};

/// The weights of query i over m keys.
Row weights_of(const Definition& d, int h, Index i, Index place, Index m, bool causal) {
  Row w;
  double total = 0;
  for (Index j = 0; j < m; ++j) {
    const bool visible = (!causal || j <= place) && d.sees(j, place);
    w.push_back(visible ? d.mass(h, i, j, place) : 0);
    total += w.back();
  }
  for (double& x : w)
    x = total > 0 ? x / total : 0;
  return w;
}

Answer answer(const Definition& d, const Numbers& p, Index n, Index m, bool causal,
              Index value_width) {
  Answer a{{}, std::vector<Rows>(static_cast<std::size_t>(d.heads))};
  for (Index i = 0; i < n; ++i) {
    const Index place = i + m - n;
    Row y;
    for (int h = 0; h < d.heads; ++h) {
      const Row w = weights_of(d, h, i, place, m, causal);
      Row head(static_cast<std::size_t>(value_width / d.heads), 0);
      for (Index j = 0; j < m; ++j) {
        Row v = d.value(h, j, place);
        for (double& x : v)
          x *= w[static_cast<std::size_t>(j)];
        head = head + v;
      }
      y.insert(y.end(), head.begin(), head.end());
      a.weights[static_cast<std::size_t>(h)].push_back(w);
    }
    a.y.push_back(p.values.contains("output.weight") ? p.linear("output", y) : y);
  }
  return a;
}

Row columns(const Row& x, Index begin, Index end) { return {x.begin() + begin, x.begin() + end}; }

Rows each(const Rows& xs, const std::function<Row(const Row&)>& f) {
  Rows result;
  for (const Row& x : xs)
    result.push_back(f(x));
  return result;
}

/// Bahdanau's and Luong's attentions: the rows of the memory are the values.
Definition scored(const Rows& memory, std::function<double(Index i, Index j)> score) {
  return {.mass = [=](int, Index i, Index j, Index) { return std::exp(score(i, j)); },
          .value = [=](int, Index j, Index) { return memory[static_cast<std::size_t>(j)]; }};
}

Definition tanh_scored(const Numbers& p, const Rows& queries, const Rows& memory) {
  return scored(memory, [=, &p](Index i, Index j) {
    const Row a = p.linear("query", queries[static_cast<std::size_t>(i)]);
    const Row b = p.linear("key", memory[static_cast<std::size_t>(j)]);
    double total = 0;
    for (std::size_t c = 0; c < a.size(); ++c)
      total += p["energy"][0][c] * std::tanh(a[c] + b[c]);
    return total;
  });
}

/// What attentions with heads share: projected queries, keys and values, cut into heads.
struct Heads {
  int heads;
  int kv_heads;
  Index width;
  Rows q;
  Rows k;
  Rows v;

  Heads(const Numbers& p, const Rows& queries, const Rows& memory, int h, int kv)
      : heads(h),
        kv_heads(kv),
        width(8 / h),
        q(each(queries, [&](const Row& x) { return p.linear("query", x); })),
        k(each(memory, [&](const Row& x) { return p.linear("key", x); })),
        v(each(memory, [&](const Row& x) { return p.linear("value", x); })) {}
  Row query(int h, Index i) const {
    return columns(q[static_cast<std::size_t>(i)], h * width, (h + 1) * width);
  }
  Row key(int h, Index j) const { return shared(k[static_cast<std::size_t>(j)], h); }
  Row value(int h, Index j) const { return shared(v[static_cast<std::size_t>(j)], h); }
  double score(int h, Index i, Index j) const {
    return dot(query(h, i), key(h, j)) / std::sqrt(static_cast<double>(width));
  }

 private:
  Row shared(const Row& x, int h) const {
    const Index part = h / (heads / kv_heads);
    return columns(x, part * width, (part + 1) * width);
  }
};

Definition with_heads(const Heads& s) {
  return {.heads = s.heads,
          .mass = [=](int h, Index i, Index j, Index) { return std::exp(s.score(h, i, j)); },
          .value = [=](int h, Index j, Index) { return s.value(h, j); }};
}

Definition dot_scored(const Numbers&, const Rows& q, const Rows& m) {
  return scored(m, [=](Index i, Index j) {
    return dot(q[static_cast<std::size_t>(i)], m[static_cast<std::size_t>(j)]);
  });
}

Definition general_scored(const Numbers& p, const Rows& q, const Rows& m) {
  return scored(m, [=, &p](Index i, Index j) {
    // W m: W is the weight of a linear layer of m
    const Row x = p.linear("key", m[static_cast<std::size_t>(j)]);
    return dot(q[static_cast<std::size_t>(i)], x);
  });
}

/// With that many heads of keys and values.
template <int KvHeads>
Definition multi_head(const Numbers& p, const Rows& q, const Rows& m) {
  return with_heads(Heads(p, q, m, 4, KvHeads));
}

Definition linear(const Numbers& p, const Rows& q, const Rows& m) {
  const Heads s(p, q, m, 4, 4);
  const auto feature = [](Row x) {
    for (double& v : x)
      v = v > 0 ? v + 1 : std::exp(v);
    return x;
  };
  Definition d = with_heads(s);
  d.mass = [=](int h, Index i, Index j, Index) {
    return dot(feature(s.query(h, i)), feature(s.key(h, j)));
  };
  return d;
}

Definition local(const Numbers& p, const Rows& q, const Rows& m) {
  Definition d = with_heads(Heads(p, q, m, 4, 4));
  d.sees = [](Index j, Index place) { return std::abs(place - j) < 3; };
  return d;
}

Definition relative(const Numbers& p, const Rows& q, const Rows& m) {
  const Heads s(p, q, m, 4, 4);
  const auto entry = [](Index j, Index place) {
    return static_cast<std::size_t>(std::clamp<Index>(j - place, -2, 2) + 2);
  };
  const Rows keys = p["key_distances"];
  const Rows values = p["value_distances"];
  Definition d{.heads = 4, .mass = {}, .value = {}};
  d.mass = [=](int h, Index i, Index j, Index place) {
    return std::exp(dot(s.query(h, i), s.key(h, j) + keys[entry(j, place)]) / std::sqrt(2.0));
  };
  d.value = [=](int h, Index j, Index place) { return s.value(h, j) + values[entry(j, place)]; };
  return d;
}

Definition alibi(const Numbers& p, const Rows& q, const Rows& m) {
  const Heads s(p, q, m, 4, 4);
  Definition d = with_heads(s);
  d.mass = [=](int h, Index i, Index j, Index place) {
    const double slopes[] = {1.0 / 4, 1.0 / 16, 1.0 / 64, 1.0 / 256};
    return std::exp(s.score(h, i, j) - slopes[h] * static_cast<double>(std::abs(place - j)));
  };
  return d;
}

Definition rotary(const Numbers& p, const Rows& q, const Rows& m) {
  const Heads s(p, q, m, 4, 4);
  Definition d = with_heads(s);
  // A head has two columns, so that there is one angle: the position itself.
  d.mass = [=](int h, Index i, Index j, Index place) {
    const Row a = s.query(h, i);
    const Row b = s.key(h, j);
    // the query's product with a key that is rotated by the difference
    const double angle = static_cast<double>(place - j);
    return std::exp((std::cos(angle) * (a[0] * b[0] + a[1] * b[1]) +
                     std::sin(angle) * (a[0] * b[1] - a[1] * b[0])) /
                    std::sqrt(2.0));
  };
  return d;
}

Definition adaptive_span(const Numbers& p, const Rows& q, const Rows& m) {
  const Heads s(p, q, m, 4, 4);
  const Row spans = p["span"][0];
  Definition d = with_heads(s);
  d.mass = [=](int h, Index i, Index j, Index place) {
    const double z = 8 * spans[static_cast<std::size_t>(h)];
    const double distance = static_cast<double>(std::abs(place - j));
    return std::clamp((2 + z - distance) / 2, 0.0, 1.0) * std::exp(s.score(h, i, j));
  };
  return d;
}

struct Member {
  std::string name;
  std::function<Definition(const Numbers& p, const Rows& queries, const Rows& memory)> define;
  bool any_memory = true;         // a memory may be wider than queries
  bool distance_matters = false;  // between a query and a key
  Fused fused = Fused::none;

  std::string text() const {
    if (fused == Fused::none) return name;
    return name + (fused == Fused::all ? ", all fused" : ", memory fused");
  }
};

const std::vector<Member>& table() {
  static const std::vector<Member> all = {
      {"additive", tanh_scored},
      {"concat", tanh_scored},
      {"dot", dot_scored, false},
      {"general", general_scored},
      {"multi_head", multi_head<4>},
      {"multi_query", multi_head<1>},
      {"grouped_query", multi_head<2>},
      {"linear", linear},
      {"local", local, true, true},
      {"relative", relative, true, true},
      {"alibi", alibi, true, true},
      {"rotary", rotary, true, true},
      {"adaptive_span", adaptive_span, true, true},
  };
  return all;
}

/// The rows of the table, and once more with each way to fuse the products of heads.
const std::vector<Member>& members() {
  static const std::vector<Member> all = [] {
    std::vector<Member> result = table();
    for (const Member& member : table()) {
      if (!attentions().at(member.name).has_heads) continue;
      for (const Fused fused : {Fused::memory, Fused::all}) {
        Member& copy = result.emplace_back(member);
        copy.fused = fused;
        copy.any_memory = fused == Fused::memory;
      }
    }
    return result;
  }();
  return all;
}

// Cases ------------------------------------------------------------------------------------------

constexpr Index query_width = 8;

AttentionOptions options_for(const Member& member, bool self) {
  return {.query = query_width,
          .memory = self || !member.any_memory ? query_width : 12,
          .hidden = 5,
          .heads = 4,
          .kv_heads = member.name == "local" ? 0 : 2,
          .fused = member.fused,
          .window = 3,
          .reach = 2,
          .longest = 8,
          .ramp = 2};
}

std::unique_ptr<AttentionLayer> make(const Member& member, const AttentionOptions& options) {
  Random random(3);
  auto layer = make_attention(member.name, options, random);
  randomize(*layer);
  for (const auto& [name, parameter] : parameters(*layer))
    // between the points at which the weights have no derivative, and within the bounds
    if (name == "span")
      parameter.value() = Tensor({4}, {Real(0.06), Real(0.3), Real(0.55), Real(0.8)});
  return layer;
}

struct Layout {
  const char* name;
  std::vector<Index> queries;
  std::vector<Index> keys;
  Index query_width = 0;  // 0: packed
  Index key_width = 0;    // 0: packed
};

const std::vector<Layout>& layouts() {
  static const std::vector<Layout> all = {
      {"one token", {1}, {1}},
      {"packed", {3, 5, 1}, {4, 2, 7}},
      {"one query a sequence", {1, 1, 1}, {6, 19, 3}},
      {"longer than a tile", {70}, {135}},
      {"several tiles of queries", {150}, {150}},
      {"more queries than keys", {7}, {4}},
      {"padded", {3, 5, 1}, {4, 2, 7}, 6, 9},
      {"packed queries, padded keys", {2, 3}, {1, 4}, 0, 5},
      {"empty sequences", {3, 0, 2, 0}, {2, 0, 4, 3}},
      {"empty sequences, padded", {3, 0, 2}, {2, 0, 4}, 4, 5},
      {"nothing to look at", {3, 2}, {0, 4}},
      {"nothing at all", {0}, {0}},
  };
  return all;
}

/// Rows of sequences are small. Padding is huge, so that reading it shows.
Parameter random_rows(const Spans& spans, Index d, std::uint64_t seed) {
  Tensor x = Tensor::full({spans.rows(), d}, 1000);
  Random random(seed);
  for (Index i = 0; i < spans.count(); ++i)
    for (Index t = 0; t < spans.length(i) * d; ++t)
      x[spans.begin(i) * d + t] = static_cast<Real>(random.uniform(-1, 1));
  return Parameter(x);
}

struct Parts {
  AttentionLayer& layer;
  Parameter& queries;
  Parameter& memory;
  void visit(Visitor& v) {
    v("layer", layer);
    v("queries", queries);
    v("memory", memory);
  }
};

/// A sum of all rows of sequences in which each element has a weight of its own. Padding is not
/// read.
Variable projected(const Variable& y, const Spans& spans) {
  Tensor kept = Tensor::zeros(y.shape());
  Random random(5);
  for (Index i = 0; i < spans.count(); ++i)
    for (Index t = 0; t < spans.length(i) * y.columns(); ++t)
      kept[spans.begin(i) * y.columns() + t] = static_cast<Real>(random.uniform(-1, 1));
  return sum(where(kept, y, 0) * kept);
}

template <class F>
void for_each_case(F f) {
  for (const Member& member : members())
    for (const Layout& layout : layouts())
      for (bool causal : {false, true})
        f(member, fmt::format("{}, {}{}", member.text(), layout.name, causal ? ", causal" : ""),
          spans_of(layout.queries, layout.query_width), spans_of(layout.keys, layout.key_width),
          causal);
}

// Tests ------------------------------------------------------------------------------------------

TEST(AttentionFamily, HasADefinitionForEveryMember) {
  std::vector<std::string> defined;
  for (const Member& member : table())
    defined.push_back(member.name);
  std::vector<std::string> made = attentions().names();
  std::sort(defined.begin(), defined.end());
  std::sort(made.begin(), made.end());
  EXPECT_EQ(made, defined);
}

/// The weights of one head and query, (keys), against the expected ones.
void expect_weights(std::span<const Real> got, const Row& expected, const std::string& what) {
  double total = 0;
  double wanted = 0;
  for (std::size_t j = 0; j < expected.size(); ++j) {
    const double weight = static_cast<double>(got[j]);
    ASSERT_NEAR(weight, expected[j], 10 * close) << what << ", key " << j;
    total += weight;
    wanted += expected[j];
  }
  EXPECT_NEAR(total, wanted > 0 ? 1 : 0, 10 * close) << what;
}

/// One sequence: y (queries, columns) and weights (heads, queries, keys) against the expected ones.
void expect_answer(const Tensor& y, const Tensor& weights, const Answer& expected,
                   const std::string& what) {
  const std::size_t heads = expected.weights.size();
  const std::size_t keys = static_cast<std::size_t>(weights.shape()[2]);
  for (std::size_t i = 0; i < expected.y.size(); ++i) {
    for (std::size_t c = 0; c < expected.y[i].size(); ++c)
      ASSERT_NEAR(static_cast<double>(y.span()[i * expected.y[i].size() + c]), expected.y[i][c],
                  10 * close)
          << what << ", query " << i << ", column " << c;
    for (std::size_t h = 0; h < heads; ++h)
      expect_weights(weights.span().subspan((h * expected.y.size() + i) * keys, keys),
                     expected.weights[h][i], fmt::format("{}, head {}, query {}", what, h, i));
  }
}

TEST(AttentionFamily, EqualsItsDefinition) {
  for_each_case([](const Member& member, const std::string& what, const Spans& queries,
                   const Spans& keys, bool causal) {
    const AttentionOptions options = options_for(member, false);
    const auto layer = make(member, options);
    const Parameter q = random_rows(queries, options.query, 1);
    const Parameter m = random_rows(keys, options.memory, 2);
    const Numbers numbers(*layer);
    const bool projects = numbers.values.contains("output.weight");
    std::vector<Tensor> weights;
    const Tensor y =
        layer->attend(q, queries, layer->remember(m, keys), keys, {causal, &weights}).value();
    ASSERT_EQ(y.rows(), queries.rows()) << what;
    ASSERT_EQ(y.columns(), layer->width()) << what;
    ASSERT_EQ(static_cast<Index>(weights.size()), queries.count()) << what;
    for (Index s = 0; s < queries.count(); ++s) {
      const Index begin = queries.begin(s);
      const Index n = queries.length(s);
      const Index length = keys.length(s);
      const Definition d = member.define(numbers, rows_of(q.value(), begin, n),
                                         rows_of(m.value(), keys.begin(s), length));
      const Tensor& w = weights[static_cast<std::size_t>(s)];
      ASSERT_EQ(to_string(w.shape()), to_string(Shape{d.heads, n, length})) << what;
      const Answer expected =
          answer(d, numbers, n, length, causal, projects ? query_width : options.memory);
      expect_answer(y.slice(begin, begin + n), w, expected,
                    fmt::format("{}: sequence {}", what, s));
    }
  });
}

TEST(AttentionFamily, GradientsMatchDifferences) {
  for_each_case([](const Member& member, const std::string& what, const Spans& queries,
                   const Spans& keys, bool causal) {
    if (queries.longest() > 60 || queries.rows() == 0) return;
    const AttentionOptions options = options_for(member, false);
    const auto layer = make(member, options);
    Parameter q = random_rows(queries, options.query, 1);
    Parameter m = random_rows(keys, options.memory, 2);
    Parts parts{*layer, q, m};
    expect_gradients(
        parts,
        [&] {
          return projected(layer->attend(q, queries, layer->remember(m, keys), keys, {causal}),
                           queries);
        },
        what);
  });
}

TEST(AttentionFamily, ABatchGivesWhatItsSequencesGiveAlone) {
  for_each_case([](const Member& member, const std::string& what, const Spans& queries,
                   const Spans& keys, bool causal) {
    const AttentionOptions options = options_for(member, false);
    const auto layer = make(member, options);
    const Parameter q = random_rows(queries, options.query, 1);
    const Parameter m = random_rows(keys, options.memory, 2);
    const Tensor together =
        layer->attend(q, queries, layer->remember(m, keys), keys, {causal}).value();
    for (Index s = 0; s < queries.count(); ++s) {
      const Index n = queries.length(s);
      const Index begin = queries.begin(s);
      const Spans own_queries = Spans::packed(std::vector<Index>{n});
      const Spans own_keys = Spans::packed(std::vector<Index>{keys.length(s)});
      const Tensor x = q.value().slice(begin, begin + n);
      const Tensor own = m.value().slice(keys.begin(s), keys.begin(s) + keys.length(s));
      const Tensor alone =
          layer->attend(x, own_queries, layer->remember(own, own_keys), own_keys, {causal}).value();
      expect_close(together.slice(begin, begin + n), alone,
                   fmt::format("{}: sequence {}", what, s));
    }
  });
}

TEST(AttentionFamily, QueriesOneAtATimeGiveWhatAllGive) {
  const Spans keys = Spans::packed(std::vector<Index>{5, 3, 19});
  const Spans queries = Spans::packed(std::vector<Index>{4, 2, 7});
  for (const Member& member : members()) {
    if (member.distance_matters) continue;
    const AttentionOptions options = options_for(member, false);
    const auto layer = make(member, options);
    const Parameter q = random_rows(queries, options.query, 1);
    const Parameter m = random_rows(keys, options.memory, 2);
    const Memory memory = layer->remember(m, keys);
    const Tensor all = layer->attend(q, queries, memory, keys).value();
    // Some sentences end early, as in a decoder: each step reads a selection of the memory, in
    // another order.
    for (Index t = 0; t < queries.longest(); ++t) {
      std::vector<Index> running;
      std::vector<Index> lengths;
      std::vector<Id> rows;
      for (Index s : {2, 0, 1})
        if (t < queries.length(s)) {
          running.push_back(s);
          lengths.push_back(1);
          rows.push_back(static_cast<Id>(queries.begin(s) + t));
        }
      const Variable x = gather(q, Ids({static_cast<Index>(rows.size())}, rows));
      const Tensor y =
          layer->attend(x, Spans::packed(lengths), memory, keys.select(running)).value();
      for (Index r = 0; r < y.rows(); ++r)
        expect_close(
            y.slice(r, r + 1),
            all.slice(rows[static_cast<std::size_t>(r)], rows[static_cast<std::size_t>(r)] + 1),
            fmt::format("{}: step {}", member.text(), t));
    }
  }
}

TEST(AttentionFamily, GrowingKeysGiveWhatCausalSelfAttentionGives) {
  const std::vector<Index> lengths = {9, 1, 21};
  const Spans spans = Spans::packed(lengths);
  for (const Member& member : members()) {
    const auto layer = make(member, options_for(member, true));
    const Parameter x = random_rows(spans, query_width, 1);
    const Tensor all = (*layer)(x, spans, {.causal = true}).value();
    const Memory whole = layer->remember(x, spans);
    for (std::size_t s = 0; s < lengths.size(); ++s) {
      const Index begin = spans.begin(static_cast<Index>(s));
      Memory grown;
      for (Index t = 0; t < lengths[s]; ++t) {
        // remember() gets each row by itself.
        const Spans one = Spans::packed(std::vector<Index>{1});
        const Spans so_far = Spans::packed(std::vector<Index>{t + 1});
        const Variable row = slice(x, 0, begin + t, begin + t + 1);
        const Memory latest = layer->remember(row, one);
        const auto append = [t](Variable& to, const Variable& more) {
          if (more.defined()) to = t == 0 ? more : concat({to, more}, 0);
        };
        append(grown.keys, latest.keys);
        append(grown.values, latest.values);
        std::vector<Tensor> weights;
        const Variable y = layer->attend(row, one, grown, so_far, {true, &weights});
        expect_close(y.value(), all.slice(begin + t, begin + t + 1),
                     fmt::format("{}: sequence {}, position {}", member.text(), s, t));
      }
    }
  }
}

TEST(AttentionFamily, RowsOfABeamShareAMemory) {
  const Spans keys = Spans::packed(std::vector<Index>{5, 3});
  const Spans queries = Spans::packed(std::vector<Index>{1, 1, 1});
  for (const Member& member : members()) {
    const AttentionOptions options = options_for(member, false);
    const auto layer = make(member, options);
    const Parameter q = random_rows(queries, options.query, 1);
    const Parameter m = random_rows(keys, options.memory, 2);
    const Memory memory = layer->remember(m, keys);
    const std::vector<Index> sentence = {1, 0, 1};
    const Tensor y = layer->attend(q, queries, memory, keys.select(sentence)).value();
    for (Index r = 0; r < 3; ++r) {
      const std::vector<Index> own = {sentence[static_cast<std::size_t>(r)]};
      const Tensor alone =
          layer
              ->attend(q.value().slice(r, r + 1), Spans::packed(std::vector<Index>{1}), memory,
                       keys.select(own))
              .value();
      expect_close(y.slice(r, r + 1), alone, fmt::format("{}: row {}", member.text(), r));
    }
  }
}

TEST(AttentionFamily, ASelectionLeavesTheRestOfTheMemoryAlone) {
  const Spans keys = Spans::packed(std::vector<Index>{5, 3, 2});
  const Spans queries = Spans::packed(std::vector<Index>{2, 1});
  for (const Member& member : members()) {
    const AttentionOptions options = options_for(member, false);
    const auto layer = make(member, options);
    const Parameter q = random_rows(queries, options.query, 1);
    const Parameter m = random_rows(keys, options.memory, 2);
    Tape tape;
    tape.backward(projected(
        layer->attend(q, queries, layer->remember(m, keys), keys.select(std::vector<Index>{2, 0})),
        queries));
    double moved = 0;
    for (Index row = 0; row < 10; ++row)
      for (Index c = 0; c < options.memory; ++c) {
        const double g = static_cast<double>(m.gradient()[row * options.memory + c]);
        if (row >= 5 && row < 8) {
          EXPECT_EQ(g, 0) << member.text() << ": row " << row;
        }
        moved += std::abs(g);
      }
    EXPECT_GT(moved, 0) << member.text();
  }
}

// Sizes and errors -------------------------------------------------------------------------------

TEST(AttentionFamily, AdditiveHasThePapersParameters) {
  for (Index h : {4, 7, 256}) {
    Random random(1);
    const auto layer = make_attention("additive", {.query = h, .memory = 2 * h}, random);
    EXPECT_EQ(parameter_count(*layer), h * h + 2 * h * h + h + h);
  }
}

TEST(AttentionFamily, SaysWhatItExpected) {
  Random random(1);
  EXPECT_EQ(message_of([&] { make_attention("dot", {.query = 8, .memory = 16}, random); }),
            "[attention] expected queries as wide as the memory for dot scores; got 8 and 16");
  EXPECT_EQ(message_of([&] {
              make_attention("multi_head", {.query = 8, .memory = 8, .heads = 3}, random);
            }),
            "[attention] expected heads of a number that shares a width of 8 evenly; got 3");
  EXPECT_TRUE(message_of([&] {
                make_attention("adittive", {}, random);
              }).starts_with("[attention] expected a name of additive, dot, general, concat"));
}

}  // namespace
}  // namespace heed
