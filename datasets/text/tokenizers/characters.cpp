#include "datasets/text/tokenizers/characters.h"

#include "datasets/text/utf8.h"

namespace heed {

std::vector<std::string> Characters::tokens(std::string_view text) const {
  std::vector<std::string> pieces;
  pieces.reserve(text.size());
  utf8::for_each(text, [&](char32_t, std::string_view bytes) { pieces.emplace_back(bytes); });
  return pieces;
}

std::string Characters::join(std::span<const std::string> pieces) const {
  std::string text;
  for (const std::string& piece : pieces)
    text += piece;
  return text;
}

}  // namespace heed
