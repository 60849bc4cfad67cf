// The bytes of a checkpoint file, read from the file and from memory, which must agree. Its
// checksums reject most inputs; checkpoint_sealed passes them.
#include "framework/checkpoint.h"

#include "tests/fuzz/input.h"
#include "tests/message_of.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace heed;
  static const fuzz::File file(".heed");
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string message = message_of([&] { load(file.holding(bytes)); });
  fuzz::require(message.size() < 2000);
  fuzz::require(message_of([&] { load_bytes(bytes, file.path()); }) == message);
  return 0;
}
