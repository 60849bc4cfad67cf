#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace heed::toy {

std::vector<std::string> split_sentences(const std::string& text);

/// What a reader understands of a report of toy:summarization, who knows the phrases of its
/// templates but not how it was drawn.
struct Reading {
  std::string headline;
  std::string topic;
  std::size_t lead = 0;
  std::size_t sentences = 0;
  std::size_t events = 0;
  bool apart = false;  // another event or an aside stands between the sentences the headline needs
};
Reading read_report(const std::string& report);

}  // namespace heed::toy
