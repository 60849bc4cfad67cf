#pragma once

#include <iostream>

#include "experiments/inference/translation.h"

namespace heed::cli {

/// Warns of the first line that is too long for the model.
class CutWarning {
 public:
  /// `placed`: the most tokens of a source; 0: any number.
  CutWarning(const Tokenizers& tokenizers, Index placed)
      : tokenizers_(tokenizers), placed_(placed) {}
  /// `first`: the number of the first line, from 0.
  void check(std::span<const std::string> lines, std::size_t first) {
    if (warned_) return;
    const auto found = first_long_line(placed_, tokenizers_, lines);
    if (!found) return;
    warned_ = true;
    std::cerr << fmt::format(
        "heed: warning: standard input:{}: has {} tokens, </s> among them; cut to {}, as is any "
        "longer line\n",
        first + found->line + 1, found->tokens, longest_source(placed_));
  }

 private:
  const Tokenizers& tokenizers_;
  Index placed_;
  bool warned_ = false;
};

}  // namespace heed::cli
