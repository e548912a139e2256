// Asking for memory before it is needed.
#pragma once

#include "../simd/unroll.hpp"
#include "kernel_table.hpp"

namespace tq {
namespace {

enum class Use { kRead, kWrite };

// Rows that will be read or written, of which a few are asked for at each step of something else: who asks for all at
// once has to wait, and who does not ask waits when he needs them.
template <Use For>
class AwaitedRows {
 public:
  // data NULL: no rows.
  AwaitedRows(const void* data, std::size_t stride_bytes, std::size_t row_bytes, std::size_t rows,
              std::size_t at_once) noexcept
      : data_(static_cast<const char*>(data)),
        stride_(stride_bytes),
        bytes_(row_bytes),
        left_(data != nullptr ? rows : 0),
        at_once_(at_once) {}

  TQ_INLINE void fetch_some() noexcept {
    for (std::size_t i = 0; i < at_once_ && left_ != 0; ++i, --left_, data_ += stride_) {
      for (std::size_t at = 0; at < bytes_; at += 64) {
        if constexpr (For == Use::kWrite) __builtin_prefetch(data_ + at, 1, 3);
        if constexpr (For == Use::kRead) __builtin_prefetch(data_ + at, 0, 2);  // not soon: the second-level cache
      }
    }
  }

 private:
  const char* data_;
  std::size_t stride_, bytes_, left_, at_once_;
};

}  // namespace
}  // namespace tq
