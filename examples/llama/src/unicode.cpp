#include "unicode.hpp"

#include <algorithm>
#include <iterator>

namespace llama {
namespace {

struct CodePointRange {
  char32_t first, last;
};

#include "unicode_ranges.inc"

template <std::size_t kSize>
bool contains(const CodePointRange (&ranges)[kSize], char32_t code) {
  const auto* range = std::upper_bound(std::begin(ranges), std::end(ranges), code,
                                       [](char32_t value, const CodePointRange& r) { return value < r.first; });
  return range != std::begin(ranges) && code <= std::prev(range)->last;
}

// White_Space, which is what \s means in the patterns of tokenizers.
bool is_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

}  // namespace

Character character_at(std::string_view text, std::size_t position) {
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};  // by length; anything smaller is overlong
  if (position >= text.size()) return {};
  const auto lead = static_cast<unsigned char>(text[position]);
  if (lead < 0x80) return {lead, 1};
  const std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || bytes > text.size() - position) return {};
  char32_t code = lead & (0xffu >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    const auto next = static_cast<unsigned char>(text[position + i]);
    if ((next & 0xc0) != 0x80) return {};
    code = code << 6 | (next & 0x3fu);
  }
  if (code < kSmallest[bytes] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {code, bytes};
}

CharClass char_class(char32_t code) {
  if (is_space(code)) return CharClass::kSpace;
  if (contains(kLetters, code)) return CharClass::kLetter;
  return contains(kNumbers, code) ? CharClass::kNumber : CharClass::kOther;
}

std::size_t first_invalid_utf8(std::string_view text) {
  std::size_t i = 0;
  while (const std::size_t bytes = character_at(text, i).bytes) i += bytes;
  return i;
}

std::size_t first_not_surely_nfc(std::string_view text) {
  bool after_combining = false;
  std::size_t i = 0;
  for (Character c = character_at(text, i); c.bytes != 0; c = character_at(text, i)) {
    const bool combining = c.code >= 0x300 && contains(kCombining, c.code);
    if ((combining && after_combining) || (c.code >= 0x300 && contains(kNotSurelyNfc, c.code))) break;
    after_combining = combining;
    i += c.bytes;
  }
  return i;
}

}  // namespace llama
