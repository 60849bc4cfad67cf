// Two line-aligned files: the input before and after its first byte 0x1E.
#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace heed;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  static const fuzz::File source(".a"), target(".b");
  const std::size_t cut = std::min(input.find('\x1E'), input.size());
  fuzz::read_pairs({source.holding(input.substr(0, cut)),
                    target.holding(input.substr(std::min(cut + 1, input.size())))});
  return 0;
}
