// Counts the bytes of a cache against its budget, and what they are spent on. Safe for any number of threads.
#pragma once

#include <atomic>

#include "../support/memory.hpp"

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
    reserve(size);
    try {
      return allocator_.allocate(size);
    } catch (...) {
      bytes_.fetch_sub(size, std::memory_order_relaxed);
      throw;
    }
  }
  void release(void* pointer, std::size_t size) noexcept {
    allocator_.release(pointer, size);
    bytes_.fetch_sub(size, std::memory_order_relaxed);
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
  void reserve(std::size_t size) {
    std::uint64_t now = bytes_.load(std::memory_order_relaxed);
    do {
      if (budget_ != 0 && (size > budget_ || now > budget_ - size)) {
        fail(Status::kOutOfMemory, "byte_budget: %zu more bytes would exceed %llu, of which %llu are in use", size,
             static_cast<unsigned long long>(budget_), static_cast<unsigned long long>(now));
      }
    } while (!bytes_.compare_exchange_weak(now, now + size, std::memory_order_relaxed));
    const std::uint64_t total = now + size;
    std::uint64_t peak = peak_.load(std::memory_order_relaxed);
    while (total > peak && !peak_.compare_exchange_weak(peak, total, std::memory_order_relaxed)) {
    }
  }

  Allocator allocator_;
  std::uint64_t budget_;
  std::atomic<std::uint64_t> bytes_{0}, peak_{0};
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
