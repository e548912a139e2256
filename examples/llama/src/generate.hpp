// Writing on from a prompt.
#pragma once

#include <functional>
#include <vector>

#include "distributions.hpp"
#include "model.hpp"

namespace llama {

struct Continuation {
  std::vector<TokenId> tokens;  // without the prompt
  ForwardTime time;             // seconds per decoded token, the prompt not included
};

// Reads `prompt` in chunks, then decodes one token at a time until there are `count` or the model ends the text.
// `on_token` sees each token as soon as it is drawn.
Continuation generate(Model& model, KvCache& cache, const std::vector<TokenId>& prompt, std::size_t count,
                      Sampler sampler, const std::function<void(TokenId)>& on_token);

// Index of the first token in which they differ; if one is the start of the other, the length of the shorter.
std::size_t first_difference(const std::vector<TokenId>& a, const std::vector<TokenId>& b);

}  // namespace llama
