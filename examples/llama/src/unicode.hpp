// UTF-8 and the few properties of characters that tokenizers ask for (Unicode 16).
#pragma once

#include <cstddef>
#include <string_view>

namespace llama {

enum class CharClass { kLetter, kNumber, kSpace, kOther };  // \p{L}, \p{N}, \s, the rest

struct Character {
  char32_t code = 0;
  std::size_t bytes = 0;  // 0: not valid UTF-8, or the end of the text
};

Character character_at(std::string_view text, std::size_t position);
CharClass char_class(char32_t code);

// Where the first invalid byte is; text.size() if the text is valid UTF-8.
std::size_t first_invalid_utf8(std::string_view text);

// Where the first character is that NFC normalisation might change; text.size() if NFC leaves the text as it is.
std::size_t first_not_surely_nfc(std::string_view text);

}  // namespace llama
