// What compressing the cache does to a model: the same text is read with both caches, in lockstep.
#pragma once

#include <turboquant/turboquant.h>

#include <functional>
#include <vector>

#include "model.hpp"

namespace llama {

// Tokens per forward pass while reading. A query sees compressed only what was complete before its chunk.
inline constexpr std::size_t kChunkTokens = 64;

// Window w is BOS and the next context - 1 tokens of the text; windows do not overlap.
struct Windows {
  std::size_t count, context;

  std::size_t text_tokens() const { return count * (context - 1); }
};

struct CacheResult {
  double loss = 0.0;               // nats per predicted token
  ForwardTime time;                // seconds per token
  tq_cache_statistics statistics;  // at the end of the last window
};

struct Evaluation {
  CacheResult exact, coded;
  double kl_mean = 0.0;  // KL(exact || coded), over all positions
  double top1 = 0.0;     // share of positions where both find the same token most likely
};

// `progress` is told how many of how many tokens are done.
using Progress = std::function<void(std::size_t done, std::size_t all)>;

Evaluation evaluate(Model& model, Threads& threads, const std::vector<TokenId>& text, const Windows& windows,
                    KvCache& exact, KvCache& coded, const Progress& progress);

}  // namespace llama
