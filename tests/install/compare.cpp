// Compares two families with two seeds each.
#include <filesystem>
#include <iostream>

#include <heed/heed.h>

int main() {
  const heed::Comparison comparison = heed::compare({.models = {"rnn", "transformer"},
                                                     .data = {"toy:copy"},
                                                     .assignments = {"model.d=16"},
                                                     .steps = 10,
                                                     .seeds = 2,
                                                     .lines = 20},
                                                    "comparison");
  std::cout << heed::to_text(comparison);
  const bool complete = comparison.runs.size() == 4 && comparison.models[1].model == "transformer";
  const bool has_page = std::filesystem::exists("comparison/comparison.html");
  return complete && comparison.pairs.size() == 1 && has_page ? 0 : 1;
}
