#include "sequence_table.hpp"

#include <bit>

namespace tq {
namespace {

// id = generation << 32 | index + 1, so that 0 is never an id.
std::uint32_t index_of(std::uint64_t id) { return static_cast<std::uint32_t>(id) - 1; }
std::uint32_t generation_of(std::uint64_t id) { return static_cast<std::uint32_t>(id >> 32); }

}  // namespace

SequenceTable::Slot* SequenceTable::slot(std::uint32_t index) const noexcept {
  if (index >= kMostSlots) return nullptr;
  const std::uint32_t ordinal = index / kFirstChunk + 1;
  const auto chunk = static_cast<std::uint32_t>(std::bit_width(ordinal)) - 1;
  Slot* slots = chunks_[chunk].load(std::memory_order_acquire);
  return slots == nullptr ? nullptr : slots + (index - kFirstChunk * (std::bit_floor(ordinal) - 1));
}

Sequence* SequenceTable::find(std::uint64_t id) const noexcept {
  const Slot* found = id == 0 ? nullptr : slot(index_of(id));
  if (found == nullptr || found->generation.load(std::memory_order_acquire) != generation_of(id)) return nullptr;
  return found->sequence.load(std::memory_order_acquire);
}

Sequence& SequenceTable::get(std::uint64_t id) const {
  Sequence* sequence = find(id);
  if (sequence == nullptr) {
    fail(Status::kNotFound, "sequence %llu does not exist (never created, or destroyed)",
         static_cast<unsigned long long>(id));
  }
  return *sequence;
}

// The lock is held. Every slot has room in free_, so that giving it back cannot fail.
std::uint32_t SequenceTable::take_slot() {
  if (!free_.empty()) {
    const std::uint32_t index = free_.back();
    free_.pop_back();
    return index;
  }
  if (used_ == kMostSlots) fail(Status::kOutOfMemory, "a cache holds at most %u sequences", kMostSlots);
  if (slot(used_) == nullptr) add_chunk();
  return used_++;
}

// A chunk of slots, and room in free_ for all of them; both or, if one fails, none.
void SequenceTable::add_chunk() {
  const std::uint32_t ordinal = used_ / kFirstChunk + 1;
  const auto chunk = static_cast<std::uint32_t>(std::bit_width(ordinal)) - 1;
  const std::size_t count = std::size_t{kFirstChunk} * std::bit_floor(ordinal);
  Table<std::uint32_t> room(free_.get_allocator());
  room.reserve(used_ + count);
  auto* slots = static_cast<Slot*>(account_.allocate(count * sizeof(Slot)));
  for (std::size_t i = 0; i < count; ++i) new (slots + i) Slot;
  chunks_[chunk].store(slots, std::memory_order_release);
  free_.swap(room);  // it was empty
}

std::uint64_t SequenceTable::create(const Sequence* from, std::size_t layers) {
  void* memory = account_.allocate(sizeof(Sequence));
  Sequence* sequence = nullptr;
  try {
    sequence = from != nullptr ? new (memory) Sequence(*from) : new (memory) Sequence(account_, layers);
    const std::lock_guard lock(mutex_);
    const std::uint32_t index = take_slot();
    Slot* free = slot(index);
    const std::uint32_t generation = free->generation.load(std::memory_order_relaxed) + 1;
    free->sequence.store(sequence, std::memory_order_release);
    free->generation.store(generation, std::memory_order_release);
    size_.fetch_add(1, std::memory_order_relaxed);
    return std::uint64_t{generation} << 32 | (index + 1);
  } catch (...) {
    if (sequence != nullptr) sequence->~Sequence();
    account_.release(memory, sizeof(Sequence));
    throw;
  }
}

// The lock is held.
Sequence& SequenceTable::claim(std::uint64_t id) const {
  Sequence& sequence = get(id);
  if (sequence.writing.exchange(true, std::memory_order_acquire))
    fail(Status::kBusy, "sequence %llu is being written by another thread", static_cast<unsigned long long>(id));
  return sequence;
}

Sequence& SequenceTable::begin_write(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  return claim(id);
}

void SequenceTable::destroy(std::uint64_t id) {
  Sequence* sequence = nullptr;
  {
    const std::lock_guard lock(mutex_);
    sequence = &claim(id);
    Slot* used = slot(index_of(id));
    used->sequence.store(nullptr, std::memory_order_release);
    free_.push_back(index_of(id));
    size_.fetch_sub(1, std::memory_order_relaxed);
  }
  release(sequence);
}

void SequenceTable::release(Sequence* sequence) noexcept {
  sequence->~Sequence();
  account_.release(sequence, sizeof(Sequence));
}

void SequenceTable::clear() noexcept {
  for (std::uint32_t index = 0; index < used_; ++index) {
    if (Sequence* sequence = slot(index)->sequence.exchange(nullptr)) release(sequence);
  }
}

SequenceTable::~SequenceTable() {
  clear();
  for (std::uint32_t chunk = 0; chunk < kChunks; ++chunk) {
    Slot* slots = chunks_[chunk].load(std::memory_order_relaxed);
    if (slots != nullptr) account_.release(slots, (std::size_t{kFirstChunk} << chunk) * sizeof(Slot));
  }
}

}  // namespace tq
