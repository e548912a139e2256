// All memory of the library comes through an Allocator: the caller's callbacks, or aligned malloc.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>
#include <utility>

#include "error.hpp"

namespace tq {

inline constexpr std::size_t kAlignment = 64;

class Allocator {
 public:
  using Allocate = void* (*)(void* user, std::size_t size, std::size_t alignment);
  using Release = void (*)(void* user, void* pointer, std::size_t size);

  Allocator() = default;
  Allocator(Allocate allocates, Release releases, void* user) : allocate_(allocates), release_(releases), user_(user) {}

  bool is_default() const { return allocate_ == nullptr; }

  // Never NULL; throws Status::kOutOfMemory. Aligned to 64 bytes.
  void* allocate(std::size_t size) const {
    void* pointer = nullptr;
    if (allocate_ != nullptr) {
      pointer = allocate_(user_, size, kAlignment);
    } else {
      pointer = std::aligned_alloc(kAlignment, (size + kAlignment - 1) / kAlignment * kAlignment);
    }
    if (pointer == nullptr) fail(Status::kOutOfMemory, "the allocator refused %zu bytes", size);
    return pointer;
  }
  void release(void* pointer, std::size_t size) const noexcept {
    if (release_ != nullptr) return release_(user_, pointer, size);
    std::free(pointer);
  }

 private:
  Allocate allocate_ = nullptr;
  Release release_ = nullptr;
  void* user_ = nullptr;
};

// An aligned array of trivial values, uninitialised.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(const Allocator& allocator, std::size_t count) : allocator_(allocator), count_(count) {
    if (count == 0) return;
    if (count > SIZE_MAX / sizeof(T)) fail(Status::kOutOfMemory, "an array of %zu elements does not fit memory", count);
    data_ = static_cast<T*>(allocator_.allocate(count * sizeof(T)));
  }
  Buffer(Buffer&& other) noexcept
      : allocator_(other.allocator_),
        data_(std::exchange(other.data_, nullptr)),
        count_(std::exchange(other.count_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(allocator_, other.allocator_);
    std::swap(data_, other.data_);
    std::swap(count_, other.count_);
    return *this;
  }
  ~Buffer() {
    if (data_ != nullptr) allocator_.release(data_, count_ * sizeof(T));
  }

  T* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return count_; }
  T& operator[](std::size_t i) const noexcept { return data_[i]; }
  T* begin() const noexcept { return data_; }
  T* end() const noexcept { return data_ + count_; }

 private:
  Allocator allocator_;
  T* data_ = nullptr;
  std::size_t count_ = 0;
};

// Objects of the library itself.
template <class T, class... Arguments>
T* create(const Allocator& allocator, Arguments&&... arguments) {
  void* memory = allocator.allocate(sizeof(T));
  try {
    return new (memory) T(std::forward<Arguments>(arguments)...);
  } catch (...) {
    allocator.release(memory, sizeof(T));
    throw;
  }
}
template <class T>
void destroy(const Allocator& allocator, T* object) noexcept {
  if (object == nullptr) return;
  const Allocator copy = allocator;  // it may live inside the object
  object->~T();
  copy.release(object, sizeof(T));
}

}  // namespace tq
