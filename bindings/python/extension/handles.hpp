// The objects behind the Python classes: each owns one handle of the library.
#pragma once

#include <memory>
#include <vector>

#include "guards.hpp"

namespace tqpy {

struct LayerShape {
  std::size_t kv_heads, key_dim, value_dim;
};

// Shared by the Cache object and its sequences: lives as long as any of them.
class CacheHandle {
 public:
  CacheHandle(tq_cache* cache, std::vector<LayerShape> layers, std::uint32_t layer_count)
      : cache_(cache), layers_(std::move(layers)), layer_count_(layer_count) {}
  CacheHandle(const CacheHandle&) = delete;
  CacheHandle& operator=(const CacheHandle&) = delete;
  ~CacheHandle() { tq_cache_destroy(cache_); }

  void close();  // destroys the cache and all sequences in it

  tq_cache* get() const { return cache_; }
  Guard& guard() { return guard_; }
  bool closed() const { return guard_.closed(); }
  std::uint32_t layer_count() const { return layer_count_; }
  const LayerShape& layer(std::uint32_t index) const;  // or an error

 private:
  tq_cache* cache_;
  std::vector<LayerShape> layers_;  // layer_count of them, or one for all
  std::uint32_t layer_count_;
  Guard guard_{"cache"};
};

class SequenceHandle {
 public:
  explicit SequenceHandle(std::shared_ptr<CacheHandle> cache);
  SequenceHandle(std::shared_ptr<CacheHandle> cache, tq_sequence sequence)
      : cache_(std::move(cache)), sequence_(sequence) {}
  SequenceHandle(const SequenceHandle&) = delete;
  SequenceHandle& operator=(const SequenceHandle&) = delete;
  ~SequenceHandle();

  std::shared_ptr<SequenceHandle> fork();
  void close();

  tq_sequence get() const { return sequence_; }
  CacheHandle& cache() const { return *cache_; }
  Guard& guard() { return guard_; }
  bool closed() const { return guard_.closed() || cache_->closed(); }

 private:
  std::shared_ptr<CacheHandle> cache_;
  tq_sequence sequence_;
  Guard guard_{"sequence"};
};

class PoolHandle {
 public:
  explicit PoolHandle(std::uint32_t threads);
  PoolHandle(const PoolHandle&) = delete;
  PoolHandle& operator=(const PoolHandle&) = delete;
  ~PoolHandle();

  void close();
  tq_pool* get() const;  // or an error in a process that was forked from the pool's
  Guard& guard() { return guard_; }
  std::uint32_t threads() const { return threads_; }

 private:
  bool of_this_process() const;

  tq_pool* pool_ = nullptr;
  std::uint32_t threads_;
  std::uint32_t generation_;
  Guard guard_{"pool"};
};

// What a call on a sequence holds on to: the cache must not be closed, and nobody may write (or read) the sequence.
struct ReadingSequence {
  explicit ReadingSequence(SequenceHandle& sequence) : cache(sequence.cache().guard()), own(sequence.guard()) {}
  Reading cache;
  Reading own;
};
struct WritingSequence {
  explicit WritingSequence(SequenceHandle& sequence) : cache(sequence.cache().guard()), own(sequence.guard()) {}
  Reading cache;
  Writing own;
};

// The fields of libturboquant.LayerOptions, as keyword arguments.
py::dict fields_of(const tq_layer_options& layer);

void register_transform(py::module_& module);
void register_codec(py::module_& module);
void register_cache(py::module_& module);
void register_sequence(py::module_& module);
void register_attend(py::module_& module);
void register_pool(py::module_& module);
void register_profile(py::module_& module);
void register_timing(py::module_& module);

}  // namespace tqpy
