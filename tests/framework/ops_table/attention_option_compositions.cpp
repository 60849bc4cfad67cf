#include <cmath>
#include <limits>

#include "tests/framework/ops_table/compositions.h"
#include "tests/framework/ops_table/references.h"

// attention() with each of its options, from its pieces, which keep all scores: at lengths around
// the edges of tiles, causal and not, with sequences of unequal lengths.

namespace heed::test {

namespace {

constexpr Real infinity = std::numeric_limits<Real>::infinity();

/// What a row of options is: the options, the extents of the shared bias and what biases hide.
struct Options {
  std::string what;
  Attention attention;
  Index width = 6;
  Index value_width = 6;
  Index shared_heads = 0;  // 0: no shared bias
  bool pairs = false;
  bool keys = false;
  bool masks = false;  // the bias of pairs hides some keys, and all keys from some queries

  Pairing pairing() const {
    const Attention& o = attention;
    return {.heads = o.heads,
            .kv_heads = o.kv_heads,
            .queries = o.queries,
            .keys = o.keys,
            .causal = o.causal};
  }
  int kv_heads() const { return attention.kv_heads > 0 ? attention.kv_heads : attention.heads; }
};

/// A query and a key of one head, in the order of the scores.
struct Place {
  Index sequence;
  Index head;
  Index i;
  Index j;
};
template <class F>
void for_pairs(const Attention& o, F f) {
  Index at = 0;
  for (Index s = 0; s < o.queries.count(); ++s)
    for (Index h = 0; h < o.heads; ++h)
      for (Index i = 0; i < o.queries.length(s); ++i)
        for (Index j = 0; j < o.keys.length(s); ++j)
          f(at++, Place{s, h, i, j});
}

/// What slopes and windows add to the scores.
Tensor distances(const Options& c) {
  const Attention& o = c.attention;
  Tensor result = Tensor::zeros({c.pairing().size()});
  for_pairs(o, [&](Index at, const Place& p) {
    const Index place = p.i + o.keys.length(p.sequence) - o.queries.length(p.sequence);
    const Index distance = std::abs(p.j - place);
    if (o.slopes.defined()) result[at] -= o.slopes[p.head] * static_cast<Real>(distance);
    if (o.window > 0 && distance >= o.window && p.j >= o.sinks) result[at] = -infinity;
  });
  return result;
}

/// -infinity at every third key, and at all keys of every fifth query.
Tensor mask(const Options& c) {
  Tensor result = Tensor::zeros({c.pairing().size()});
  for_pairs(c.attention, [&](Index at, const Place& p) {
    if ((p.j + p.head) % 3 == 1 || p.i % 5 == 2) result[at] = -infinity;
  });
  return result;
}

/// What dropout multiplies the weights by (docs/kernels.md, "Dropout"): a stream for each sequence
/// and head; the rows of long sequences begin at multiples of 128, those of others at multiples of
/// 16.
Tensor dropout_mask(const Options& c) {
  const Attention& o = c.attention;
  Tensor result({c.pairing().size()});
  for_pairs(o, [&](Index at, const Place& p) {
    const Index keys = o.keys.length(p.sequence);
    const Index block = keys <= 128 ? 16 : 128;
    const Index stride = (keys + block - 1) / block * block;
    RandomKey key = o.key;
    key.stream = mix(key.stream, static_cast<std::uint64_t>(p.sequence * o.heads + p.head));
    result[at] = static_cast<Real>(dropout_factor(o.dropout, key, p.i * stride + p.j));
  });
  return result;
}

/// Which element of the shared bias and of that of keys each pair reads.
Ids shared_places(const Options& c) {
  const Attention& o = c.attention;
  Ids result({c.pairing().size()});
  for_pairs(o, [&](Index at, const Place& p) {
    const Index head = c.shared_heads > 1 ? p.head : 0;
    result[at] = static_cast<Id>((head * o.queries.longest() + p.i) * o.keys.longest() + p.j);
  });
  return result;
}
Ids key_places(const Options& c) {
  Ids result({c.pairing().size()});
  for_pairs(c.attention, [&](Index at, const Place& p) {
    result[at] = static_cast<Id>(c.attention.keys.begin(p.sequence) + p.j);
  });
  return result;
}

/// The inputs after q, k and v, in this order.
struct Given {
  Variable pairs;
  Variable shared;
  Variable keys;

