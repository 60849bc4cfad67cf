#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace heed {

/// The values that one JSON text holds under a few keys of its outermost object. Other values,
/// however deep, are skipped and not stored.
struct JsonFields {
  struct Field {
    std::string key;
    int times = 0;              // how often the key occurs
    const char* type = "null";  // of the last value: string, number, object, array, boolean, null
    // The last value that is a string, a number or a boolean. Equal numbers have one text: 1.0
    // has that of 1.
    std::string text = "";
  };
  std::vector<Field> fields;        // one for each key to look for
  std::vector<std::string> others;  // other keys of the object, at most a hundred
  bool is_object = false;
  std::size_t error = 0;  // the byte, from 1, at which the text is not valid JSON; 0: it is valid
};

/// Reads `text`. The caller sets the keys of `found.fields`; all else in `found` is overwritten.
void read_json_fields(std::string_view text, JsonFields& found);

}  // namespace heed
