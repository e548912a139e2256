// Counts the bytes of a cache against its budget, and what they are spent on. Safe for any number of threads.
#pragma once

#include <atomic>
#include <mutex>

#include "../support/memory.hpp"
#include "slabs.hpp"

namespace tq {

// What a page, or a change of one, adds to the statistics; all signed so that it can be taken back.
struct Usage {
  std::int64_t tokens = 0, coded_tokens = 0;
  std::int64_t code_bytes = 0, scale_bytes = 0, mean_bytes = 0, exact_bytes = 0;
  std::int64_t coded_bytes = 0;
  std::int64_t bytes_16bit = 0, coded_bytes_16bit = 0;
};

class Account {
 public:
  Account(const Allocator& allocator, std::uint64_t budget) : allocator_(allocator), budget_(budget) {}

  void* allocate(std::size_t size) {
    if (!reserve(size)) {
      fail(Status::kOutOfMemory, "byte_budget: %zu more bytes would exceed %llu, of which %llu are in use", size,
           static_cast<unsigned long long>(budget_), static_cast<unsigned long long>(bytes()));
    }
    try {
      return allocator_.allocate(size);
    } catch (...) {
      cancel(size);
      throw;
    }
  }
  void release(void* pointer, std::size_t size) noexcept {
    allocator_.release(pointer, size);
    cancel(size);
  }

  // Memory of a page: a slot of `slab`, or on its own where `slab` becomes NULL.
  void* allocate_page(std::size_t size, Slabs::Slab*& slab) {
    slab = nullptr;
    if (!allocator_.is_default()) return allocate(size);  // callers' allocators see every page
    bool full = false;
    void* page = take_slot(size, slab, full);
    if (full) Slabs::use_huge_pages(*slab);  // the page keeps the slab in place
    return page;
  }
  void release_page(void* pointer, std::size_t size, Slabs::Slab* slab) noexcept {
    if (!allocator_.is_default()) return release(pointer, size);
    const std::lock_guard<std::mutex> lock(slabs_mutex_);
    Slabs::Size* of = slabs_.size_for(size);
    if (of != nullptr) of->live -= of->slot;
    if (slab == nullptr) return release(pointer, size);
    cancel(of->slot);
    if (!Slabs::give_back(*slab, pointer)) return;
    Slabs::free(*slab);
    cancel(of->left_over());
  }

  void add(const Usage& usage, int sign = 1) noexcept {
    const auto apply = [sign](std::atomic<std::int64_t>& to, std::int64_t value) {
      if (value != 0) to.fetch_add(sign * value, std::memory_order_relaxed);
    };
    apply(tokens, usage.tokens);
    apply(coded_tokens, usage.coded_tokens);
    apply(code_bytes, usage.code_bytes);
    apply(scale_bytes, usage.scale_bytes);
    apply(mean_bytes, usage.mean_bytes);
    apply(exact_bytes, usage.exact_bytes);
    apply(coded_bytes, usage.coded_bytes);
    apply(bytes_16bit, usage.bytes_16bit);
    apply(coded_bytes_16bit, usage.coded_bytes_16bit);
  }

  const Allocator& allocator() const { return allocator_; }
  std::uint64_t budget() const { return budget_; }
  std::uint64_t bytes() const { return bytes_.load(std::memory_order_relaxed); }
  std::uint64_t peak() const { return peak_.load(std::memory_order_relaxed); }

  std::atomic<std::int64_t> tokens{0}, coded_tokens{0}, code_bytes{0}, scale_bytes{0}, mean_bytes{0}, exact_bytes{0},
      coded_bytes{0}, bytes_16bit{0}, coded_bytes_16bit{0};

 private:
  // False if the budget does not allow it.
  bool reserve(std::size_t size) noexcept {
    std::uint64_t now = bytes_.load(std::memory_order_relaxed);
    do {
      if (budget_ != 0 && (size > budget_ || now > budget_ - size)) return false;
    } while (!bytes_.compare_exchange_weak(now, now + size, std::memory_order_relaxed));
    const std::uint64_t total = now + size;
    std::uint64_t peak = peak_.load(std::memory_order_relaxed);
    while (total > peak && !peak_.compare_exchange_weak(peak, total, std::memory_order_relaxed)) {
    }
    return true;
  }

  void cancel(std::size_t size) noexcept { bytes_.fetch_sub(size, std::memory_order_relaxed); }

  void* take_slot(std::size_t size, Slabs::Slab*& slab, bool& full) {
    const std::lock_guard<std::mutex> lock(slabs_mutex_);
    Slabs::Size* of = slabs_.size_for(size);
    if (of == nullptr) return allocate(size);
    if (of->room == nullptr && Slabs::worth_a_slab(*of)) add_slab(*of);
    void* page = nullptr;
    if (of->room != nullptr && reserve(of->slot)) page = Slabs::take(*of, slab);
    full = page != nullptr && Slabs::full(*slab);
    if (page == nullptr) {
      drop_empty_slab(*of);
      page = allocate(size);
    }
    of->live += of->slot;
    return page;
  }

  // A new slab of which the budget allows no slot.
  void drop_empty_slab(Slabs::Size& size) noexcept {
    if (size.room == nullptr || size.room->taken != 0) return;
    Slabs::free(*size.room);
    cancel(size.left_over());
  }

  void add_slab(Slabs::Size& size) noexcept {
    if (!reserve(size.left_over())) return;
    if (!Slabs::grow(size)) cancel(size.left_over());
  }

  Allocator allocator_;
  std::uint64_t budget_;
  std::atomic<std::uint64_t> bytes_{0}, peak_{0};
  std::mutex slabs_mutex_;
  Slabs slabs_;
};

// For std::vector: tables count like everything else.
template <class T>
struct AccountAllocator {
  using value_type = T;

  explicit AccountAllocator(Account& own) : account(&own) {}
  template <class U>
  AccountAllocator(const AccountAllocator<U>& other) : account(other.account) {}

  T* allocate(std::size_t count) { return static_cast<T*>(account->allocate(count * sizeof(T))); }
  void deallocate(T* pointer, std::size_t count) noexcept { account->release(pointer, count * sizeof(T)); }
  template <class U>
  bool operator==(const AccountAllocator<U>& other) const {
    return account == other.account;
  }

  Account* account;
};

}  // namespace tq
