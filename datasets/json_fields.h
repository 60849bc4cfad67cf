#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace heed {

/// What one JSON text holds under a few keys of its outermost object; everything else is read past
/// and not kept, however deep.
struct JsonFields {
  struct Field {
    std::string key;
    int times = 0;              // it stands there
    const char* type = "null";  // of the value: string, number, object, array, boolean or null
    std::string text = "";      // of a string
  };
  std::vector<Field> fields;        // as asked for
  std::vector<std::string> others;  // keys that are there besides, at most a hundred
  bool is_object = false;
  std::size_t error = 0;  // the byte, from 1, where it is seen to be no JSON; 0: it is
};

/// Reads `text` into `found`, whose keys are to be given.
void read_json_fields(std::string_view text, JsonFields& found);

}  // namespace heed
