// Scale indices, and the mean of a block, to the bytes that are stored (docs/format.md sections 2 and 4).
#pragma once

#include "encode-inl.hpp"
#include "fold-inl.hpp"

namespace tq {
namespace {

template <class S>
std::int32_t largest_index(const std::int32_t* indices, std::size_t count) noexcept {
  typename S::I most = S::I::load_unaligned(indices);
  for (std::size_t i = S::kLanes; i < count; i += S::kLanes) most = xsimd::max(most, S::I::load_unaligned(indices + i));
  std::int32_t lanes[S::kLanes];
  most.store_unaligned(lanes);
  std::int32_t largest = lanes[0];
  for (const std::int32_t lane : lanes) largest = lane > largest ? lane : largest;
  return largest;
}

template <class S>
bool scale_bytes(const std::int32_t* indices, std::int32_t offset, std::uint8_t* bytes) noexcept {
  const typename S::I zero = splat<S>(0), none = splat<S>(kZeroIndex);
  bool lost = false;
  for (std::size_t i = 0; i < kTile; i += S::kLanes) {
    const typename S::I index = S::I::load_unaligned(indices + i), byte = index - splat<S>(16 * offset);
    lost = lost || xsimd::any((index > none) & (byte <= zero));
    S::store_bytes(xsimd::max(byte, zero), bytes + i);
  }
  return lost;
}

template <class S>
float encode_mean(const float* mean, std::size_t padded, std::int8_t* codes) noexcept {
  const float largest = largest_of_row<S>(mean, padded);
  const bool zero = largest < kSmallestGroup;
  const typename S::F inverse(zero ? 0.0f : 127.0f / largest), limit(127.0f);
  for (std::size_t j = 0; j < padded; j += S::kLanes) {
    const typename S::I code = S::round(S::limit(S::F::load_unaligned(mean + j) * inverse, limit));
    S::store_bytes(code & splat<S>(0xFF), reinterpret_cast<std::uint8_t*>(codes + j));
  }
  return zero ? 0.0f : largest / 127.0f;
}

}  // namespace
}  // namespace tq
