// The first step of a byte-level BPE tokenizer: cutting text into words, which merges never cross.
//
// Tokenizers describe the cut by a regular expression. Three are in use by the models this example runs, and each is a
// short loop here:
//   GPT-2    's 't 're 've 'm 'll 'd |  ?\p{L}+ |  ?\p{N}+ |  ?[^\s\p{L}\p{N}]+ | \s+(?!\S) | \s+
//   Llama 3  the same contractions in any case | [^\r\n\p{L}\p{N}]?\p{L}+ | \p{N}{1,3}
//            |  ?[^\s\p{L}\p{N}]+[\r\n]* | \s*[\r\n]+ | \s+(?!\S) | \s+
//   Qwen2    as Llama 3, but \p{N} alone
#pragma once

#include <cstddef>
#include <string_view>

#include <nlohmann/json.hpp>

namespace llama {

class PreSplitter {
 public:
  PreSplitter() = default;  // GPT-2

  // From the "pre_tokenizer" of tokenizer.json. Refuses what it does not know.
  explicit PreSplitter(const nlohmann::json& pre_tokenizer);

  // The end of the word that begins at `start` < text.size(). `text` is valid UTF-8.
  std::size_t word_end(std::string_view text, std::size_t start) const;

 private:
  enum class Style { kGpt2, kLlama3 };  // Qwen2 is kLlama3 with one digit at a time

  Style style_ = Style::kGpt2;
  std::size_t digits_at_once_ = 3;  // kLlama3 only
  bool isolate_digits_ = false;     // a "Digits" step ahead of GPT-2's: every digit is a word of its own
};

}  // namespace llama
