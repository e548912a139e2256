// The operations that xsimd lacks, for the x86-64 baseline (SSE2: no byte shuffle, no fp16 conversion).
// Every simd_*.hpp defines one struct with the same members; simd.hpp documents them.
#pragma once

#include <xsimd/xsimd.hpp>

#include "codebook.hpp"
#include "half.hpp"

namespace tq {
namespace {

struct Sse2 {
  using Arch = xsimd::sse2;
  using F = xsimd::batch<float, Arch>;
  using I = xsimd::batch<std::int32_t, Arch>;
  static constexpr int kLanes = 4;
  static constexpr int kRegisters = 16;
  static constexpr int kNibbleBias = 64;
  static constexpr int kWeightRange = 256;
  static constexpr int kByteBias = 128;

  static I bits(F v) noexcept { return _mm_castps_si128(v); }
  static F from_bits(I v) noexcept { return _mm_castsi128_ps(v); }
  static I round(F v) noexcept { return _mm_cvtps_epi32(v); }
  static I truncate(F v) noexcept { return _mm_cvttps_epi32(v); }
  static F to_float(I v) noexcept { return _mm_cvtepi32_ps(v); }
  static F where_not_zero(I b, F v) noexcept {
    return _mm_andnot_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(b, _mm_setzero_si128())), v);
  }
  static F limit(F v, F most) noexcept { return _mm_max_ps(-most, _mm_min_ps(most, v)); }
  static F divide(F a, F b) noexcept { return _mm_div_ps(a, b); }
  static F multiply_add(F a, F b, F c) noexcept { return a * b + c; }
  static F subtract_product(F c, F a, F b) noexcept { return c - a * b; }

  template <int Distance>
  static F exchange(F v) noexcept {
    if constexpr (Distance == 1) return _mm_shuffle_ps(v, v, _MM_SHUFFLE(2, 3, 0, 1));
    return _mm_shuffle_ps(v, v, _MM_SHUFFLE(1, 0, 3, 2));
  }
  template <int Distance>
  static F butterfly(F v) noexcept {
    const __m128 negate = Distance == 1 ? _mm_castsi128_ps(_mm_setr_epi32(0, INT32_MIN, 0, INT32_MIN))
                                        : _mm_castsi128_ps(_mm_setr_epi32(0, 0, INT32_MIN, INT32_MIN));
    return F(_mm_xor_ps(v, negate)) + exchange<Distance>(v);
  }
  static F load_butterfly(const float* p, const float*) noexcept { return butterfly<1>(F::load_unaligned(p)); }
  static float first(F v) noexcept { return _mm_cvtss_f32(v); }
  static F interleave_low(F a, F b) noexcept { return _mm_unpacklo_ps(a, b); }
  static F interleave_high(F a, F b) noexcept { return _mm_unpackhi_ps(a, b); }
  static F pairs_low(F a, F b) noexcept { return _mm_movelh_ps(a, b); }
  static F pairs_high(F a, F b) noexcept { return _mm_movehl_ps(b, a); }
  static float sum(F v) noexcept {
    v += exchange<2>(v);
    v += exchange<1>(v);
    return _mm_cvtss_f32(v);
  }
  static float max(F v) noexcept {
    v = xsimd::max(v, exchange<2>(v));
    v = xsimd::max(v, exchange<1>(v));
    return _mm_cvtss_f32(v);
  }

