#include <algorithm>
#include <map>

#include "layers/attention/family.h"
#include "tests/layers/tiny.h"

// Every member of the family against its definition, written with loops over doubles, and against
// what all of them promise.

namespace heed {
namespace {

// Definitions ------------------------------------------------------------------------------------

using Row = std::vector<double>;
using Rows = std::vector<Row>;

Row operator+(Row a, const Row& b) {
  for (std::size_t c = 0; c < a.size(); ++c)
    a[c] += b[c];
  return a;
}
double dot(const Row& a, const Row& b) {
  double total = 0;
  for (std::size_t c = 0; c < a.size(); ++c)
    total += a[c] * b[c];
  return total;
}

/// A layer's numbers by name.
struct Numbers {
  std::map<std::string, Rows> values;

  explicit Numbers(AttentionLayer& layer) {
    for (const auto& [name, p] : parameters(layer)) {
      Rows& rows = values[name];
      const Index columns = p.value().columns();
      for (Index i = 0; i < p.value().rows(); ++i) {
        rows.emplace_back();
        for (Index c = 0; c < columns; ++c)
          rows.back().push_back(static_cast<double>(p.value()[i * columns + c]));
      }
    }
  }
  const Rows& operator[](const std::string& name) const { return values.at(name); }
  Row linear(const std::string& name, const Row& x) const {
    Row y;
    for (const Row& w : (*this)[name + ".weight"])
      y.push_back(dot(w, x));
    return values.contains(name + ".bias") ? y + (*this)[name + ".bias"][0] : y;
  }
};

/// w_hij = mass(h, i, j) / sum_j mass(h, i, j) over what i sees; y_i = the heads' sum_j w_hij
/// value(h, i, j), projected by "output" where there is one. `place` is i's own among the keys.
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

Answer answer(const Definition& d, const Numbers& p, Index n, Index m, bool causal,
              Index value_width) {
  Answer a{Rows(static_cast<std::size_t>(n)),
           std::vector<Rows>(static_cast<std::size_t>(d.heads), Rows(static_cast<std::size_t>(n)))};
  for (Index i = 0; i < n; ++i) {
    const Index place = i + m - n;
    Row& y = a.y[static_cast<std::size_t>(i)];
    for (int h = 0; h < d.heads; ++h) {
      Row& w = a.weights[static_cast<std::size_t>(h)][static_cast<std::size_t>(i)];
      double total = 0;
      for (Index j = 0; j < m; ++j) {
        const bool visible = (!causal || j <= place) && d.sees(j, place);
        w.push_back(visible ? d.mass(h, i, j, place) : 0);
        total += w.back();
      }
      Row part(static_cast<std::size_t>(value_width / d.heads), 0);
      for (Index j = 0; j < m && total > 0; ++j) {
        w[static_cast<std::size_t>(j)] /= total;
        Row v = d.value(h, j, place);
        for (double& x : v)
          x *= w[static_cast<std::size_t>(j)];
        part = part + v;
      }
      y.insert(y.end(), part.begin(), part.end());
    }
    if (p.values.contains("output.weight")) y = p.linear("output", y);
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

/// Bahdanau's and Luong's: the memory's rows are the values.
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

/// What those with heads share: projected queries, keys and values, cut into heads.
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

struct Member {
  std::string name;
  std::function<Definition(const Numbers& p, const Rows& queries, const Rows& memory)> define;
  bool any_memory = true;         // a memory may be wider than queries
  bool distance_matters = false;  // between a query and a key
};

const std::vector<Member>& members() {
  static const std::vector<Member> all = {
      {"additive", tanh_scored},
      {"concat", tanh_scored},
      {"dot",
       [](const Numbers&, const Rows& q, const Rows& m) {
         return scored(m, [=](Index i, Index j) {
           return dot(q[static_cast<std::size_t>(i)], m[static_cast<std::size_t>(j)]);
         });
       },
       false},
      {"general",
       [](const Numbers& p, const Rows& q, const Rows& m) {
         return scored(m, [=, &p](Index i, Index j) {
           // W m: W is kept as the weight of a linear layer of m
           const Row x = p.linear("key", m[static_cast<std::size_t>(j)]);
           return dot(q[static_cast<std::size_t>(i)], x);
         });
       }},
      {"multi_head", [](const Numbers& p, const Rows& q,
                        const Rows& m) { return with_heads(Heads(p, q, m, 4, 4)); }},
      {"multi_query", [](const Numbers& p, const Rows& q,
                         const Rows& m) { return with_heads(Heads(p, q, m, 4, 1)); }},
      {"grouped_query", [](const Numbers& p, const Rows& q,
                           const Rows& m) { return with_heads(Heads(p, q, m, 4, 2)); }},
      {"linear",
       [](const Numbers& p, const Rows& q, const Rows& m) {
         const Heads s(p, q, m, 4, 4);
         Definition d = with_heads(s);
         d.mass = [=](int h, Index i, Index j, Index) {
           const auto feature = [](Row x) {
             for (double& v : x)
               v = v > 0 ? v + 1 : std::exp(v);
             return x;
           };
           return dot(feature(s.query(h, i)), feature(s.key(h, j)));
         };
         return d;
       }},
      {"local",
       [](const Numbers& p, const Rows& q, const Rows& m) {
         Definition d = with_heads(Heads(p, q, m, 4, 4));
         d.sees = [](Index j, Index place) { return std::abs(place - j) < 3; };
         return d;
       },
       true, true},
      {"relative",
       [](const Numbers& p, const Rows& q, const Rows& m) {
         const Heads s(p, q, m, 4, 4);
         const auto entry = [](Index j, Index place) {
           return static_cast<std::size_t>(std::clamp<Index>(j - place, -2, 2) + 2);
         };
         const Rows keys = p["key_distances"];
         const Rows values = p["value_distances"];
         Definition d{.heads = 4, .mass = {}, .value = {}};
         d.mass = [=](int h, Index i, Index j, Index place) {
           return std::exp(dot(s.query(h, i), s.key(h, j) + keys[entry(j, place)]) /
                           std::sqrt(2.0));
         };
         d.value = [=](int h, Index j, Index place) {
           return s.value(h, j) + values[entry(j, place)];
         };
         return d;
       },
       true, true},
      {"alibi",
       [](const Numbers& p, const Rows& q, const Rows& m) {
         const Heads s(p, q, m, 4, 4);
         Definition d = with_heads(s);
         d.mass = [=](int h, Index i, Index j, Index place) {
           const double slopes[] = {1.0 / 4, 1.0 / 16, 1.0 / 64, 1.0 / 256};
           return std::exp(s.score(h, i, j) - slopes[h] * static_cast<double>(std::abs(place - j)));
         };
         return d;
       },
       true, true},
      {"rotary",
       [](const Numbers& p, const Rows& q, const Rows& m) {
         const Heads s(p, q, m, 4, 4);
         Definition d = with_heads(s);
         // heads of two columns: one angle, the position itself
         d.mass = [=](int h, Index i, Index j, Index place) {
           const Row a = s.query(h, i);
           const Row b = s.key(h, j);
           // the query's product with a key that is turned by the difference
           const double turn = static_cast<double>(place - j);
           return std::exp((std::cos(turn) * (a[0] * b[0] + a[1] * b[1]) +
                            std::sin(turn) * (a[0] * b[1] - a[1] * b[0])) /
                           std::sqrt(2.0));
         };
         return d;
       },
       true, true},
      {"adaptive_span",
       [](const Numbers& p, const Rows& q, const Rows& m) {
         const Heads s(p, q, m, 4, 4);
         const Row spans = p["span"][0];
         Definition d = with_heads(s);
         d.mass = [=](int h, Index i, Index j, Index place) {
           const double z = 8 * spans[static_cast<std::size_t>(h)];

           const double x = static_cast<double>(std::abs(place - j));
           return std::clamp((2 + z - x) / 2, 0.0, 1.0) * std::exp(s.score(h, i, j));
         };
         return d;
       },
       true, true},
  };
  return all;
}

// What all are tried on --------------------------------------------------------------------------

constexpr Index query_width = 8;

AttentionOptions options_for(const Member& member, bool self) {
  return {.query = query_width,
          .memory = self || !member.any_memory ? query_width : 12,
          .hidden = 5,
          .heads = 4,
          .kv_heads = 2,
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
    // off the kinks, within the bounds
    if (name == "span")
      parameter.value() = Tensor({4}, {Real(0.06), Real(0.3), Real(0.55), Real(0.8)});
  return layer;
}

struct Layout {
  const char* name;
  std::vector<Index> queries;
  std::vector<Index> keys;
  // 0: packed
  Index query_width = 0;
  Index key_width = 0;
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

Spans spans_of(const std::vector<Index>& lengths, Index width) {
  return width == 0 ? Spans::packed(lengths) : Spans::padded(lengths, width);
}

/// Rows of sequences are small; what lies in padding is huge, so that a glance at it shows.
Parameter rows_of(const Spans& spans, Index d, std::uint64_t seed) {
  Tensor x = Tensor::full({spans.rows(), d}, 1000);
  Random random(seed);
  for (Index i = 0; i < spans.count(); ++i)
    for (Index t = 0; t < spans.length(i) * d; ++t)
      x[spans.begin(i) * d + t] = static_cast<Real>(random.uniform(-1, 1));
  return Parameter(x);
}

Rows part_of(const Tensor& x, Index begin, Index count) {
  Rows rows;
  for (Index i = begin; i < begin + count; ++i) {
    rows.emplace_back();
    for (Index c = 0; c < x.columns(); ++c)
      rows.back().push_back(static_cast<double>(x[i * x.columns() + c]));
  }
  return rows;
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

/// The rows of sequences, each element with a weight of its own. Nobody reads padding.
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
        f(member, fmt::format("{}, {}{}", member.name, layout.name, causal ? ", causal" : ""),
          spans_of(layout.queries, layout.query_width), spans_of(layout.keys, layout.key_width),
          causal);
}

// Tests ------------------------------------------------------------------------------------------

TEST(AttentionFamily, HasADefinitionForEveryMember) {
  std::vector<std::string> defined;
  for (const Member& member : members())
    defined.push_back(member.name);
  std::vector<std::string> made(attention_names().begin(), attention_names().end());
  std::sort(defined.begin(), defined.end());
  std::sort(made.begin(), made.end());
  EXPECT_EQ(made, defined);
}

TEST(AttentionFamily, EqualsItsDefinition) {
  for_each_case([](const Member& member, const std::string& what, const Spans& queries,
                   const Spans& keys, bool causal) {
    const AttentionOptions options = options_for(member, false);
    const auto layer = make(member, options);
    const Parameter q = rows_of(queries, options.query, 1);
    const Parameter m = rows_of(keys, options.memory, 2);
    const Numbers numbers(*layer);
    std::vector<Tensor> weights;
    const Variable y =
        layer->attend(q, queries, layer->remember(m, keys), keys, {causal, &weights});
    ASSERT_EQ(y.rows(), queries.rows()) << what;
    ASSERT_EQ(y.columns(), layer->width()) << what;
    ASSERT_EQ(static_cast<Index>(weights.size()), queries.count()) << what;
    for (Index s = 0; s < queries.count(); ++s) {
      const Index n = queries.length(s);
      const Index length = keys.length(s);
      const Rows memory = part_of(m.value(), keys.begin(s), length);
      const Definition d = member.define(numbers, part_of(q.value(), queries.begin(s), n), memory);
      const bool projects = numbers.values.contains("output.weight");
      const Answer expected =
          answer(d, numbers, n, length, causal, projects ? query_width : options.memory);
      const Tensor& w = weights[static_cast<std::size_t>(s)];
      ASSERT_EQ(to_string(w.shape()), to_string(Shape{d.heads, n, length})) << what;
      for (Index i = 0; i < n; ++i) {
        for (Index c = 0; c < y.columns(); ++c)
          ASSERT_NEAR(static_cast<double>(y.data()[(queries.begin(s) + i) * y.columns() + c]),
                      expected.y[static_cast<std::size_t>(i)][static_cast<std::size_t>(c)],
                      10 * close)
              << what << ": sequence " << s << ", query " << i << ", column " << c;
        for (int h = 0; h < d.heads; ++h) {
          double total = 0;
          double wanted = 0;
          for (Index j = 0; j < length; ++j) {
            const double got = static_cast<double>(w[(h * n + i) * length + j]);
            const double e =
                expected.weights[static_cast<std::size_t>(h)][static_cast<std::size_t>(i)]
                                [static_cast<std::size_t>(j)];
            ASSERT_NEAR(got, e, 10 * close) << what << ": weight of sequence " << s << ", head "
                                            << h << ", query " << i << ", key " << j;
            total += got;
            wanted += e;
          }
          EXPECT_NEAR(total, wanted > 0 ? 1 : 0, 10 * close)
              << what << ": sequence " << s << ", head " << h << ", query " << i;
        }
      }
    }
  });
}

/// The tape's gradients against central differences of the loss.
void expect_gradients(AnyModule module, const std::function<Variable()>& f,
                      const std::string& what) {
  const Gradients got = gradients(module, f);
  const double step = sizeof(Real) == 8 ? 1e-5 : 1e-2;
  const double tolerance = sizeof(Real) == 8 ? 1e-6 : 2e-2;
  std::size_t number = 0;
  for (const auto& [name, p] : parameters(module)) {
    std::vector<Real> expected;
    for (Real& x : p.value().span()) {
      const Real kept = x;
      x = kept + static_cast<Real>(step);
      const double above = static_cast<double>(f().item());
      x = kept - static_cast<Real>(step);
      const double below = static_cast<double>(f().item());
      x = kept;
      expected.push_back(static_cast<Real>((above - below) / (2 * step)));
    }
    ASSERT_EQ(got.values[number].size(), expected.size()) << what << ": " << name;
    EXPECT_LE(difference(got.values[number], expected), tolerance) << what << ": " << name;
    ++number;
  }
}

TEST(AttentionFamily, GradientsMatchDifferences) {
  for_each_case([](const Member& member, const std::string& what, const Spans& queries,
                   const Spans& keys, bool causal) {
    if (queries.longest() > 60 || queries.rows() == 0) return;
    const AttentionOptions options = options_for(member, false);
    const auto layer = make(member, options);
    Parameter q = rows_of(queries, options.query, 1);
    Parameter m = rows_of(keys, options.memory, 2);
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
    const Parameter q = rows_of(queries, options.query, 1);
    const Parameter m = rows_of(keys, options.memory, 2);
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
    const Parameter q = rows_of(queries, options.query, 1);
    const Parameter m = rows_of(keys, options.memory, 2);
    const Memory memory = layer->remember(m, keys);
    const Tensor all = layer->attend(q, queries, memory, keys).value();
    // As a decoder that ends sentences early: a selection of the memory at each step, in another
    // order.
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
            fmt::format("{}: step {}", member.name, t));
    }
  }
}

TEST(AttentionFamily, GrowingKeysGiveWhatCausalSelfAttentionGives) {
  const std::vector<Index> lengths = {9, 1, 21};
  const Spans spans = Spans::packed(lengths);
  for (const Member& member : members()) {
    const auto layer = make(member, options_for(member, true));
    const Parameter x = rows_of(spans, query_width, 1);
    const Tensor all = (*layer)(x, spans, {.causal = true}).value();
    const Memory whole = layer->remember(x, spans);
    for (std::size_t s = 0; s < lengths.size(); ++s) {
      const Index begin = spans.begin(static_cast<Index>(s));
      Memory grown;
      for (Index t = 0; t < lengths[s]; ++t) {
        // Each row is remembered alone, when it comes.
        const Spans one = Spans::packed(std::vector<Index>{1});

        const Spans so_far = Spans::packed(std::vector<Index>{t + 1});
        const Variable row = slice(x, 0, begin + t, begin + t + 1);
        const Memory latest = layer->remember(row, one);
        grown = t == 0 ? latest
                       : Memory{concat({grown.keys, latest.keys}, 0),
                                concat({grown.values, latest.values}, 0)};
        std::vector<Tensor> weights;
        const Variable y = layer->attend(row, one, grown, so_far, {true, &weights});
        expect_close(y.value(), all.slice(begin + t, begin + t + 1),
                     fmt::format("{}: sequence {}, position {}", member.name, s, t));
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
    const Parameter q = rows_of(queries, options.query, 1);
    const Parameter m = rows_of(keys, options.memory, 2);
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
      expect_close(y.slice(r, r + 1), alone, fmt::format("{}: row {}", member.name, r));
    }
  }
}

TEST(AttentionFamily, ASelectionLeavesTheRestOfTheMemoryAlone) {
  const Spans keys = Spans::packed(std::vector<Index>{5, 3, 2});

  const Spans queries = Spans::packed(std::vector<Index>{2, 1});
  for (const Member& member : members()) {
    const AttentionOptions options = options_for(member, false);
    const auto layer = make(member, options);
    const Parameter q = rows_of(queries, options.query, 1);
    const Parameter m = rows_of(keys, options.memory, 2);
    Tape tape;
    tape.backward(projected(
        layer->attend(q, queries, layer->remember(m, keys), keys.select(std::vector<Index>{2, 0})),
        queries));
    double moved = 0;
    for (Index row = 0; row < 10; ++row)
      for (Index c = 0; c < options.memory; ++c) {
        const double g = static_cast<double>(m.gradient()[row * options.memory + c]);
        if (row >= 5 && row < 8) {
          EXPECT_EQ(g, 0) << member.name << ": row " << row;
        }
        moved += std::abs(g);
      }
    EXPECT_GT(moved, 0) << member.name;
  }
}

// Sizes and mistakes -----------------------------------------------------------------------------

TEST(AttentionFamily, AdditiveHasThePapersParameters) {
  for (Index h : {4, 7, 256}) {
    Random random(1);
    const auto layer = make_attention("additive", {.query = h, .memory = 2 * h}, random);
    EXPECT_EQ(parameter_count(*layer), h * h + 2 * h * h + h + h);
  }
}

std::string message(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(AttentionFamily, SaysWhatItExpected) {
  Random random(1);
  EXPECT_EQ(message([&] { make_attention("dot", {.query = 8, .memory = 16}, random); }),
            "[attention] expected queries as wide as the memory for dot scores; got 8 and 16");
  EXPECT_EQ(
      message([&] { make_attention("multi_head", {.query = 8, .memory = 8, .heads = 3}, random); }),
      "[attention] expected heads of a number that shares a width of 8 evenly; got 3");
  EXPECT_TRUE(message([&] {
                make_attention("adittive", {}, random);
              }).starts_with("[attention] expected one of additive, dot, general, concat"));
}

}  // namespace
}  // namespace heed
