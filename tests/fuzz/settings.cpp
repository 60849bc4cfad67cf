// A file of settings, and after a byte 0x1E an assignment for --set. Settings that are accepted are
// written and must read the same.
#include "experiments/settings.h"

#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace heed;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  static const fuzz::File file(".toml"), written(".toml");
  const std::size_t cut = input.find('\x1E');
  cli::Settings settings = cli::default_settings("transformer");
  try {
    cli::read_settings(file.holding(input.substr(0, cut)), settings);
    if (cut != std::string_view::npos) cli::set(settings, std::string(input.substr(cut + 1)));
    cli::check_settings(settings);
  } catch (const Error& error) {
    fuzz::require(std::string_view(error.what()).size() < 2000);  // a line, however much was wrong
    return 0;
  }
  const std::string text = cli::to_toml(settings);
  cli::Settings again = cli::default_settings("lm");
  cli::read_settings(written.holding(text), again);
  cli::check_settings(again);
  fuzz::require(cli::to_toml(again) == text);
  return 0;
}
