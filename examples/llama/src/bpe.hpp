// Byte-pair encoding of one word: as long as two neighbours form a known pair, the pair of the lowest rank (the
// leftmost, if there are several) becomes one token.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "files.hpp"

namespace llama {

class MergeTable {
 public:
  // Ranks are given in increasing order; a pair that comes twice keeps the last one, as in Hugging Face tokenizers.
  void add(TokenId left, TokenId right, TokenId result);

  // O(n log n), because a "word" may be a megabyte of dashes.
  void apply(std::vector<TokenId>& word) const;

 private:
  struct Merge {
    std::uint32_t rank;
    TokenId result;
  };
  const Merge* find(TokenId left, TokenId right) const;

  std::unordered_map<std::uint64_t, Merge> merges_;
  std::uint32_t next_rank_ = 0;
};

}  // namespace llama
