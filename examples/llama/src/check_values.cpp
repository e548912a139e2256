#include "check_values.hpp"

#include <algorithm>
#include <span>

#include "distributions.hpp"
#include "evaluate.hpp"

namespace llama {

double loss_of_pieces(Model& model, const std::vector<TokenId>& text, std::size_t pieces, std::size_t tokens,
                      KvCache& cache) {
  const std::size_t vocabulary = model.config().vocabulary;
  double loss = 0.0;
  std::vector<float> logits;
  for (std::size_t piece = 0; piece < pieces; ++piece) {
    const std::span<const TokenId> targets = std::span(text).subspan(piece * tokens, tokens);
    std::vector<TokenId> inputs = {model.config().bos};
    inputs.insert(inputs.end(), targets.begin(), targets.end() - 1);
    cache.clear();
    for (std::size_t start = 0; start < tokens; start += kChunkTokens) {
      const std::size_t count = std::min(kChunkTokens, tokens - start);
      model.forward(std::span(inputs).subspan(start, count), cache, LogitsOf::kEveryToken, logits);
      for (std::size_t i = 0; i < count; ++i) {
        const auto row = std::span<const float>(logits).subspan(i * vocabulary, vocabulary);
        loss += log_sum_exp(row) - row[static_cast<std::size_t>(targets[start + i])];
      }
    }
  }
  return loss / static_cast<double>(pieces * tokens);
}

CheckValues check_values(Model& model, const std::vector<TokenId>& text, KvCache& exact) {
  return {loss_of_pieces(model, text, 1, CheckValues::kShort, exact),
          loss_of_pieces(model, text, CheckValues::kPieces, CheckValues::kLong, exact)};
}

}  // namespace llama
