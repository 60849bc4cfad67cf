// A file of settings, and after a byte 0x1E an assignment for --set. Settings that are accepted are
// written and must read the same.
#include "experiments/inference/toml.h"
#include "experiments/requested_settings.h"
#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace heed;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  static const fuzz::File file(".toml");
  const std::size_t cut = input.find('\x1E');
  Settings settings = default_settings("transformer");
  RequestedSettings requested;
  if (cut != std::string_view::npos) requested.assignments = {std::string(input.substr(cut + 1))};
  try {
    settings.read(file.holding(input.substr(0, cut)));
    apply(requested, settings);
    settings.check();
  } catch (const Error& error) {
    fuzz::require(std::string_view(error.what()).size() < 2000);  // a line, however much was wrong
    return 0;
  }
  const std::string text = to_toml(settings.fields());
  Settings again = default_settings("lm");
  again.read_run(text, "config.toml");
  again.check();
  fuzz::require(to_toml(again.fields()) == text);
  return 0;
}
