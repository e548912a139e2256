// Softmax between products of tiles: the scores of a row and block become weights in bf16, which need less than others.
#pragma once

#include "run-inl.hpp"

namespace tq {
namespace {

// 2^f for 0 <= f <= 1 to a relative 2.6e-6, highest coefficient first.
inline constexpr float kWholeExp2[] = {1.3534168062386604e-2f, 5.201146029931644e-2f, 2.414427570980055e-1f,
                                       6.930038344324978e-1f, 1.0000025933692647f};

template <class S>
TQ_INLINE inline typename S::F weight_of(typename S::F x) noexcept {
  const typename S::F exponent = xsimd::max(x, typename S::F(kLeastWeight)), f = S::beyond_floor(exponent);
  typename S::F p(kWholeExp2[0]);
  unroll<4>([&](auto i) TQ_INLINE { p = S::multiply_add(p, f, typename S::F(kWholeExp2[i + 1])); });
  return S::times_power_of_two(p, exponent);  // whose fraction does not count
}

// 64 weights 2^(score + offset), to the left side of a product; and their sums by lanes. False if a score is so much
// larger than the reference that this has to move first.
template <class S>
TQ_INLINE inline bool weigh_tokens(const float* scores, float offset, std::uint8_t* left, float* lane_sums) noexcept {
  constexpr int vectors = kTokenVectors<S>;
  typename S::F::register_type x[vectors];
  const typename S::F most = shifted_scores<S>(scores, 1.0f, offset, x);
  if (xsimd::any(most > typename S::F(kHeadroom))) [[unlikely]]
    return false;
  unroll<vectors>([&](auto i) TQ_INLINE { x[i] = weight_of<S>(x[i]); });
  typename S::F sum = S::F::load_aligned(lane_sums);
  unroll<vectors / 2>([&](auto i) TQ_INLINE {
    const typename S::F low(x[2 * i]), high(x[2 * i + 1]);
    store_lanes<S>(S::join_bf16(low, high), left + i * S::kTileBytes);
    sum += low + high;
  });
  sum.store_aligned(lane_sums);
  return true;
}

}  // namespace
}  // namespace tq
