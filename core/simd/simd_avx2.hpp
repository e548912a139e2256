// The operations that xsimd lacks, for AVX2 with FMA and F16C. simd.hpp documents them.
#pragma once

#include <xsimd/xsimd.hpp>

#include "codebook.hpp"
#include "half.hpp"

namespace tq {
namespace {

struct Avx2 {
  using Arch = xsimd::fma3<xsimd::avx2>;
  using F = xsimd::batch<float, Arch>;
  using I = xsimd::batch<std::int32_t, Arch>;
  static constexpr int kLanes = 8;
  static constexpr int kRegisters = 16;
  static constexpr int kNibbleBias = 64;
  static constexpr int kWeightRange = 256;
  static constexpr int kByteBias = 128;

  static I bits(F v) noexcept { return _mm256_castps_si256(v); }
  static F from_bits(I v) noexcept { return _mm256_castsi256_ps(v); }
  static I round(F v) noexcept { return _mm256_cvtps_epi32(v); }
  static I truncate(F v) noexcept { return _mm256_cvttps_epi32(v); }
  static F to_float(I v) noexcept { return _mm256_cvtepi32_ps(v); }
  static F where_not_zero(I b, F v) noexcept {
    return _mm256_andnot_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(b, _mm256_setzero_si256())), v);
  }
  static F limit(F v, F most) noexcept { return _mm256_max_ps(-most, _mm256_min_ps(most, v)); }
  static F divide(F a, F b) noexcept { return _mm256_div_ps(a, b); }
  static F multiply_add(F a, F b, F c) noexcept { return _mm256_fmadd_ps(a, b, c); }
  static F subtract_product(F c, F a, F b) noexcept { return _mm256_fnmadd_ps(a, b, c); }

  template <int Distance>
  static F exchange(F v) noexcept {
    if constexpr (Distance == 1) return _mm256_permute_ps(v, 0xB1);
    if constexpr (Distance == 2) return _mm256_permute_ps(v, 0x4E);
    return _mm256_permute2f128_ps(v, v, 1);
  }
  // fma(v, +-1, w) rounds once, like an addition: the same bits, and it keeps the adders free.
  template <int Distance>
  static F butterfly(F v) noexcept {
    const __m256 one = _mm256_setr_ps(1, Distance == 1 ? -1 : 1, Distance == 2 ? -1 : 1, Distance == 4 ? 1 : -1,
                                      Distance == 4 ? -1 : 1, Distance == 2 ? 1 : -1, Distance == 1 ? 1 : -1, -1);
    return _mm256_fmadd_ps(v, one, exchange<Distance>(v));
  }
  static F load_butterfly(const float* p, const float* same) noexcept {
    return _mm256_fmadd_ps(_mm256_movehdup_ps(_mm256_loadu_ps(same)), _mm256_setr_ps(1, -1, 1, -1, 1, -1, 1, -1),
                           _mm256_moveldup_ps(_mm256_loadu_ps(p)));
  }
  static float first(F v) noexcept { return _mm256_cvtss_f32(v); }
  static F interleave_low(F a, F b) noexcept { return _mm256_unpacklo_ps(a, b); }
  static F interleave_high(F a, F b) noexcept { return _mm256_unpackhi_ps(a, b); }
  static F pairs_low(F a, F b) noexcept { return _mm256_shuffle_ps(a, b, 0x44); }
  static F pairs_high(F a, F b) noexcept { return _mm256_shuffle_ps(a, b, 0xEE); }
  static float sum(F v) noexcept {
    v += exchange<4>(v);
    v += exchange<2>(v);
    v += exchange<1>(v);
    return _mm256_cvtss_f32(v);
  }
  static float max(F v) noexcept {
    v = xsimd::max(v, exchange<4>(v));
    v = xsimd::max(v, exchange<2>(v));
    v = xsimd::max(v, exchange<1>(v));
    return _mm256_cvtss_f32(v);
  }

  static F load_f16(const std::uint16_t* p) noexcept {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static void split_f16(I pairs, F& even, F& odd) noexcept {
    const __m128i order = _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    const __m256i words =
        _mm256_permute4x64_epi64(_mm256_shuffle_epi8(pairs, _mm256_broadcastsi128_si256(order)), 0xD8);
    even = _mm256_cvtph_ps(_mm256_castsi256_si128(words));
    odd = _mm256_cvtph_ps(_mm256_extracti128_si256(words, 1));
  }
  static F load_bf16(const std::uint16_t* p) noexcept {
    const __m256i h = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(h, 16));
  }
  static void store_f16(F v, std::uint16_t* p) noexcept {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
  }
  static void store_bf16(F v, std::uint16_t* p) noexcept {
    const __m256i b = bits(v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(b, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(_mm256_add_epi32(b, _mm256_set1_epi32(0x7FFF)), odd);
    const __m256i high = _mm256_srli_epi32(rounded, 16);
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(high, high), 0x08);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(packed));
  }

  static I load_bytes(const std::uint8_t* p) noexcept {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  }
  static I load_signed_bytes(const std::int8_t* p) noexcept {
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
  }
  static void store_bytes(I v, std::uint8_t* p) noexcept {
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
  }

