// The bytes of a checkpoint file. Its checksums reject most inputs; checkpoint_sealed passes them.
#include "framework/checkpoint.h"

#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace heed;
  static const fuzz::File file(".heed");
  try {
    load(file.holding({reinterpret_cast<const char*>(data), size}));
  } catch (const Error& error) {
    fuzz::require(std::string_view(error.what()).size() < 2000);
  }
  return 0;
}
