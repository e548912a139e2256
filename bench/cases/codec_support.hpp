// What the cases that encode and decode share.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "cases/data.hpp"
#include "harness/case.hpp"
#include "turboquant/turboquant.h"

namespace bench {

std::size_t element_bytes(tq_dtype dtype);
std::string dtype_name(tq_dtype dtype);
// Aligned to cache lines, as tensors are.
Memory elements(const std::vector<float>& values, tq_dtype dtype);

// The add limit of `rows` transforms of `head_dim` values: no codec with a rotation can be faster.
Work transform_work(std::size_t head_dim, std::size_t rows);
// That many transforms in the L1 cache, by the library.
Contender transforms(std::size_t head_dim, std::size_t rows);

// Keeps what the library frees for its next request, as an engine's arena does; otherwise the time to get fresh pages
// from the system would be counted as encoding.
class Arena {
 public:
  Arena() = default;
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  tq_allocator callbacks() { return {allocate, release, this}; }

 private:
  static void* allocate(void* user, std::size_t size, std::size_t alignment);
  static void release(void* user, void* pointer, std::size_t size);
  std::multimap<std::size_t, void*> free_;
};

}  // namespace bench
