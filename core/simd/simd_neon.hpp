// The operations that xsimd lacks, for AArch64 NEON. simd.hpp documents them. Bytes that x86 keeps biased (its dot
// product wants one unsigned side) are signed here: the biases are 0.
#pragma once

#include <arm_neon.h>

#include <xsimd/xsimd.hpp>

#include "codebook.hpp"
#include "half.hpp"

namespace tq {
namespace {

struct Neon {
  using Arch = xsimd::neon64;
  using F = xsimd::batch<float, Arch>;
  using I = xsimd::batch<std::int32_t, Arch>;
  static constexpr int kLanes = 4;
  static constexpr int kRegisters = 32;
  static constexpr int kNibbleBias = 0;
  static constexpr int kWeightRange = 128;
  static constexpr int kByteBias = 0;

  static int16x8_t s16(I v) noexcept { return vreinterpretq_s16_s32(v); }
  static uint16x8_t u16(I v) noexcept { return vreinterpretq_u16_s32(v); }
  static int8x16_t s8(I v) noexcept { return vreinterpretq_s8_s32(v); }
  static uint8x16_t u8(I v) noexcept { return vreinterpretq_u8_s32(v); }
  static I from(int16x8_t v) noexcept { return vreinterpretq_s32_s16(v); }
  static I from(uint16x8_t v) noexcept { return vreinterpretq_s32_u16(v); }
  static I from(uint8x16_t v) noexcept { return vreinterpretq_s32_u8(v); }

  static I bits(F v) noexcept { return vreinterpretq_s32_f32(v); }
  static F from_bits(I v) noexcept { return vreinterpretq_f32_s32(v); }
  static I round(F v) noexcept { return vcvtnq_s32_f32(v); }
  static I truncate(F v) noexcept { return vcvtq_s32_f32(v); }
  static F to_float(I v) noexcept { return vcvtq_f32_s32(v); }
  static F where_not_zero(I b, F v) noexcept {
    return from_bits(vbicq_s32(bits(v), vreinterpretq_s32_u32(vceqzq_s32(b))));
  }
  static F limit(F v, F most) noexcept { return vmaxq_f32(-most, vminq_f32(most, v)); }
  static F divide(F a, F b) noexcept { return vdivq_f32(a, b); }
  static F multiply_add(F a, F b, F c) noexcept { return vfmaq_f32(c, a, b); }
  static F subtract_product(F c, F a, F b) noexcept { return vfmsq_f32(c, a, b); }

  template <int Distance>
  static F exchange(F v) noexcept {
    if constexpr (Distance == 1) return vrev64q_f32(v);
    return vextq_f32(v, v, 2);
  }
  template <int Distance>
  static F butterfly(F v) noexcept {
    constexpr float one[4] = {1, Distance == 1 ? -1.0f : 1.0f, Distance == 1 ? 1.0f : -1.0f, -1};
    return vfmaq_f32(exchange<Distance>(v), v, vld1q_f32(one));
  }
  static F load_butterfly(const float* p, const float*) noexcept { return butterfly<1>(F::load_unaligned(p)); }
  static float first(F v) noexcept { return vgetq_lane_f32(v, 0); }
  static F interleave_low(F a, F b) noexcept { return vzip1q_f32(a, b); }
  static F interleave_high(F a, F b) noexcept { return vzip2q_f32(a, b); }
  static F pairs_low(F a, F b) noexcept { return vcombine_f32(vget_low_f32(a), vget_low_f32(b)); }
  static F pairs_high(F a, F b) noexcept { return vcombine_f32(vget_high_f32(a), vget_high_f32(b)); }
  static float sum(F v) noexcept { return vaddvq_f32(v); }
  static float max(F v) noexcept { return vmaxvq_f32(v); }

