// The text of a language model: read, tokenized, joined again, and batched.
#include "datasets/text/text_windows.h"
#include "datasets/text/unicode.h"
#include "tests/fuzz/input.h"

namespace {

// The tokenizer "words" keeps single spaces between words alone.
std::string single_spaced(std::string_view text) {
  std::string result;
  for (const char c : text)
    if (c != ' ' || (!result.empty() && result.back() != ' ')) result += c;
  if (result.ends_with(' ')) result.pop_back();
  return result;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace heed;
  static const fuzz::File file(".txt");
  const std::string path = file.holding({reinterpret_cast<const char*>(data), size});
  try {
    const std::string text = read_text(path);
    const auto characters =
        train_tokenizer("characters", {}, [&](const TakeLine& take) { take(text); });
    fuzz::require(characters->decode(characters->encode(text)) == text);
    const auto words = train_tokenizer("words", {}, [&](const TakeLine& take) { take(text); });
    fuzz::require(words->decode(words->encode(text)) == single_spaced(unicode::nfc(text)));
    TextWindows windows = TextWindows::open(path, "", *characters, {.context = 4, .batch = 3});
    windows.valid_batches();
    windows.next();
  } catch (const Error&) {}
  return 0;
}
