// Rotated values as integers, and the numbers that scales and codes are made of (docs/format.md section 3).
//
// Four neighbouring coordinates of a token form a granule. Their quantities travel as two registers of 16-bit pairs,
// (0, 2) and (1, 3), which interleave into the bytes 0 1 2 3 with one shift and one or.
#pragma once

#include "columns-inl.hpp"

namespace tq {
namespace {

inline constexpr std::size_t kMaxGroup = 64;
inline constexpr int kIndexBias = 127 * 16;                      // scale index of bits b: (b >> 19) - kIndexBias
inline constexpr float kSmallestGroup = 7.888609052210118e-31f;  // 2^-100

template <class S>
struct Pairs {
  typename S::I even, odd;  // coordinates (0, 2) and (1, 3) of a granule
};

template <class S>
Pairs<S> halfword_bytes(typename S::I bytes) noexcept {
  return {bytes & splat<S>(0x00FF00FF), S::template shift_right16<8>(bytes)};
}
// 2^exponent for a vector of exponents within -126..127.
template <class S>
typename S::F power_of_two(typename S::I exponent) noexcept {
  return S::from_bits((exponent + splat<S>(127)) << 23);
}
// The number with this scale index.
template <class S>
typename S::F scale_of_index(typename S::I index) noexcept {
  return S::from_bits((index + splat<S>(kIndexBias)) << 19);
}
// Scales of kLanes tokens from their bytes; byte 0 is zero. Without the block's 2^offset.
template <class S>
typename S::F scales_from_bytes(const std::uint8_t* bytes) noexcept {
  const typename S::I b = S::load_bytes(bytes);
  return S::where_not_zero(b, scale_of_index<S>(b));
}
// The scale index of a positive number, rounded by adding `round` to its bits.
template <class S>
typename S::I index_of_scale(typename S::F scale, std::int32_t round) noexcept {
  return S::template shift_right32<19>(S::bits(scale) + splat<S>(round)) - splat<S>(kIndexBias);
}

template <class S>
typename S::F column_at(const float* columns, std::size_t j) noexcept {
  return S::F::load_unaligned(columns + j * S::kLanes);
}

template <class S>
typename S::F largest_magnitude(const float* columns, std::size_t width) noexcept {
  typename S::F::register_type most[8];
  unroll<8>([&](auto i) TQ_INLINE { most[i] = typename S::F(0.0f); });
  std::size_t j = 0;
  for (; j + 8 <= width; j += 8)
    unroll<8>([&](auto i) TQ_INLINE { most[i] = S::max_magnitude(most[i], column_at<S>(columns, j + i)); });
  for (; j < width; ++j) most[0] = S::max_magnitude(most[0], column_at<S>(columns, j));
  unroll<4>([&](auto i) TQ_INLINE { most[i] = S::max_magnitude(most[i], most[i + 4]); });
  return S::max_magnitude(S::max_magnitude(most[0], most[1]), S::max_magnitude(most[2], most[3]));
}

// A group of up to 64 values of kLanes tokens as integers, and their magnitudes limited to 4095.
template <class S>
struct IntegerGroup {
  Pairs<S> value[kMaxGroup / 4], magnitude[kMaxGroup / 4];
  std::size_t granules;
  typename S::I last_bytes;  // which bytes of the last granule belong to the group
};

// The bits of v * 2^n + 1.5 * 2^23 end in rint(v * 2^n), for magnitudes up to 2^15. The product is exact (or far below
// a half), so that it makes no difference whether it is rounded.
template <class S>
typename S::I integer_bits(typename S::F v, typename S::F factor) noexcept {
  return S::bits(S::multiply_add(v, factor, typename S::F(12582912.0f)));
}

template <class S>
void to_integers(const float* columns, std::size_t width, typename S::F factor, IntegerGroup<S>& group) noexcept {
  group.granules = (width + 3) / 4;
  group.last_bytes = splat<S>(static_cast<std::int32_t>(0xFFFFFFFFu >> (8 * (4 * group.granules - width))));
  const typename S::I most = splat<S>(0x0FFF0FFF);
  for (std::size_t g = 0; g < group.granules; ++g) {
    typename S::I::register_type q[4];
    unroll<4>([&](auto i) TQ_INLINE { q[i] = integer_bits<S>(column_at<S>(columns, 4 * g + i), factor); });
    const Pairs<S> pairs{S::pair16(q[0], q[2]), S::pair16(q[1], q[3])};
    group.value[g] = pairs;
    group.magnitude[g] = {S::min16(S::abs16(pairs.even), most), S::min16(S::abs16(pairs.odd), most)};
  }
}

// Of magnitudes. Four sums: each addition would otherwise wait for the one before.
template <class S>
typename S::I sum_of_squares(const IntegerGroup<S>& group) noexcept {
  typename S::I::register_type sum[4];
  unroll<4>([&](auto i) TQ_INLINE { sum[i] = splat<S>(0); });
  std::size_t g = 0;
  const auto add = [&](std::size_t granule, int even, int odd) TQ_INLINE {
    const Pairs<S>& m = group.magnitude[granule];
    sum[even] = S::multiply_add16(sum[even], m.even, m.even);
    sum[odd] = S::multiply_add16(sum[odd], m.odd, m.odd);
  };
  for (; g + 2 <= group.granules; g += 2) {
    add(g, 0, 1);
    add(g + 1, 2, 3);
  }
  if (g < group.granules) add(g, 0, 1);
  return (typename S::I(sum[0]) + typename S::I(sum[1])) + (typename S::I(sum[2]) + typename S::I(sum[3]));
}

// Multipliers M = min(65535, floor(2^19 / scale)), twice in each lane. The quotient is at least 1/31 away from an integer or exact,
// far more than the rounding of the division.
template <class S>
typename S::I multiplier(typename S::I index) noexcept {
  typename S::I m;
  if constexpr (requires { S::multipliers(index); }) {
    m = S::multipliers(index);
  } else {
    const typename S::F quotient = S::divide(typename S::F(524288.0f), scale_of_index<S>(index));
    m = S::truncate(xsimd::min(quotient, typename S::F(65535.0f)));
  }
  return m | (m << 16);
}

// Half-units min(127, |q| M >> 18) of a granule, as bytes.
template <class S>
TQ_INLINE inline typename S::I half_units(const Pairs<S>& magnitude, typename S::I m) noexcept {
  const typename S::I most = splat<S>(0x01FF01FF);  // 127.75 half-units, in 1/4
  const typename S::I even = S::min16(S::multiply_high16(magnitude.even, m), most);
  const typename S::I odd = S::min16(S::multiply_high16(magnitude.odd, m), most);
  return S::template shift_right16<2>(even) |
         (S::template shift_left16<6>(odd) & splat<S>(static_cast<std::int32_t>(0xFF00FF00u)));
}

}  // namespace
}  // namespace tq
