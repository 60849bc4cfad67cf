// The file of a tokenizer; or the kind of a tokenizer with a model, a byte 0x1E, and the model. In
// the second case the tokenizer file has the right length and hash.
#include <xxhash.h>

#include "datasets/text/tokenizer.h"
#include "tests/fuzz/input.h"

namespace {

using namespace heed;

void use(const Tokenizer& tokenizer) {
  Random random(1);
  std::vector<Id> all;
  for (Id id = 0; id < static_cast<Id>(tokenizer.size()); ++id)
    all.push_back(id), tokenizer.token(id);
  tokenizer.decode(all);
  for (const std::string_view text :
       {"", " ", "the dogs  sleep.", "l'été à Zürich, 日本語 😀\n▁￭",
        "“e\u0301” 👩\u200D👧\u200B，\u00A0é", "<s> <0x41> aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    std::vector<std::string> extra;
    for (const auto& ids : {tokenizer.encode(text), tokenizer.sample(text, 0.5, random),
                            tokenizer.encode_widening(text, extra)})
      for (const Id id : ids)
        fuzz::require(id >= 0 &&
                      id < static_cast<Id>(tokenizer.size()) + static_cast<Id>(extra.size()));
    tokenizer.decode(tokenizer.encode(text));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  static const std::string stem = fuzz::unused_path();
  static const fuzz::File file(stem, ".json");
  static const fuzz::File model(stem, ".model");
  const std::size_t cut = input.find('\x1E');
  std::string json(input.substr(0, cut));
  if (cut != std::string_view::npos) {
    const std::string_view bytes = input.substr(cut + 1);
    model.holding(bytes);
    json = fmt::format(R"({{"format": "heed tokenizer", "version": 1, "kind": "{}", "size": 0, )"
                       R"("model": {{"bytes": {}, "xxh3": "{:016x}"}}}})",
                       json == "bpe" ? "bpe" : "unigram", bytes.size(),
                       XXH3_64bits(bytes.data(), bytes.size()));
  }
  for (int attempt = 0; attempt < 2; ++attempt) {
    try {
      use(*Tokenizer::load(file.holding(json)));
      return 0;
    } catch (const Error& error) {
      const std::string_view what = error.what();
      const std::string_view holds = "0 entries and holds ";
      fuzz::require(what.size() < 2000);
      const std::size_t at = what.find(holds);
      if (cut == std::string_view::npos || at == std::string_view::npos) return 0;
      const std::string_view rest = what.substr(at + holds.size());
      // Try again with the size that the model has.
      json.replace(json.find("\"size\": 0"), 9,
                   "\"size\": " + std::string(rest.substr(0, rest.find(')'))));
    }
  }
  return 0;
}
