#include "tokenizer.hpp"

#include "error.hpp"
#include "unicode.hpp"

namespace llama {

std::vector<TokenId> Tokenizer::encode(std::string_view text, std::string_view what, std::size_t limit) const {
  if (const std::size_t bad = first_invalid_utf8(text); bad != text.size())
    refuse(what, " is not valid UTF-8 at byte ", bad, ": convert it to UTF-8");
  if (needs_nfc_)
    if (const std::size_t odd = first_not_surely_nfc(text); odd != text.size())
      refuse(what, " has at byte ", odd, " a character that this model's tokenizer may combine or replace ",
             "(Unicode NFC), which this example cannot do: use a text without separate accents");

  std::vector<TokenId> ids;
  std::size_t i = 0;
  while (i < text.size() && ids.size() < limit) {
    if (const AddedToken* token = added_token_at(text.substr(i))) {
      ids.push_back(token->id);
      i += token->text.size();
      continue;
    }
    // Ordinary text up to the next added token is split on its own, as if the text ended there.
    std::size_t end = i + 1;
    while (end < text.size() && !added_token_at(text.substr(end))) ++end;
    const std::string_view piece = text.substr(0, end);
    while (i < end && ids.size() < limit) {
      const std::size_t word_end = splitter_.word_end(piece, i);
      encode_word(piece.substr(i, word_end - i), ids);
      i = word_end;
    }
  }
  return ids;
}

const Tokenizer::AddedToken* Tokenizer::added_token_at(std::string_view text) const {
  if (text.empty() || !starts_added_token_[static_cast<unsigned char>(text[0])]) return nullptr;
  for (const AddedToken& token : added_)
    if (text.starts_with(token.text)) return &token;
  return nullptr;
}

void Tokenizer::encode_word(std::string_view word, std::vector<TokenId>& ids) const {
  if (whole_words_first_)
    if (const auto found = ids_.find(std::string(word)); found != ids_.end()) {
      ids.push_back(found->second);
      return;
    }
  std::vector<TokenId> symbols;
  symbols.reserve(word.size());
  for (const char byte : word) symbols.push_back(byte_ids_[static_cast<unsigned char>(byte)]);
  merges_.apply(symbols);
  ids.insert(ids.end(), symbols.begin(), symbols.end());
}

std::string Tokenizer::decode(const std::vector<TokenId>& ids) const {
  std::string text;
  for (const TokenId id : ids) text += decode(id);
  return text;
}

}  // namespace llama
