#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/module.h"

namespace heed {

/// True if `pattern` matches the whole of `name`. `*` stands for any number of characters, dots
/// included, and `?` for one character.
bool matches(std::string_view pattern, std::string_view name);

/// Chooses names by patterns such as "encoder.*" and exclusions such as "!*.bias". A name is chosen
/// if
/// - at least one pattern matches it, or there are only exclusions; and
/// - no exclusion matches it.
/// The order of patterns and exclusions does not matter.
class ParameterPatterns {
 public:
  /// Without patterns, every name is chosen. Throws Error when a pattern is empty.
  explicit ParameterPatterns(std::vector<std::string> patterns = {});

  /// For an item with several names. A pattern matches the item if it matches any of them.
  bool chooses(std::span<const std::string> names) const;
  bool chooses(const std::string& name) const { return chooses(std::span(&name, 1)); }
  const std::vector<std::string>& patterns() const { return patterns_; }  // as given

 private:
  std::vector<std::string> patterns_;
  bool only_exclusions_ = true;
};

/// A parameter with all its names. A parameter that two layers share has several, and a pattern
/// matches it if it matches any of them.
struct ParameterNames {
  ParameterRef parameter;
  std::vector<std::string> names;  // the first one is used in checkpoints
};
/// In the order of parameters().
std::vector<ParameterNames> parameter_names(AnyModule module);
/// The patterns and exclusions that match no parameter.
std::vector<std::string> unmatched(AnyModule module, const ParameterPatterns& patterns);
std::vector<std::string> unmatched(const std::vector<ParameterNames>& all,
                                   const ParameterPatterns& patterns);

}  // namespace heed
