// Losses to hold against those that the makers of a model published: they tell whether the forward pass is right.
#pragma once

#include <cstddef>
#include <vector>

#include "kv_cache.hpp"
#include "model.hpp"

namespace llama {

// Nats per token over `pieces` pieces of `tokens` tokens each, one behind the other in `text`. Every token of a piece
// is predicted, the first one from BOS alone: the model reads BOS and all but the last token of the piece.
double loss_of_pieces(Model& model, const std::vector<TokenId>& text, std::size_t pieces, std::size_t tokens,
                      KvCache& cache);

struct CheckValues {
  static constexpr std::size_t kShort = 512, kPieces = 4, kLong = 1024;
  static constexpr std::size_t kTokensNeeded = kPieces * kLong;

  double first_512 = 0.0, four_times_1024 = 0.0;
};

// With the 16-bit cache; `text` has at least kTokensNeeded tokens.
CheckValues check_values(Model& model, const std::vector<TokenId>& text, KvCache& exact);

}  // namespace llama
