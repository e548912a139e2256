// The cache: layers, sequences, bytes. Thread contract: see turboquant.h.
#pragma once

#include "counters.hpp"
#include "sequence_table.hpp"

namespace tq {

class Cache {
 public:
  Cache(const Allocator& allocator, std::uint64_t byte_budget, const LayerOptions* layers, std::size_t count,
        std::size_t given);
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  const Allocator& allocator() const { return account_.allocator(); }
  const Account& account() const { return account_; }
  Counters& counters() const { return counters_; }
  std::size_t layer_count() const { return layer_count_; }
  const Layer& layer(std::size_t i) const { return *layers_[i % given_]; }  // given_ is 1 or layer_count_
  std::uint32_t sequences() const { return table_.size(); }

  std::uint64_t create() { return table_.create(nullptr, layer_count_); }
  std::uint64_t fork(std::uint64_t id) { return table_.create(&table_.get(id), layer_count_); }
  void destroy(std::uint64_t id) { table_.destroy(id); }
  const Sequence& sequence(std::uint64_t id) const { return table_.get(id); }

  void append(std::uint64_t id, std::size_t layer, const TokenSource& source);
  void truncate(std::uint64_t id, std::size_t length);
  void read(std::uint64_t id, std::size_t layer, std::size_t first, std::size_t count, const TokenTarget& target) const;

 private:
  Account account_;
  mutable Counters counters_;  // attention counts, too, and leaves the cache as it is
  std::size_t layer_count_;
  std::size_t given_;
  Buffer<Layer*> layers_;
  SequenceTable table_;
};

}  // namespace tq
