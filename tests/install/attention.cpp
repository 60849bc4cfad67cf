// The attention of a line: each token of the output spreads a weight of 1 over the source.
#include <cmath>
#include <numeric>

#include <heed/heed.h>

int main() {
  const heed::Run run = heed::open_run("runs/copy");
  const heed::AttendedLine line = run.attention("a b c d");
  if (line.source != std::vector<std::string>{"a", "b", "c", "d", "</s>"}) return 1;
  const heed::AttentionLayerMap& map = line.layers.at(0);
  if (map.columns != 5 || map.rows != std::ssize(line.target) || map.heads != 1) return 1;
  for (heed::Index row = 0; row < map.rows; ++row) {
    const auto begin = map.weights.begin() + row * map.columns;
    if (std::abs(std::accumulate(begin, begin + map.columns, 0.0) - 1) > 1e-5) return 1;
  }
  return 0;
}
