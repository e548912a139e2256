// Asking for memory before it is needed.
#pragma once

#include "../simd/unroll.hpp"
#include "kernel_table.hpp"

namespace tq {
namespace {

// Rows that will be read later, of which one is asked for at each step of something else: who asks for all at once has to
// wait.
class AwaitedRows {
 public:
  // The first `count` of the source, `dim` values each; its data may be NULL.
  AwaitedRows(const RowSource& source, std::size_t count, std::size_t dim) noexcept
      : data_(static_cast<const char*>(source.data)),
        stride_(source.stride * element_bytes(source.element)),
        bytes_(dim * element_bytes(source.element)),
        left_(source.data != nullptr ? count : 0) {}

  TQ_INLINE void fetch_one() noexcept {
    if (left_ == 0) return;
    for (std::size_t at = 0; at < bytes_; at += 64) __builtin_prefetch(data_ + at, 0, 2);  // to the second-level cache
    data_ += stride_;
    --left_;
  }

 private:
  const char* data_;
  std::size_t stride_, bytes_, left_;
};

}  // namespace
}  // namespace tq