  static F load_f16(const std::uint16_t* p) noexcept { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
  static void split_f16(I pairs, F& even, F& odd) noexcept {
    const uint32x4_t v = vreinterpretq_u32_s32(pairs);
    even = vcvt_f32_f16(vreinterpret_f16_u16(vmovn_u32(v)));
    odd = vcvt_f32_f16(vreinterpret_f16_u16(vshrn_n_u32(v, 16)));
  }
  static F load_bf16(const std::uint16_t* p) noexcept { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16)); }
  static void store_f16(F v, std::uint16_t* p) noexcept { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(v))); }
  static void store_bf16(F v, std::uint16_t* p) noexcept {
    const uint32x4_t b = vreinterpretq_u32_f32(v);
    const uint32x4_t odd = vandq_u32(vshrq_n_u32(b, 16), vdupq_n_u32(1));
    vst1_u16(p, vshrn_n_u32(vaddq_u32(vaddq_u32(b, vdupq_n_u32(0x7FFF)), odd), 16));
  }

  static I load_bytes(const std::uint8_t* p) noexcept {
    std::uint32_t four;
    std::memcpy(&four, p, 4);
    const uint16x8_t words = vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(four)));
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(words)));
  }
  static I load_signed_bytes(const std::int8_t* p) noexcept {
    std::uint32_t four;
    std::memcpy(&four, p, 4);
    const int16x8_t words = vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(four)));
    return vmovl_s16(vget_low_s16(words));
  }
  static void store_bytes(I v, std::uint8_t* p) noexcept {
    const uint16x4_t words = vmovn_u32(vreinterpretq_u32_s32(v));
    const std::uint32_t four = vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(words, words))), 0);
    std::memcpy(p, &four, 4);
  }

  static void store_bytes(I a, I b, I c, I d, std::uint8_t* p) noexcept {
    const auto words = [](I low, I high) {
      return vcombine_u16(vmovn_u32(vreinterpretq_u32_s32(low)), vmovn_u32(vreinterpretq_u32_s32(high)));
    };
    vst1q_u8(p, vcombine_u8(vmovn_u16(words(a, b)), vmovn_u16(words(c, d))));
  }

  static I abs16(I v) noexcept { return from(vabsq_s16(s16(v))); }
  static F max_magnitude(F most, F v) noexcept { return vmaxq_f32(most, vabsq_f32(v)); }
  static I pair16(I low, I high) noexcept { return vsliq_n_s32(low, high, 16); }
  static I high_bytes(I a, I b) noexcept {
    return shift_right16<8>(a) | (b & I(static_cast<std::int32_t>(0xFF00FF00u)));
  }
  static I multiply_high16(I a, I b) noexcept {
    const uint32x4_t low = vmull_u16(vget_low_u16(u16(a)), vget_low_u16(u16(b)));
    const uint32x4_t high = vmull_high_u16(u16(a), u16(b));
    return from(vuzp2q_u16(vreinterpretq_u16_u32(low), vreinterpretq_u16_u32(high)));
  }
  static I max16(I a, I b) noexcept { return from(vmaxq_s16(s16(a), s16(b))); }
  static I min16(I a, I b) noexcept { return from(vminq_s16(s16(a), s16(b))); }
  template <int Count>
  static I shift_left16(I v) noexcept {
    return from(vshlq_n_u16(u16(v), Count));
  }
  template <int Count>
  static I shift_right16(I v) noexcept {
    return from(vshrq_n_u16(u16(v), Count));
  }
  template <int Count>
  static I shift_right32(I v) noexcept {
    return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(v), Count));
  }
  static I multiply_add16(I sum, I a, I b) noexcept {
    const int32x4_t low = vmull_s16(vget_low_s16(s16(a)), vget_low_s16(s16(b)));
    const int32x4_t high = vmull_high_s16(s16(a), s16(b));
    return vaddq_s32(sum, vpaddq_s32(low, high));
  }
  static I add_pairs(I code_bytes, I signs) noexcept {
    const int8x16_t products = vmulq_s8(s8(code_bytes), s8(signs));
    return from(vpaddlq_s8(products));
  }

  static I table(const Table16& t) noexcept { return from(vld1q_u8(t.bytes)); }
  static I lookup(I table, I index) noexcept { return from(vqtbl1q_u8(u8(table), u8(index))); }
  static I lookup_low(I table, I bytes) noexcept { return lookup(table, bytes & I(0x0F0F0F0F)); }
  static I lookup_high(I table, I bytes) noexcept { return lookup(table, shift_right16<4>(bytes) & I(0x0F0F0F0F)); }
  static I nearest_nibble(I half_units) noexcept { return shift_left16<4>(nearest_code(half_units)); }
  static I nearest_code(I half_units) noexcept {
    static constexpr BucketTables tables = bucket_tables();
    const uint8x16_t bucket = vshrq_n_u8(u8(half_units), 3);
    const uint8x16_t reached = vcgeq_u8(u8(half_units), vqtbl1q_u8(vld1q_u8(tables.threshold.bytes), bucket));
    return from(vsubq_u8(vqtbl1q_u8(vld1q_u8(tables.below.bytes), bucket), reached));
  }
  static I nearest_centroid(I half_units) noexcept {
    static constexpr Table16 centroids = unsigned_centroids();
    return lookup(table(centroids), nearest_code(half_units));
  }

  // Products of bytes within +-127 fit 16 bits one by one; pairs are added in 32 bits.
  static I dot_wide(I sum, I code_bytes, I signed_bytes) noexcept {
    const int16x8_t low = vmull_s8(vget_low_s8(s8(code_bytes)), vget_low_s8(s8(signed_bytes)));
    const int16x8_t high = vmull_high_s8(s8(code_bytes), s8(signed_bytes));
    return vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
  }
  static I dot(I sum, I code_bytes, I signed_bytes) noexcept { return dot_wide(sum, code_bytes, signed_bytes); }
  static I signed_codes(I stored) noexcept { return stored ^ I(static_cast<std::int32_t>(0x80808080u)); }
  static I byte_codes(I stored) noexcept { return from(veorq_u8(u8(stored), vdupq_n_u8(0x80))); }

  // A register is four lanes, and there are always at least so many.
  static I load_some(const std::uint8_t* p, std::size_t) noexcept { return load_quads(p, 0); }
  static void add_some(F v, float* p, std::size_t) noexcept { (v + F::load_unaligned(p)).store_unaligned(p); }

  static I transpose_bytes(I v) noexcept {
    static constexpr std::uint8_t order[16] = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
    return from(vqtbl1q_u8(u8(v), vld1q_u8(order)));
  }
  static void store_quads(I v, std::uint8_t* p, std::size_t) noexcept { vst1q_u8(p, u8(v)); }
  static I load_quads(const std::uint8_t* p, std::size_t) noexcept { return from(vld1q_u8(p)); }
};

}  // namespace
}  // namespace tq
