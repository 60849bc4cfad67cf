// The pairs of a .tsv compressed by gzip. Its checksums reject most inputs that a fuzzer makes, so
// good seeds are important here.
#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace heed;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  static const fuzz::File file(".tsv.gz");
  fuzz::read_pairs({file.holding("\x1F\x8B" + std::string(input))});
  return 0;
}
