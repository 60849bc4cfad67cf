// A .tsv of two columns, and one of which the second and first column are chosen.
#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace heed;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  static const fuzz::File file(".tsv");
  fuzz::read_pairs({file.holding(input)});
  fuzz::read_pairs({file.holding(input)}, {"2", "1"});
  return 0;
}
