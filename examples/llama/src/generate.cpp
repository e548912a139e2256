#include "generate.hpp"

#include <algorithm>
#include <span>

#include "evaluate.hpp"

namespace llama {

Continuation generate(Model& model, KvCache& cache, const std::vector<TokenId>& prompt, std::size_t count,
                      Sampler sampler, const std::function<void(TokenId)>& on_token) {
  std::vector<float> logits;
  cache.clear();
  for (std::size_t start = 0; start < prompt.size(); start += kChunkTokens) {
    const std::size_t size = std::min(kChunkTokens, prompt.size() - start);
    model.forward(std::span(prompt).subspan(start, size), cache, LogitsOf::kLastToken, logits);
  }

  Continuation result;
  std::size_t steps = 0;
  while (result.tokens.size() < count) {
    const TokenId token = sampler.draw(logits);
    if (token == model.config().eos) break;
    result.tokens.push_back(token);
    on_token(token);
    if (result.tokens.size() == count) break;
    result.time += model.forward(std::span(&token, 1), cache, LogitsOf::kLastToken, logits);
    ++steps;
  }
  result.time.total /= static_cast<double>(std::max<std::size_t>(steps, 1));
  result.time.cache /= static_cast<double>(std::max<std::size_t>(steps, 1));
  return result;
}

std::size_t first_difference(const std::vector<TokenId>& a, const std::vector<TokenId>& b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

}  // namespace llama
