#include "datasets/text/utf8.h"

#include <cstdint>
#include <cstring>

#include "datasets/text/unicode.h"
#include "framework/error.h"

namespace heed::utf8 {

namespace {

// Table 3-7 of the Unicode standard: the length of a sequence and the range of its second byte, by
// its first byte. The range excludes overlong forms, surrogates and code points above U+10FFFF.
struct Form {
  std::size_t length;
  unsigned low;
  unsigned high;
};

Form form(unsigned first) {
  if (first < 0x80) return {1, 0, 0};
  if (first < 0xC2) return {0, 0, 0};
  if (first < 0xE0) return {2, 0x80, 0xBF};
  if (first < 0xF0) return {3, first == 0xE0 ? 0xA0u : 0x80u, first == 0xED ? 0x9Fu : 0xBFu};
  if (first < 0xF5) return {4, first == 0xF0 ? 0x90u : 0x80u, first == 0xF4 ? 0x8Fu : 0xBFu};
  return {0, 0, 0};
}

unsigned byte(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

// Whether the eight bytes at `at` exist and are ASCII.
bool eight_ascii(std::string_view text, std::size_t at) {
  std::uint64_t eight;
  if (text.size() - at < sizeof eight) return false;
  std::memcpy(&eight, text.data() + at, sizeof eight);
  return (eight & 0x8080808080808080) == 0;
}

// The length of the sequence at `at`, 0 when it is malformed.
std::size_t sequence_length(std::string_view text, std::size_t at) {
  const Form f = form(byte(text, at));
  if (f.length < 2) return f.length;
  if (f.length > text.size() - at || byte(text, at + 1) < f.low || byte(text, at + 1) > f.high)
    return 0;
  for (std::size_t i = 2; i < f.length; ++i)
    if ((byte(text, at + i) & 0xC0) != 0x80) return 0;
  return f.length;
}

}  // namespace

std::size_t find_invalid(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (eight_ascii(text, at)) {  // most text is ASCII: this is the fast path
      at += 8;
      continue;
    }
    const std::size_t length = sequence_length(text, at);
    if (length == 0) return at;
    at += length;
  }
  return std::string_view::npos;
}

char32_t next(std::string_view text, std::size_t& at) {
  const std::size_t length = sequence_length(text, at);
  if (length == 0)
    fail("malformed UTF-8 at byte {} (0x{:02X}) of a text; save it as UTF-8", at + 1,
         byte(text, at));
  const unsigned first = byte(text, at);
  char32_t code = length == 1 ? first : first & (0xFFu >> (length + 1));
  for (std::size_t i = 1; i < length; ++i)
    code = code << 6 | (byte(text, at + i) & 0x3F);
  at += length;
  return code;
}

void append(std::string& text, char32_t code) {
  const auto put = [&](char32_t value) {
    text.push_back(static_cast<char>(static_cast<unsigned char>(value)));
  };
  // The six bits of the code point from `shift` on, as a continuation byte.
  const auto put_six_bits = [&](int shift) { put(0x80 | (code >> shift & 0x3F)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put_six_bits(0);
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put_six_bits(6);
    put_six_bits(0);
  } else {
    put(0xF0 | code >> 18);
    put_six_bits(12);
    put_six_bits(6);
    put_six_bits(0);
  }
}

std::size_t length(std::string_view text) {
  std::size_t count = 0;
  for_each(text, [&](char32_t, std::string_view) { ++count; });
  return count;
}

std::string_view trim(std::string_view text) {
  while (!text.empty()) {
    std::size_t end = 0;
    if (!is_space(next(text, end))) break;
    text.remove_prefix(end);
  }
  while (!text.empty()) {
    std::size_t begin = text.size() - 1;
    while (begin > 0 && (byte(text, begin) & 0xC0) == 0x80)
      --begin;
    std::size_t at = begin;
    if (!is_space(next(text, at))) break;
    text = text.substr(0, begin);
  }
  return text;
}

bool is_space(char32_t code) {
  if (code < 0x80) return (code >= 9 && code <= 13) || (code >= 0x1C && code <= 0x20);
  return unicode::is_space(code);
}

}  // namespace heed::utf8
