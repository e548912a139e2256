// Asking for memory before it is needed.
#pragma once

#include "../simd/simd.hpp"
#include "kernel_table.hpp"

namespace tq {
namespace {

// Asks for memory that will be read soon, a few lines at a time, because a processor that waits for as many as it can
// (24 here, 16 there) stops. Hardware looks ahead only within a page of 4 KiB, about half of a block.
template <std::size_t bytes>
TQ_INLINE inline void prefetch(const std::uint8_t* at) noexcept {
  for (std::size_t i = 0; i < bytes; i += 64) __builtin_prefetch(at + i);
}
// Asks the second-level cache for what will be read later: it can wait for more lines than the first.
template <std::size_t bytes>
TQ_INLINE inline void prefetch_later(const std::uint8_t* at) noexcept {
  for (std::size_t i = 0; i < bytes; i += 64) __builtin_prefetch(at + i, 0, 2);
}

// Asks for memory that will be written soon.
template <std::size_t bytes>
TQ_INLINE inline void prefetch_write(const void* at) noexcept {
  for (std::size_t i = 0; i < bytes; i += 64) __builtin_prefetch(static_cast<const char*>(at) + i, 1);
}

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

// kLanes rows are read side by side, `Bytes` of each at a step. At byte `at` this asks for a share of their next cache lines,
// or of the first ones of the kLanes rows behind; whether there are such rows does not matter.
template <class S, int Bytes>
TQ_INLINE inline void fetch_next_lines(const char* rows, std::size_t stride, std::size_t row_bytes,
                                       std::size_t at) noexcept {
  constexpr std::size_t line = 64, share = S::kLanes * Bytes / line;
  const std::size_t next = at / line * line + line;
  const char* p = (next < row_bytes ? rows + next : rows + S::kLanes * stride) + at % line / Bytes * share * stride;
  unroll<share>([&](auto i) TQ_INLINE { __builtin_prefetch(p + i * stride); });
}

}  // namespace
}  // namespace tq
