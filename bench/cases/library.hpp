// The library, through its public C API.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "cases/data.hpp"
#include "turboquant/turboquant.h"

namespace bench {

extern tq_error last_error;
void check(tq_status status);  // throws std::runtime_error with the library's message

using PoolHandle = std::unique_ptr<tq_pool, decltype(&tq_pool_destroy)>;
PoolHandle make_pool(unsigned threads);

// A cache of one layer and one or more sequences.
class LibraryCache {
 public:
  explicit LibraryCache(const tq_layer_options& layer, const tq_allocator* allocator = nullptr);

  tq_sequence add_sequence();
  void append(tq_sequence sequence, const Pool& pool, std::size_t tokens);  // f16 input
  std::size_t read_bytes() const;  // what attention over all sequences has to read: codes, scales, means, exact tokens
  tq_cache* handle() const { return cache_.get(); }

 private:
  std::unique_ptr<tq_cache, decltype(&tq_cache_destroy)> cache_;
};

tq_layer_options layer_options(std::size_t kv_heads, std::size_t head_dim);

// One decode call: every sequence with one query per query head.
class DecodeCall {
 public:
  DecodeCall(const LibraryCache& cache, const std::vector<tq_sequence>& sequences, std::size_t q_heads,
             std::size_t head_dim, const float* queries, float* out, tq_pool* pool = nullptr);
  void run() const;  // all sequences in one call
  void run_one_by_one() const;

 private:
  const tq_cache* cache_;
  tq_attend_options options_;
  std::vector<tq_attend_item> items_;
};

}  // namespace bench
