// Sequence ids to sequences. Looking one up takes no lock: slots never move, and an id carries the generation of its
// slot, so that an id of a destroyed sequence is recognised. Creating and destroying take a lock.
#pragma once

#include <atomic>
#include <mutex>

#include "sequence.hpp"

namespace tq {

class SequenceTable {
 public:
  explicit SequenceTable(Account& account) : account_(account), free_(AccountAllocator<std::uint32_t>(account)) {}
  ~SequenceTable();
  SequenceTable(const SequenceTable&) = delete;
  SequenceTable& operator=(const SequenceTable&) = delete;

  // NULL if there is none with this id.
  Sequence* find(std::uint64_t id) const noexcept;
  Sequence& get(std::uint64_t id) const;  // throws kNotFound
  // Marks the sequence as being written, so that it is not destroyed meanwhile; throws kNotFound or kBusy.
  Sequence& begin_write(std::uint64_t id);

  // The new sequence starts as a copy of `from` (NULL: with `layers` empty layers).
  std::uint64_t create(const Sequence* from, std::size_t layers);
  void destroy(std::uint64_t id);
  void clear() noexcept;  // destroys all; nobody may be using any

  std::uint32_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

 private:
  struct Slot {
    std::atomic<std::uint32_t> generation{0};
    std::atomic<Sequence*> sequence{nullptr};
  };
  // Chunk k holds kFirstChunk << k slots.
  static constexpr std::uint32_t kFirstChunk = 64, kChunks = 20;

  static constexpr std::uint32_t kMostSlots = kFirstChunk * ((1u << kChunks) - 1);

  Slot* slot(std::uint32_t index) const noexcept;
  Sequence& claim(std::uint64_t id) const;
  std::uint32_t take_slot();
  void add_chunk();
  void release(Sequence* sequence) noexcept;

  Account& account_;
  std::mutex mutex_;  // also orders begin_write and destroy
  std::atomic<Slot*> chunks_[kChunks] = {};
  std::uint32_t used_ = 0;  // slots handed out so far; those given back are in free_
  Table<std::uint32_t> free_;
  std::atomic<std::uint32_t> size_{0};
};

}  // namespace tq
