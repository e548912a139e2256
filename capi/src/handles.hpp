// The opaque handles that more than one file needs.
#pragma once

#include "cache/cache.hpp"
#include "codec/tokens.hpp"
#include "internal.hpp"
#include "threads/pool.hpp"

struct tq_cache {
  tq_cache(const tq::Allocator& allocator, std::uint64_t budget, const tq::LayerOptions* layers, std::size_t count,
           std::size_t given)
      : cache(allocator, budget, layers, count, given) {}
  tq::Cache cache;
};

struct tq_pool {
  explicit tq_pool(std::uint32_t threads) : pool(threads) {}
  tq::Pool pool;
};

namespace tq::capi {

// Checks a tq_kv against a layer; `name` is what messages call it.
TokenSource tokens_from(const tq_kv* kv, const Layer& layer, const char* name);

// The layer `index` of a cache.
const Layer& layer_of(const Cache& cache, std::uint32_t index);

}  // namespace tq::capi
