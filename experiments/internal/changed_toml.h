#pragma once

#include <string>
#include <vector>

#include "framework/fields.h"

namespace heed {

/// A value of a setting, "decode.beam".
struct TomlChange {
  std::string key;
  FieldValue value;
};

/// A text of settings with other values, of which all else stays, comments too. A setting that it
/// lacks is added to its section. `name`: of the file, for messages. Throws Error, "FILE: ...",
/// where a value has no line of its own that could be replaced.
std::string changed_toml(std::string text, const std::string& name,
                         const std::vector<TomlChange>& changes);

}  // namespace heed