  static F load_f16(const std::uint16_t* p) noexcept {
    return from_f16(_mm_unpacklo_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)), _mm_setzero_si128()));
  }
  static void split_f16(I pairs, F& even, F& odd) noexcept {
    even = from_f16(pairs & I(0xFFFF));
    odd = from_f16(shift_right32<16>(pairs));
  }
  static F from_f16(__m128i h) noexcept {
    const __m128i sign = _mm_slli_epi32(_mm_and_si128(h, _mm_set1_epi32(0x8000)), 16);
    const __m128i magnitude = _mm_and_si128(h, _mm_set1_epi32(0x7FFF));
    const __m128i shifted = _mm_slli_epi32(magnitude, 13);
    const __m128i rebias = _mm_set1_epi32(112 << 23);
    const __m128i special = _mm_cmpgt_epi32(magnitude, _mm_set1_epi32(0x7BFF));  // infinity, NaN: the exponent 255
    const __m128i normal = _mm_add_epi32(_mm_add_epi32(shifted, rebias), _mm_and_si128(special, rebias));
    const __m128i one = _mm_set1_epi32(113 << 23);
    const __m128 fraction = _mm_sub_ps(_mm_castsi128_ps(_mm_or_si128(one, shifted)), _mm_castsi128_ps(one));
    const __m128i subnormal = _mm_cmplt_epi32(magnitude, _mm_set1_epi32(0x0400));
    const __m128i value =
        _mm_or_si128(_mm_and_si128(subnormal, _mm_castps_si128(fraction)), _mm_andnot_si128(subnormal, normal));
    return _mm_castsi128_ps(_mm_or_si128(sign, value));
  }
  static F load_bf16(const std::uint16_t* p) noexcept {
    const __m128i h = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return _mm_castsi128_ps(_mm_unpacklo_epi16(_mm_setzero_si128(), h));
  }
  static void store_f16(F v, std::uint16_t* p) noexcept {
    alignas(16) float lane[kLanes];
    v.store_aligned(lane);
    std::uint16_t half[kLanes];
    for (int i = 0; i < kLanes; ++i) half[i] = f16_from_f32(lane[i]);
    std::memcpy(p, half, sizeof(half));
  }
  static void store_bf16(F v, std::uint16_t* p) noexcept {
    const __m128i b = bits(v);
    const __m128i odd = _mm_and_si128(_mm_srli_epi32(b, 16), _mm_set1_epi32(1));
    const __m128i rounded = _mm_add_epi32(_mm_add_epi32(b, _mm_set1_epi32(0x7FFF)), odd);
    const __m128i high = _mm_srai_epi32(rounded, 16);  // signed, so that the saturating pack keeps all 16 bits
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi32(high, high));
  }

  static I load_bytes(const std::uint8_t* p) noexcept {
    std::int32_t four;
    std::memcpy(&four, p, 4);
    const __m128i zero = _mm_setzero_si128();
    return _mm_unpacklo_epi16(_mm_unpacklo_epi8(_mm_cvtsi32_si128(four), zero), zero);
  }
  static I load_signed_bytes(const std::int8_t* p) noexcept {
    std::int32_t four;
    std::memcpy(&four, p, 4);
    const __m128i twice = _mm_unpacklo_epi8(_mm_cvtsi32_si128(four), _mm_cvtsi32_si128(four));
    return _mm_srai_epi32(_mm_unpacklo_epi16(twice, twice), 24);
  }
  static void store_bytes(I v, std::uint8_t* p) noexcept {
    const __m128i words = _mm_packs_epi32(v, v);
    const std::int32_t four = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
    std::memcpy(p, &four, 4);
  }

  static void store_bytes(I a, I b, I c, I d, std::uint8_t* p) noexcept {
    const __m128i bytes = _mm_packus_epi16(_mm_packs_epi32(a, b), _mm_packs_epi32(c, d));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
  }

  static I abs16(I v) noexcept { return _mm_max_epi16(v, _mm_sub_epi16(_mm_setzero_si128(), v)); }
  static F max_magnitude(F most, F v) noexcept { return xsimd::max(most, xsimd::abs(v)); }
  static I pair16(I low, I high) noexcept { return (low & I(0xFFFF)) | (high << 16); }
  static I high_bytes(I a, I b) noexcept {
    return shift_right16<8>(a) | (b & I(static_cast<std::int32_t>(0xFF00FF00u)));
  }
  static I multiply_high16(I a, I b) noexcept { return _mm_mulhi_epu16(a, b); }
  static I max16(I a, I b) noexcept { return _mm_max_epi16(a, b); }
  static I min16(I a, I b) noexcept { return _mm_min_epi16(a, b); }
  template <int Count>
  static I shift_left16(I v) noexcept {
    return _mm_slli_epi16(v, Count);
  }
  template <int Count>
  static I shift_right16(I v) noexcept {
    return _mm_srli_epi16(v, Count);
  }
  template <int Count>
  static I shift_right32(I v) noexcept {
    return _mm_srli_epi32(v, Count);
  }
  static I multiply_add16(I sum, I a, I b) noexcept { return _mm_add_epi32(sum, _mm_madd_epi16(a, b)); }
  static I add_pairs(I code_bytes, I signs) noexcept {
    const __m128i even = _mm_mullo_epi16(code_bytes & I(0x00FF00FF), _mm_srai_epi16(_mm_slli_epi16(signs, 8), 8));
    const __m128i odd = _mm_mullo_epi16(_mm_srli_epi16(code_bytes, 8), _mm_srai_epi16(signs, 8));
    return _mm_add_epi16(even, odd);
  }

  // There is no byte shuffle. All tables are of signed centroids and differ in their bias alone, so the bias stands for
  // the table, and a centroid is climbed to.
  static I table(const Table16& centroids) noexcept {
    return _mm_set1_epi8(static_cast<char>(centroids.bytes[0] - kCentroids[0]));
  }
  static I lookup(I table, I nibbles) noexcept {
    const __m128i code = _mm_and_si128(nibbles, _mm_set1_epi8(7));
    const __m128i negative = _mm_cmpgt_epi8(nibbles, _mm_set1_epi8(7));
    __m128i centroid = _mm_set1_epi8(static_cast<char>(kCentroids[0]));
    for (int i = 0; i < 7; ++i) {
      const __m128i step = _mm_set1_epi8(static_cast<char>(kCentroids[i + 1] - kCentroids[i]));
      const __m128i above = _mm_cmpgt_epi8(code, _mm_set1_epi8(static_cast<char>(i)));
      centroid = _mm_add_epi8(centroid, _mm_and_si128(above, step));
    }
    return _mm_add_epi8(_mm_sub_epi8(_mm_xor_si128(centroid, negative), negative), table);
  }
  static I lookup_low(I table, I bytes) noexcept { return lookup(table, bytes & I(0x0F0F0F0F)); }
  static I lookup_high(I table, I bytes) noexcept { return lookup(table, shift_right16<4>(bytes) & I(0x0F0F0F0F)); }
  // `first` plus the step of every threshold that is reached.
  template <class Step>
  static I climb(I half_units, int first, Step step) noexcept {
    __m128i sum = _mm_set1_epi8(static_cast<char>(first));
    for (int i = 0; i < 7; ++i) {
      const __m128i reached = _mm_cmpgt_epi8(half_units, _mm_set1_epi8(static_cast<char>(kThresholds[i] - 1)));
      sum = _mm_add_epi8(sum, _mm_and_si128(reached, _mm_set1_epi8(static_cast<char>(step(i)))));
    }
    return sum;
  }
  static I nearest_nibble(I half_units) noexcept {
    return climb(half_units, 0, [](int) { return 16; });
  }
  static I nearest_centroid(I half_units) noexcept {
    return climb(half_units, kCentroids[0], [](int i) { return kCentroids[i + 1] - kCentroids[i]; });
  }

  static I dot_wide(I sum, I unsigned_bytes, I signed_bytes) noexcept {
    const __m128i even = _mm_and_si128(unsigned_bytes, _mm_set1_epi16(0xFF));
    const __m128i odd = _mm_srli_epi16(unsigned_bytes, 8);
    const __m128i signed_even = _mm_srai_epi16(_mm_slli_epi16(signed_bytes, 8), 8);
    const __m128i signed_odd = _mm_srai_epi16(signed_bytes, 8);
    return _mm_add_epi32(sum, _mm_add_epi32(_mm_madd_epi16(even, signed_even), _mm_madd_epi16(odd, signed_odd)));
  }
  static I dot(I sum, I unsigned_bytes, I signed_bytes) noexcept { return dot_wide(sum, unsigned_bytes, signed_bytes); }
  static I signed_codes(I stored) noexcept { return stored ^ I(static_cast<std::int32_t>(0x80808080u)); }
  static I byte_codes(I stored) noexcept { return stored; }

  // A register is four lanes, and there are always at least so many.
  static I load_some(const std::uint8_t* p, std::size_t) noexcept { return load_quads(p, 0); }
  static void add_some(F v, float* p, std::size_t) noexcept { (v + F::load_unaligned(p)).store_unaligned(p); }

  static I transpose_bytes(I v) noexcept {
    const __m128i pairs = _mm_unpacklo_epi8(v, _mm_srli_si128(v, 8));
    return _mm_unpacklo_epi8(pairs, _mm_srli_si128(pairs, 8));
  }
  static void store_quads(I v, std::uint8_t* p, std::size_t) noexcept {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v);
  }
  static I load_quads(const std::uint8_t* p, std::size_t) noexcept {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  }
};

}  // namespace
}  // namespace tq
