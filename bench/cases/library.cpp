#include "cases/library.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace bench {

tq_error last_error = {sizeof(tq_error), TQ_OK, ""};

void check(tq_status status) {
  if (status != TQ_OK) throw std::runtime_error(std::string(tq_status_name(status)) + ": " + last_error.message);
}

PoolHandle make_pool(unsigned threads) {
  tq_pool* pool = nullptr;
  check(tq_pool_create(threads, &pool, &last_error));
  return {pool, tq_pool_destroy};
}

tq_layer_options layer_options(std::size_t kv_heads, std::size_t head_dim) {
  tq_layer_options layer;
  tq_layer_options_init(&layer, sizeof layer);
  layer.kv_heads = static_cast<std::uint32_t>(kv_heads);
  layer.key_dim = static_cast<std::uint32_t>(head_dim);
  return layer;
}

LibraryCache::LibraryCache(const tq_layer_options& layer, const tq_allocator* allocator)
    : cache_(nullptr, tq_cache_destroy) {
  tq_cache_options options;
  tq_cache_options_init(&options, sizeof options);
  options.layer_count = 1;
  options.layers = &layer;
  if (allocator != nullptr) options.allocator = *allocator;
  tq_cache* cache = nullptr;
  check(tq_cache_create(&options, &cache, &last_error));
  cache_.reset(cache);
}

tq_sequence LibraryCache::add_sequence() {
  tq_sequence sequence = 0;
  check(tq_sequence_create(cache_.get(), &sequence, &last_error));
  return sequence;
}

void LibraryCache::append(tq_sequence sequence, const Pool& pool, std::size_t tokens) {
  tq_kv kv;
  tq_kv_init(&kv, sizeof kv);
  kv.dtype = TQ_F16;
  kv.keys = pool.keys_f16.data();
  kv.values = pool.values_f16.data();
  for (std::size_t done = 0; done < tokens; done += kv.count) {
    kv.count = std::min(tokens - done, Pool::kTokens);
    check(tq_cache_append(cache_.get(), sequence, 0, &kv, &last_error));
  }
}

std::size_t LibraryCache::read_bytes() const {
  tq_cache_statistics stats;
  tq_cache_statistics_init(&stats, sizeof stats);
  check(tq_cache_stats(cache_.get(), &stats, &last_error));
  return stats.code_bytes + stats.scale_bytes + stats.mean_bytes + stats.exact_bytes;
}

DecodeCall::DecodeCall(const LibraryCache& cache, const std::vector<tq_sequence>& sequences, std::size_t q_heads,
                       std::size_t head_dim, const float* queries, float* out, tq_pool* pool)
    : cache_(cache.handle()), items_(sequences.size()) {
  tq_attend_options_init(&options_, sizeof options_);
  options_.q_heads = static_cast<std::uint32_t>(q_heads);
  options_.pool = pool;
  for (std::size_t i = 0; i < items_.size(); ++i) {
    tq_attend_item_init(&items_[i], sizeof items_[i]);
    items_[i].sequence = sequences[i];
    items_[i].n_query = 1;
    items_[i].query = queries + i * q_heads * head_dim;
    items_[i].output = out + i * q_heads * head_dim;
  }
}

void DecodeCall::run() const { check(tq_attend(cache_, &options_, items_.data(), items_.size(), &last_error)); }
void DecodeCall::run_one_by_one() const {
  for (const tq_attend_item& item : items_) check(tq_attend(cache_, &options_, &item, 1, &last_error));
}

}  // namespace bench
