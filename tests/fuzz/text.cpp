// The text of a language model: read, cut into tokens, put together again, and batched.
#include "datasets/text_windows.h"
#include "tests/fuzz/input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace heed;
  static const fuzz::File file(".txt");
  const std::string path = file.holding({reinterpret_cast<const char*>(data), size});
  try {
    const std::string text = read_text(path);
    const auto characters = train_tokenizer("characters", {}, [&](const TakeLine& take) { take(text); });
    fuzz::require(characters->decode(characters->encode(text)) == text);
    const auto words = train_tokenizer("words", {}, [&](const TakeLine& take) { take(text); });
    words->decode(words->encode(text));
    TextWindows windows = TextWindows::open(path, "", *characters, {.context = 4, .batch = 3});
    windows.valid_batches(), windows.next();
  } catch (const Error&) {
  }
  return 0;
}
