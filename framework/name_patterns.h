#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace heed {

/// Whether `pattern` describes the whole of `name`: * stands for any characters, dots too, and ?
/// for one.
bool matches(std::string_view pattern, std::string_view name);

/// A choice among names: patterns such as "encoder.*", and exclusions such as "!*.bias". Chosen is
/// what some pattern matches (anything, where there are only exclusions) and no exclusion does;
/// their order does not matter.
class NamePatterns {
 public:
  /// No patterns choose everything. Throws Error for one that is empty.
  explicit NamePatterns(std::vector<std::string> patterns = {});

  /// Of something with several names, any of which may match.
  bool chooses(std::span<const std::string> names) const;
  bool chooses(const std::string& name) const { return chooses(std::span(&name, 1)); }
  const std::vector<std::string>& patterns() const { return patterns_; }  // as given

 private:
  std::vector<std::string> patterns_;
  bool only_exclusions_ = true;
};

}  // namespace heed
