#include <cctype>
#include <map>

#include "tests/framework/ops_table/compositions.h"

namespace heed::test {

namespace {

OpTable make_table() {
  OpTable t;
  for (auto add :
       {add_elementwise, add_plain, add_norms_and_losses, add_attention_family,
        add_attention_options, add_recurrence, add_convolution, add_by_hand, add_divided})
    add(t.rows);
  add_pooling(t);
  for (OpRow& row : composed_rows(Size::large))
    t.rows.push_back(std::move(row));
  add_refused(t.calls);
  add_hostile(t.calls);
  return t;
}

}  // namespace

const OpTable& op_table() {
  static const OpTable table = make_table();
  return table;
}

const std::vector<OpRow>& timed_rows() {
  static const std::vector<OpRow> rows = composed_rows(Size::timed);
  return rows;
}

namespace {

/// Element k of the input of index i, before shuffling.
double draw_element(const Input& input, std::size_t i, Index k, Random& random) {
  const double u = random.uniform(input.low, input.high);
  switch (input.kind) {
    case Input::distinct: {
      // A grid that no other input shares: no two elements are within a difference step.
      const auto place = static_cast<double>(k - input.shape.size() / 2);
      return (place + 0.4 * static_cast<double>(i)) / 8;
    }
    case Input::away_from_zero:
      return random.chance(0.5) ? u : -u;
    default:
      return u;
  }
}

}  // namespace

std::vector<Spans> spans_for(Index rows) {
  return {Spans(),           packed({}),        packed({rows + 1}), packed({0, 0}),
          packed({0, rows}), packed({rows, 0}), padded({1}, rows),  packed({1, rows - 1}),
          packed({rows})};
}

Spans mixed(Index count, Index longest) {
  std::vector<Index> lengths;
  for (Index i = 0; i < count; ++i)
    lengths.push_back((5 * i + 3) % (longest + 1));
  return Spans::packed(lengths);
}

std::vector<Tensor> draw(const OpRow& row, std::uint64_t seed) {
  Random random(seed);
  std::vector<Tensor> result;
  for (std::size_t i = 0; i < row.inputs.size(); ++i) {
    const Input& input = row.inputs[i];
    Tensor x(input.shape);
    for (Index k = 0; k < x.size(); ++k)
      x[k] = static_cast<Real>(draw_element(input, i, k, random));
    if (input.kind == Input::distinct) random.shuffle(x.span());
    result.push_back(x);
  }
  return result;
}

std::vector<std::size_t> rows_where(bool (*chosen)(const OpRow&)) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < op_table().rows.size(); ++i)
    if (chosen(op_table().rows[i])) places.push_back(i);
  return places;
}

std::string row_name(std::size_t place) {
  const OpRow& row = op_table().rows[place];
  static const std::map<char, std::string> words{
      {'+', "plus"}, {'-', "minus"}, {'*', "times"}, {'/', "divide"}};
  std::string name;
  for (char c : row.op) {
    if (std::isalnum(c)) {
      name += c;
      continue;
    }
    name += '_';
    if (words.contains(c)) name += words.at(c);
  }
  name += "__";
  for (char c : row.what)
    name += std::isalnum(c) ? c : '_';
  return name + "__" + std::to_string(place);
}

}  // namespace heed::test