  Given(const Options& c, Xs x) {
    std::size_t next = 3;
    if (c.pairs) pairs = x[next++];
    if (c.shared_heads > 0) shared = x[next++];
    if (c.keys) keys = x[next++];
  }
};

Variable turned(const Options& c, const Variable& x, const Spans& spans, int heads) {
  const Attention& o = c.attention;
  if (!o.rotation) return x;
  return rotary(x, spans,
                {.heads = heads,
                 .base = o.rotation->base,
                 .end_of = o.keys,
                 .width = o.rotation->width,
                 .interleaved = o.rotation->interleaved});
}

/// attention() from its pieces. Tables that depend on the options alone are made once.
Compute in_pieces(const Options& c) {
  const Pairing p = c.pairing();
  const Tensor far = distances(c);
  const Tensor hidden = c.masks ? mask(c) : Tensor();
  const Tensor kept = c.attention.dropout > 0 ? dropout_mask(c) : Tensor();
  const Ids in_shared = shared_places(c);
  const Ids in_keys = key_places(c);
  return [=](Xs x) {
    const Attention& o = c.attention;
    const Given bias(c, x);
    const Variable q = turned(c, x[0], o.queries, o.heads);
    const Variable k = turned(c, x[1], o.keys, c.kv_heads());
    Variable s = dot_scores(q * (1 / std::sqrt(static_cast<Real>(c.width))), k, p);
    if (o.softcap > 0) s = tanh(s / o.softcap) * o.softcap;
    s = s + far;
    if (c.masks) s = s + hidden;
    if (c.pairs) s = s + bias.pairs;
    if (c.shared_heads > 0) s = s + gather(reshape(bias.shared, {bias.shared.size()}), in_shared);
    if (c.keys) s = s + gather(bias.keys, in_keys);
    const Variable w = scores_softmax(s, p);
    return weighted_values(kept.defined() ? w * kept : w, x[2], p);
  };
}

Compute fused(const Options& c) {
  const Tensor hidden = c.masks ? mask(c) : Tensor();
  return [=](Xs x) {
    const Given bias(c, x);
    Attention o = c.attention;
    o.bias.pairs = bias.pairs;
    o.bias.shared = bias.shared;
    o.bias.keys = bias.keys;
    if (c.masks) o.bias.pairs = c.pairs ? bias.pairs + hidden : Variable(hidden);
    return attention(x[0], x[1], x[2], o);
  };
}

void add(std::vector<Composition>& t, const Options& c) {
  const Attention& o = c.attention;
  std::vector<Shape> inputs{{o.queries.rows(), o.heads * c.width},
                            {o.keys.rows(), c.kv_heads() * c.width},
                            {o.keys.rows(), c.kv_heads() * c.value_width}};
  if (c.pairs) inputs.push_back({c.pairing().size()});
  if (c.shared_heads > 0) inputs.push_back({c.shared_heads, o.queries.longest(), o.keys.longest()});
  if (c.keys) inputs.push_back({o.keys.rows()});
  t.push_back(within(4, {"attention", c.what, inputs, fused(c), in_pieces(c)}));
}

/// Each option alone and all together, for some spans.
std::vector<Options> options(const std::string& what, const Spans& queries, const Spans& keys,
                             bool causal) {
  const Attention a{.heads = 4, .kv_heads = 2, .queries = queries, .keys = keys, .causal = causal};
  const auto with = [&](auto change) {
    Attention changed = a;
    change(changed);
    return changed;
  };
  const auto drops = [](Attention& o) {
    o.dropout = Real(0.3);
    o.key = {5, 9};
  };
  const Attention capped = with([](Attention& o) { o.softcap = Real(0.4); });
  const Attention rotated = with([](Attention& o) { o.rotation = Rotation{.base = 100}; });
  const Attention neighbours = with(
      [](Attention& o) { o.rotation = Rotation{.base = 100, .width = 4, .interleaved = true}; });
  const Attention sinks = with([](Attention& o) {
    o.window = 9;
    o.sinks = 5;
  });
  const Attention many_sinks = with([&](Attention& o) {
    o.window = 40;
    o.sinks = 130;
    drops(o);
  });
  const Attention all = with([&](Attention& o) {
    o.window = 50;
    o.sinks = 3;
    o.slopes = Tensor({4}, {Real(0.05), Real(0.01), 0, Real(0.002)});
    o.softcap = 2;
    o.rotation = Rotation{.base = 100, .width = 4};
    drops(o);
  });
  std::vector<Options> list{
      {.what = "bias of pairs", .attention = with(drops), .pairs = true},
      {.what = "shared bias", .attention = a, .shared_heads = 1},
      {.what = "shared bias, a head each", .attention = with(drops), .shared_heads = 4},
      {.what = "bias of keys", .attention = a, .keys = true},
      {.what = "a mask", .attention = a, .masks = true},
      {.what = "a mask, cap", .attention = capped, .pairs = true, .masks = true},
      {.what = "cap", .attention = capped},
      {.what = "wider values", .attention = with(drops), .value_width = 21},
      {.what = "narrower values", .attention = a, .width = 18, .value_width = 5},
      {.what = "rotation", .attention = rotated},
      {.what = "rotation of neighbours", .attention = neighbours},
      {.what = "sinks", .attention = sinks},
      {.what = "many sinks", .attention = many_sinks},
      {.what = "all",
       .attention = all,
       .value_width = 7,
       .shared_heads = 4,
       .pairs = true,
       .keys = true,
       .masks = true},
  };
  for (Options& o : list)
    o.what += fmt::format(", {}{}", what, causal ? ", causal" : "");
  return list;
}

struct Lengths {
  const char* what;
  std::vector<Index> queries;
  std::vector<Index> keys;
};

void add_small(std::vector<Composition>& t) {
  // A tile has 64 queries and 128 keys, in panels of 64 keys; at its edge, groups of 24.
  for (const Lengths& l :
       {Lengths{"equal lengths",
                {1, 15, 16, 17, 24, 25, 63, 64, 65, 127, 128, 129},
                {1, 15, 16, 17, 24, 25, 63, 64, 65, 127, 128, 129}},
        {"fewer queries", {1, 3, 0, 63, 64, 65, 2}, {128, 129, 4, 65, 127, 257, 0}},
        {"more queries", {130, 65, 66, 17}, {1, 64, 0, 16}}})
    for (const bool causal : {false, true})
      for (const Options& o :
           options(l.what, Spans::packed(l.queries), Spans::packed(l.keys), causal))
        add(t, o);
  for (const Options& o : options("padded", padded({3, 70, 0}, 72), padded({70, 2, 5}, 71), true))
    add(t, o);
}

/// The shapes of the case gptlong (benchmarks/README.md).
void add_cases(std::vector<Composition>& t) {
  const Spans spans = Spans::packed(std::vector<Index>(4, 1024));
  const Attention a{.heads = 4, .queries = spans, .keys = spans, .causal = true};
  const auto timed = [&](const char* what, auto change) {
    Options c{.what = std::string("gptlong, causal, ") + what,
              .attention = a,
              .width = 64,
              .value_width = 64};
    change(c);
    add(t, c);
  };
  timed("shared bias", [](Options& c) { c.shared_heads = 4; });
  timed("bias of pairs", [](Options& c) { c.pairs = true; });
  timed("cap", [](Options& c) { c.attention.softcap = 30; });
  timed("rotation", [](Options& c) { c.attention.rotation = Rotation{}; });
  timed("window, sinks", [](Options& c) {
    c.attention.window = 128;
    c.attention.sinks = 4;
  });
}

}  // namespace

void add_attention_option_compositions(std::vector<Composition>& t, bool small) {
  if (small)
    add_small(t);
  else
    add_cases(t);
}

}  // namespace heed::test
