// A .jsonl with the known keys.
#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace heed;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  static const fuzz::File file(".jsonl");
  fuzz::read_pairs({file.holding(input)});
  return 0;
}
