#pragma once

#include <string>
#include <vector>

#include "framework/fields.h"

namespace heed {

/// A value of a TOML file.
struct TomlEntry {
  std::string key;  // with its tables: "model.d"
  FieldValue value;
  Index line = 0;  // from 1
};

/// The values of a TOML text, in their order. Whole numbers, numbers, texts, lists of texts, true
/// and false are read. `name`: of the file, for messages.
///
/// Throws Error, "FILE:LINE: ...", where the text is no TOML, holds another kind of value, or nests
/// tables deeper than settings do.
std::vector<TomlEntry> read_toml(const std::string& text, const std::string& name);

/// Reads a file. Throws Error where there is none, or it is larger than settings can be.
std::string read_toml_file(const std::string& path);

/// A value as TOML writes it.
std::string toml_text(const FieldValue& value);

/// The fields as a TOML text, with their helps as comments. Keys are written SECTION.NAME.
std::string to_toml(const Fields& fields);

}  // namespace heed
