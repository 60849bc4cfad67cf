#include "framework/freezing.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "framework/error.h"

namespace heed {

int freeze(AnyModule module, const ParameterPatterns& patterns) {
  std::vector<ParameterNames> all = parameter_names(module);
  const std::vector<std::string> unused = unmatched(all, patterns);
  check(unused.empty(), "freeze", "expected patterns that match parameters; got {}",
        fmt::join(unused, ", "));
  const auto stays = [&](const ParameterNames& p) { return !patterns.chooses(p.names); };
  const auto first_frozen = std::partition(all.begin(), all.end(), stays);
  const auto trainable = [](const ParameterNames& p) { return p.parameter.trainable(); };
  check(std::any_of(all.begin(), first_frozen, trainable), "freeze",
        "expected something left to train; got patterns that freeze every parameter");
  for (auto p = first_frozen; p != all.end(); ++p) {
    p->parameter.trainable() = false;
    p->parameter.clear_gradient();
  }
  return static_cast<int>(all.end() - first_frozen);
}

}  // namespace heed
