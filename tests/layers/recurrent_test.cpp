#include "layers/recurrent.h"

#include "tests/message_of.h"
#include "tests/models/tiny.h"

namespace heed {
namespace {

struct Parts {
  Recurrent& stack;
  Parameter& x;
  void visit(Visitor& v) {
    v("stack", stack);
    v("x", x);
  }
};

struct Stack {
  std::string name;
  RecurrentOptions options;
};

std::vector<Stack> stacks() {
  std::vector<Stack> all;
  for (const auto& [cell, kind] : cells())
    for (int layers : {1, 2})
      for (bool both : {false, true})
        all.push_back(
            {fmt::format("{}, {} layers{}", cell, layers, both ? ", both ways" : ""),
             {.cell = kind, .in = 6, .hidden = 5, .layers = layers, .bidirectional = both}});
  return all;
}

Recurrent make(const RecurrentOptions& o) {
  Random random(2);
  Recurrent stack(o, random);
  randomize(stack);
  return stack;
}

const std::vector<Index> lengths = {4, 1, 0, 6, 3};

/// The rows of sequences at `width`, 1000 in padding; packed where width is 0.
Tensor rows_at(const Tensor& packed_rows, Index width) {
  if (width == 0) return packed_rows;
  const Spans from = Spans::packed(lengths);
  const Spans to = Spans::padded(lengths, width);
  const Index d = packed_rows.columns();
  Tensor x = Tensor::full({to.rows(), d}, 1000);
  for (Index i = 0; i < to.count(); ++i)
    std::copy_n(packed_rows.data() + from.begin(i) * d, to.length(i) * d,
                x.data() + to.begin(i) * d);
  return x;
}

TEST(Recurrent, ABatchGivesWhatItsSequencesGiveAlone) {
  for (const Stack& s : stacks()) {
    const Recurrent stack = make(s.options);
    const Spans spans = Spans::packed(lengths);
    const Tensor x = random_tensor({spans.rows(), 6}, 1);
    const auto together = stack(x, spans);
    ASSERT_EQ(together.y.columns(), stack.width()) << s.name;
    for (Index i = 0; i < spans.count(); ++i) {
      const Index begin = spans.begin(i);
      const Index end = begin + spans.length(i);
      const std::vector<Index> one = {spans.length(i)};
      const auto alone = stack(x.slice(begin, end), Spans::packed(one));
      expect_close(together.y.value().slice(begin, end), alone.y.value(), s.name);
      for (std::size_t l = 0; l < stack.layers(); ++l) {
        expect_close(together.forward[l].h.value().slice(i, i + 1), alone.forward[l].h.value(),
                     s.name);
        if (together.forward[l].c.defined())
          expect_close(together.forward[l].c.value().slice(i, i + 1), alone.forward[l].c.value(),
                       s.name);
        if (s.options.bidirectional)
          expect_close(together.backward[l].h.value().slice(i, i + 1), alone.backward[l].h.value(),
                       s.name);
      }
    }
  }
}

TEST(Recurrent, PaddingChangesNothing) {
  for (const Stack& s : stacks()) {
    Recurrent stack = make(s.options);
    const Tensor rows = random_tensor({Spans::packed(lengths).rows(), 6}, 1);
    const auto run = [&](Index width) {
      Parameter x(rows_at(rows, width));
      Parts parts{stack, x};
      const Spans spans = width == 0 ? Spans::packed(lengths) : Spans::padded(lengths, width);
      Gradients g = gradients(parts, [&] {
        const auto out = stack(x, spans);
        Tensor weights =
            rows_at(random_tensor({Spans::packed(lengths).rows(), stack.width()}, 3), width);
        for (Real& w : weights.span())
          w = w == 1000 ? 0 : w;
        Variable loss = sum(out.y * weights);
        for (const CellState& state : out.forward)
          loss = loss + sum(square(state.h)) +
                 (state.c.defined() ? sum(square(state.c)) : Variable(Tensor::zeros({})));
        for (const CellState& state : out.backward)
          loss = loss + sum(square(state.h));
        return loss;
      });
      g.names.pop_back();
      g.values.pop_back();  // of x, which has other rows
      return g;
    };
    const Gradients packed = run(0);
    for (Index width : {6, 9})
      expect_close(run(width), packed, fmt::format("{}, {} wide", s.name, width), 10 * close);
  }
}

TEST(Recurrent, ReadsBackwardsWhatIsReversed) {
  for (const auto& [cell, kind] : cells()) {
    Random random(1);
    RecurrentLayer layer(kind, 6, 5, 0, random);
    randomize(layer);
    const Tensor x = random_tensor({7, 6}, 2);
    Tensor turned({7, 6});
    for (Index t = 0; t < 7; ++t)
      std::copy_n(x.data() + t * 6, 6, turned.data() + (6 - t) * 6);
    const std::vector<Index> one = {7};
    const auto back = layer(x, Spans::packed(one), {}, true);

    const auto forth = layer(turned, Spans::packed(one));
    for (Index t = 0; t < 7; ++t)
      expect_close(back.y.value().slice(t, t + 1), forth.y.value().slice(6 - t, 7 - t), cell);
    expect_close(back.final.h.value(), forth.final.h.value(), cell);
    expect_close(back.final.h.value(), back.y.value().slice(0, 1), cell);
  }
}

TEST(Recurrent, StepByStepIsTheWholeSequence) {
  for (const Stack& s : stacks()) {
    if (s.options.bidirectional) continue;
    const Recurrent stack = make(s.options);
    const std::vector<Index> equal = {5, 5, 5};
    const Tensor x = random_tensor({15, 6}, 1);
    std::vector<CellState> states = stack.start(3);
    const auto whole = stack(x, Spans::packed(equal), states);
    for (Index t = 0; t < 5; ++t) {
      const Ids rows({3}, {static_cast<Id>(t), static_cast<Id>(5 + t), static_cast<Id>(10 + t)});
      expect_close(stack.step(gather(x, rows), states).value(), gather(whole.y, rows).value(),
                   fmt::format("{}, step {}", s.name, t));
    }
    for (std::size_t l = 0; l < states.size(); ++l) {
      expect_close(states[l].h.value(), whole.forward[l].h.value(), s.name);
      if (states[l].c.defined())
        expect_close(states[l].c.value(), whole.forward[l].c.value(), s.name);
    }
  }
}

TEST(Recurrent, CountsItsParametersAsPyTorchDoes) {
  // A layer and direction: gates (in + hidden + 2) hidden, the 2 being both biases.
  struct Row {
    CellKind cell;
    Index in;
    Index hidden;
    int layers;
    bool both;
    Index expected;
  };
  for (const Row& r :
       {Row{CellKind::lstm, 256, 256, 1, true, 2 * 4 * 256 * (256 + 256 + 2)},
        Row{CellKind::gru, 10, 20, 2, false, 3 * 20 * (10 + 20 + 2) + 3 * 20 * (20 + 20 + 2)},
        Row{CellKind::elman, 7, 3, 1, false, 3 * (7 + 3 + 2)},
        Row{CellKind::lstm, 6, 5, 2, true, 2 * 4 * 5 * (6 + 5 + 2) + 2 * 4 * 5 * (10 + 5 + 2)},
        Row{CellKind::norm_lstm, 6, 5, 1, false, 4 * 5 * (6 + 5 + 3) + 2 * 5}}) {
    Recurrent stack = make({.cell = r.cell,
                            .in = r.in,
                            .hidden = r.hidden,
                            .layers = r.layers,
                            .bidirectional = r.both});
    EXPECT_EQ(parameter_count(stack), r.expected) << "cell " << static_cast<int>(r.cell);
  }
}

TEST(Recurrent, ForgetsLittleAtFirst) {
  Random random(1);
  const RecurrentLayer layer(CellKind::lstm, 4, 3, 0, random);

  const RecurrentLayer normed(CellKind::norm_lstm, 4, 3, 0, random);
  for (const Tensor& bias : {layer.bias.value(), normed.input_bias.value()})
    for (Index i = 0; i < 12; ++i)
      EXPECT_EQ(bias[i], i >= 3 && i < 6 ? 1 : 0);
}

TEST(Recurrent, DropsOutInTrainingAlone) {
  for (const auto& [cell, kind] : cells()) {
    Recurrent stack = make({.cell = kind,
                            .in = 6,
                            .hidden = 5,
                            .layers = 2,
                            .dropout = Real(0.3),
                            .recurrent_dropout = Real(0.3)});
    const Recurrent plain = make({.cell = kind, .in = 6, .hidden = 5, .layers = 2});
    const Spans spans = Spans::packed(lengths);
    const Tensor x = random_tensor({spans.rows(), 6}, 1);
    const auto at = [&](std::uint64_t step) {
      step_random() = Random(1, step);
      return stack(x, spans).y.value().to_vector();
    };
    EXPECT_EQ(at(1), at(1));
    EXPECT_NE(at(1), at(2));
    const Evaluating evaluating(stack);
    EXPECT_EQ(at(1), plain(x, spans).y.value().to_vector());
  }
}

TEST(Recurrent, SaysWhatDoesNotFit) {
  EXPECT_EQ(message_of([] { make({.in = 3, .hidden = 0}); }),
            "[recurrent] expected an input and a hidden width of at least 1; got 3 and 0");
  EXPECT_EQ(message_of([] { make({.in = 3, .layers = 0}); }),
            "[recurrent] expected at least one layer; got 0");
  EXPECT_EQ(
      message_of([] {
        std::vector<CellState> states(1);
        make({.in = 3, .hidden = 2, .bidirectional = true}).step(random_tensor({1, 3}, 1), states);
      }),
      "[recurrent] expected layers in one direction, to go step by step; got two");
}

}  // namespace
}  // namespace heed
