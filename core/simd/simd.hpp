// What a simd_*.hpp provides. Kernels are templates over one of these structs, S. Floats and 32-bit integers are
// xsimd batches and use xsimd's operators; the rest, which xsimd does not have in all versions from 8.1 on, is here:
//
//   F, I              batches of kLanes floats and of kLanes 32-bit integers; I also serves as a bag of 16-bit or 8-bit lanes
//   kRegisters        vector registers of the instruction set, for choosing tile sizes
//   bits, from_bits   reinterpret; round (to nearest even), truncate, to_float convert
//   where_not_zero(b, v)   lanes of v where b is not 0, else 0
//   divide            correctly rounded; xsimd's operator is an estimate on NEON
//   multiply_add      a * b + c, fused where the hardware does; not for code that must be bit-exact
//   beyond_whole(v), times_power_of_two(v, e)   optional: v less the whole number nearest to it; v * 2^e of a whole number e
//   subtract_product(c, a, b)   c - a * b, the same
//   exchange<D>       lane i <- lane i xor D;  butterfly<D>: lanes (i, i + D) <- (a + b, a - b), exactly rounded
//   interleave_low, _high(a, b)   of each 128 bits: a0 b0 a1 b1, a2 b2 a3 b3;  pairs_low, _high: a0 a1 b0 b1, a2 a3 b2 b3
//   load_butterfly(p, same)   butterfly<1> of what is at p; same = hide(p), for where two loads are cheaper than a shuffle
//   first             lane 0;  sum, max: over lanes, in an order of its own: not for code that must be bit-exact
//   load_f16 ..       kLanes 16-bit floats to and from F; rounding to nearest even; finite values
//   split_f16(pairs, even, odd)   the low and the high 16 bits of each 32-bit lane as f16
//   load_bytes, load_signed_bytes, store_bytes   kLanes bytes to and from lanes; values 0..255 for the store,
//                     which also takes four I at once
//   store_offset      optional: the bytes floor(v) of four F of 0 <= v < 256 to which kWholeOffset has been added
//   max_magnitude(most, v)   the larger of most and |v|
//   pair16(a, b)      the low 16 bits of a, and above them those of b
//   high_bytes(a, b)  of each 16 bits: the high byte of a, and above it that of b
//   *16               16-bit lanes: abs, high half of the unsigned product, signed minimum and maximum, logical shifts,
//                     multiply_add16(sum, a, b): sum + a0 b0 + a1 b1 in each 32-bit lane
//   add_pairs(c, signs)   c0 s0 + c1 s1 of each two bytes, 16 bits; c is a code byte as dot_wide takes it, s is 0, 1 or -1
//   multipliers       optional: min(65535, floor(2^19 / scale)) of scale indices from 0 on, without a division
//   table, lookup     16-entry byte table of centroids (signed_centroids); index bytes must be below 16
//   nearest_nibble    bytes 0..127 of half-units -> 16 * (code 0..7);  nearest_centroid: -> 3..61
//   dot(sum, c, q)    sum + the four byte products of each 32-bit lane; q signed within +-127. c is a code byte: unsigned
//                     and at most 125 on x86, signed elsewhere; dot_wide allows all of 0..255
//   kWeightRange      what the unsigned side of dot may hold as a softmax weight: 256, or 128 where both sides are signed
//   lookup_low, _high lookup of the low or the high nibble of every byte
//   load_some, add_some(v, p, lanes)   the first `lanes` lanes (a multiple of four) of a dword load; of *p += v
//   kNibbleBias       what lookup tables of centroids add, so that c above is right; kByteBias: the same for tq8
//   signed_codes      stored tq8 bytes (code + 128) -> code
//   byte_codes        stored tq8 bytes (code + 128) -> what dot_wide takes
//   limit(v, most)    v within +-most; a NaN stays one
//   transpose_bytes   each 128 bits as 4 x 4 bytes
//   store_quads(v, p, stride), load_quads    128-bit parts of v at p, p + stride, ..
#pragma once

#include <cstddef>
#include <cstdint>

#include "unroll.hpp"

namespace tq {
namespace {

// The same pointer, unknown to the compiler, which would otherwise make one of two loads.
[[maybe_unused]] inline const float* hide(const float* p) noexcept {
  asm("" : "+r"(p));
  return p;
}

template <class S>
typename S::I splat(std::int32_t value) noexcept {
  return typename S::I(value);
}

// Transposes 4 x 4 floats inside each 128 bits.
template <class S>
TQ_INLINE inline void transpose_quads(typename S::F a, typename S::F b, typename S::F c, typename S::F d,
                                      typename S::F::register_type (&out)[4]) noexcept {
  const typename S::F low_ab = S::interleave_low(a, b), high_ab = S::interleave_high(a, b);
  const typename S::F low_cd = S::interleave_low(c, d), high_cd = S::interleave_high(c, d);
  out[0] = S::pairs_low(low_ab, low_cd);
  out[1] = S::pairs_high(low_ab, low_cd);
  out[2] = S::pairs_low(high_ab, high_cd);
  out[3] = S::pairs_high(high_ab, high_cd);
}

// Columns i = 0 .. 3 of the 16 bytes at p, p + stride, .., one row per lane: out[i]. The 128-bit parts of rows 4, 8, ..
// apart go to one register each, by loads that need no shuffle.
template <class S>
TQ_INLINE inline void load_transposed(const void* p, std::size_t stride,
                                      typename S::F::register_type (&out)[4]) noexcept {
  const auto row = [&](std::size_t t) TQ_INLINE {
    return S::from_bits(S::load_quads(static_cast<const std::uint8_t*>(p) + t * stride, 4 * stride));
  };
  transpose_quads<S>(row(0), row(1), row(2), row(3), out);
}

// Bytes floor(v) of four vectors of 0 <= v < 256 to which whole_offset has been added.
template <class S>
constexpr float whole_offset() {
  if constexpr (requires { S::kWholeOffset; }) return S::kWholeOffset;
  return 0.0f;
}
template <class S>
TQ_INLINE inline void store_whole(typename S::F a, typename S::F b, typename S::F c, typename S::F d,
                                  std::uint8_t* p) noexcept {
  if constexpr (requires { S::kWholeOffset; }) {
    S::store_offset(a, b, c, d, p);
  } else {
    S::store_bytes(S::truncate(a), S::truncate(b), S::truncate(c), S::truncate(d), p);
  }
}

}  // namespace
}  // namespace tq
