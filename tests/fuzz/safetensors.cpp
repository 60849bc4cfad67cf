// A .safetensors file. If it is read, it is written again, and must then read the same.
#include "framework/safetensors.h"

#include <algorithm>
#include <cstring>

#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace heed;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  static const fuzz::File file(".safetensors"), again(".again.safetensors");
  try {
    const Safetensors found = load_safetensors(file.holding(input));
    const std::string& path = again.holding("");
    save_safetensors(path, found.tensors, found.metadata);
    const Safetensors back = load_safetensors(path);
    fuzz::require(back.metadata == found.metadata && back.tensors.size() == found.tensors.size());
    for (const auto& [name, x] : found.tensors) {
      const auto same = std::find_if(back.tensors.begin(), back.tensors.end(),
                                     [&](const NamedTensor& y) { return y.name == name; });
      fuzz::require(same != back.tensors.end() && same->tensor.shape() == x.shape());
      fuzz::require(x.size() == 0 ||
                    std::memcmp(same->tensor.data(), x.data(), x.span().size_bytes()) == 0);
    }
  } catch (const Error& error) {
    fuzz::require(std::string_view(error.what()).find('\n') == std::string_view::npos);
  }
  return 0;
}