  static void store_bytes(I a, I b, I c, I d, std::uint8_t* p) noexcept {
    const __m256i bytes = _mm256_packus_epi16(_mm256_packus_epi32(a, b), _mm256_packus_epi32(c, d));
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permutevar8x32_epi32(bytes, order));
  }

  static I abs16(I v) noexcept { return _mm256_abs_epi16(v); }
  static F max_magnitude(F most, F v) noexcept { return xsimd::max(most, xsimd::abs(v)); }
  static I pair16(I low, I high) noexcept { return _mm256_blend_epi16(low, _mm256_slli_epi32(high, 16), 0xAA); }
  static I high_bytes(I a, I b) noexcept {
    return shift_right16<8>(a) | (b & I(static_cast<std::int32_t>(0xFF00FF00u)));
  }
  static I multiply_high16(I a, I b) noexcept { return _mm256_mulhi_epu16(a, b); }
  static I max16(I a, I b) noexcept { return _mm256_max_epi16(a, b); }
  static I min16(I a, I b) noexcept { return _mm256_min_epi16(a, b); }
  template <int Count>
  static I shift_left16(I v) noexcept {
    return _mm256_slli_epi16(v, Count);
  }
  template <int Count>
  static I shift_right16(I v) noexcept {
    return _mm256_srli_epi16(v, Count);
  }
  template <int Count>
  static I shift_right32(I v) noexcept {
    return _mm256_srli_epi32(v, Count);
  }
  static I multiply_add16(I sum, I a, I b) noexcept { return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)); }
  static I add_pairs(I code_bytes, I signs) noexcept { return _mm256_maddubs_epi16(code_bytes, signs); }

  static I table(const Table16& t) noexcept { return _mm256_load_si256(reinterpret_cast<const __m256i*>(t.bytes)); }
  static I lookup(I table, I index) noexcept { return _mm256_shuffle_epi8(table, index); }
  static I lookup_low(I table, I bytes) noexcept { return lookup(table, bytes & I(0x0F0F0F0F)); }
  static I lookup_high(I table, I bytes) noexcept { return lookup(table, shift_right16<4>(bytes) & I(0x0F0F0F0F)); }
  static I nearest_nibble(I half_units) noexcept { return shift_left16<4>(nearest_code(half_units)); }
  static I nearest_code(I half_units) noexcept {
    static constexpr BucketTables tables = bucket_tables();
    const __m256i bucket = _mm256_and_si256(_mm256_srli_epi16(half_units, 3), _mm256_set1_epi8(15));
    const __m256i below = _mm256_cmpgt_epi8(lookup(table(tables.threshold), bucket), half_units);  // -1 if not reached
    return _mm256_add_epi8(_mm256_add_epi8(lookup(table(tables.below), bucket), _mm256_set1_epi8(1)), below);
  }
  static I nearest_centroid(I half_units) noexcept {
    static constexpr Table16 centroids = unsigned_centroids();
    return lookup(table(centroids), nearest_code(half_units));
  }

  // Two products fit 16 bits: 125 * 127 or 255 * 61 each.
  static I dot(I sum, I unsigned_bytes, I signed_bytes) noexcept {
    const __m256i pairs = _mm256_maddubs_epi16(unsigned_bytes, signed_bytes);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  static I dot_wide(I sum, I unsigned_bytes, I signed_bytes) noexcept {
    const __m256i even = _mm256_and_si256(unsigned_bytes, _mm256_set1_epi16(0xFF));
    const __m256i odd = _mm256_srli_epi16(unsigned_bytes, 8);
    const __m256i signed_even = _mm256_srai_epi16(_mm256_slli_epi16(signed_bytes, 8), 8);
    const __m256i signed_odd = _mm256_srai_epi16(signed_bytes, 8);
    return _mm256_add_epi32(sum,
                            _mm256_add_epi32(_mm256_madd_epi16(even, signed_even), _mm256_madd_epi16(odd, signed_odd)));
  }
  static I signed_codes(I stored) noexcept { return stored ^ I(static_cast<std::int32_t>(0x80808080u)); }
  static I byte_codes(I stored) noexcept { return stored; }

  static __m256i first_lanes(std::size_t lanes) noexcept {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(lanes)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static I load_some(const std::uint8_t* p, std::size_t lanes) noexcept {
    if (lanes >= kLanes) return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return _mm256_maskload_epi32(reinterpret_cast<const int*>(p), first_lanes(lanes));
  }
  static void add_some(F v, float* p, std::size_t lanes) noexcept {
    if (lanes >= kLanes) return (v + F::load_unaligned(p)).store_unaligned(p);
    const __m256i mask = first_lanes(lanes);
    _mm256_maskstore_ps(p, mask, _mm256_add_ps(v, _mm256_maskload_ps(p, mask)));
  }

  static I transpose_bytes(I v) noexcept {
    const __m128i order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm256_shuffle_epi8(v, _mm256_broadcastsi128_si256(order));
  }
  static void store_quads(I v, std::uint8_t* p, std::size_t stride) noexcept {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(v));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p + stride), _mm256_extracti128_si256(v, 1));
  }
  static I load_quads(const std::uint8_t* p, std::size_t stride) noexcept {
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    const __m128i high = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + stride));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
  }
};

}  // namespace
}  // namespace tq
