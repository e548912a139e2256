// The KV cache of one conversation and attention over it, by libturboquant. This pair of files is all that a runtime
// has to write to get a compressed cache; everything else in this folder is an ordinary transformer.
//
// Per layer and per chunk of new tokens a forward pass does two things, in this order:
//   attend   the new tokens' queries see everything cached, as it is stored, and the new tokens themselves exactly
//   append   the new tokens' keys and values go into the cache; every 64 tokens become one compressed block
#pragma once

#include <turboquant/turboquant.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "threads.hpp"

namespace llama {

// What the cache has to know about the model.
struct CacheShape {
  std::size_t layers, q_heads, kv_heads, head_dim;
};

// What the user may choose; the defaults are the library's own.
struct CacheChoice {
  CacheChoice();
  static CacheChoice exact_16bit();  // the yardstick: the same code path with nothing compressed

  tq_format key_format, value_format;
  std::uint32_t group_size;      // values per scale
  std::uint32_t rotation_block;  // 0: the largest power of two that divides head_dim
  std::uint32_t sink_tokens, recent_blocks;
  bool center_keys, scale_search;
  bool no_tail = false;  // for measurements: append first, in whole blocks, so that nothing but the sinks is exact
  std::uint64_t seed;
  std::string profile;  // a file that says all of this for every layer; empty: none
};

// Keys (after RoPE) and values of `count` new tokens in f16, contiguous [token][kv_head][head_dim].
struct NewTokens {
  std::size_t count;
  const std::uint16_t* keys;
  const std::uint16_t* values;
};

class KvCache {
 public:
  KvCache(const CacheShape& shape, const CacheChoice& choice, Threads& threads);

  tq_cache_statistics statistics() const;

  // Forgets all tokens.
  void clear();

  // Tokens that the last layer holds, which is the position of the next token before a forward pass.
  std::size_t length() const;

  // Tokens for the next forward pass, so that it ends where `no_tail` wants it to.
  std::size_t next_chunk(std::size_t chunk_tokens) const;

  // Attends to the new tokens and appends them; queries and output: [token][q_head][head_dim].
  void extend(std::size_t layer, const NewTokens& tokens, const float* queries, float* output);

 private:
  // Does not change the cache.
  void attend(std::size_t layer, const NewTokens& tokens, const float* queries, float* output) const;
  void append(std::size_t layer, const NewTokens& tokens);

  struct Destroy {
    void operator()(tq_cache* cache) const { tq_cache_destroy(cache); }
  };

  CacheShape shape_;
  std::size_t sinks_;
  bool no_tail_;
  Threads& threads_;
  std::unique_ptr<tq_cache, Destroy> cache_;
  tq_sequence sequence_ = 0;  // owned by cache_
};

}  // namespace llama
