// The operations that xsimd lacks, for AVX-512 (F, BW, DQ, VL, CD), and what VNNI and VBMI make faster.
// simd.hpp documents them.
#pragma once

#include <xsimd/xsimd.hpp>

#include "codebook.hpp"
#include "half.hpp"

namespace tq {
namespace {

struct Avx512 {
  using Arch = xsimd::avx512bw;
  using F = xsimd::batch<float, Arch>;
  using I = xsimd::batch<std::int32_t, Arch>;
  static constexpr int kLanes = 16;
  static constexpr int kRegisters = 32;
  static constexpr int kNibbleBias = 64;
  static constexpr int kWeightRange = 256;
  static constexpr int kByteBias = 128;

  static I bits(F v) noexcept { return _mm512_castps_si512(v); }
  static F from_bits(I v) noexcept { return _mm512_castsi512_ps(v); }
  static I round(F v) noexcept { return _mm512_cvtps_epi32(v); }
  static I truncate(F v) noexcept { return _mm512_cvttps_epi32(v); }
  static F to_float(I v) noexcept { return _mm512_cvtepi32_ps(v); }
  static F where_not_zero(I b, F v) noexcept { return _mm512_maskz_mov_ps(_mm512_test_epi32_mask(b, b), v); }
  static F limit(F v, F most) noexcept { return _mm512_max_ps(-most, _mm512_min_ps(most, v)); }
  static F divide(F a, F b) noexcept { return _mm512_div_ps(a, b); }
  static F multiply_add(F a, F b, F c) noexcept { return _mm512_fmadd_ps(a, b, c); }
  static F beyond_whole(F v) noexcept { return _mm512_reduce_ps(v, _MM_FROUND_TO_NEAREST_INT); }
  static F times_power_of_two(F v, F exponent) noexcept { return _mm512_scalef_ps(v, exponent); }
  static F subtract_product(F c, F a, F b) noexcept { return _mm512_fnmadd_ps(a, b, c); }

  template <int Distance>
  static F exchange(F v) noexcept {
    if constexpr (Distance == 1) return _mm512_permute_ps(v, 0xB1);
    if constexpr (Distance == 2) return _mm512_permute_ps(v, 0x4E);
    if constexpr (Distance == 4) return _mm512_shuffle_f32x4(v, v, 0xB1);
    return _mm512_shuffle_f32x4(v, v, 0x4E);
  }
  // fma(v, +-1, w) rounds once, like an addition: the same bits, and it keeps the adders free.
  template <int Distance>
  static __m512 butterfly_signs() noexcept {
    constexpr auto one = [](int lane) { return (lane & Distance) ? -1.0f : 1.0f; };
    return _mm512_setr_ps(one(0), one(1), one(2), one(3), one(4), one(5), one(6), one(7), one(8), one(9), one(10),
                          one(11), one(12), one(13), one(14), one(15));
  }
  template <int Distance>
  static F butterfly(F v) noexcept {
    return _mm512_fmadd_ps(v, butterfly_signs<Distance>(), exchange<Distance>(v));
  }
  static F load_butterfly(const float* p, const float* same) noexcept {
    return _mm512_fmadd_ps(_mm512_movehdup_ps(_mm512_loadu_ps(same)), butterfly_signs<1>(),
                           _mm512_moveldup_ps(_mm512_loadu_ps(p)));
  }
  static F interleave_low(F a, F b) noexcept { return _mm512_unpacklo_ps(a, b); }
  static F interleave_high(F a, F b) noexcept { return _mm512_unpackhi_ps(a, b); }
  static F pairs_low(F a, F b) noexcept { return _mm512_shuffle_ps(a, b, 0x44); }
  static F pairs_high(F a, F b) noexcept { return _mm512_shuffle_ps(a, b, 0xEE); }
  static float first(F v) noexcept { return _mm512_cvtss_f32(v); }
  static float sum(F v) noexcept { return _mm512_reduce_add_ps(v); }
  static float max(F v) noexcept { return _mm512_reduce_max_ps(v); }

  static F load_f16(const std::uint16_t* p) noexcept {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static void split_f16(I pairs, F& even, F& odd) noexcept {
    const __m512i order = _mm512_setr_epi32(0x00020000, 0x00060004, 0x000A0008, 0x000E000C, 0x00120010, 0x00160014,
                                            0x001A0018, 0x001E001C, 0x00030001, 0x00070005, 0x000B0009, 0x000F000D,
                                            0x00130011, 0x00170015, 0x001B0019, 0x001F001D);
    const __m512i words = _mm512_permutexvar_epi16(order, pairs);
    alignas(64) std::uint16_t stored[32];  // its upper half comes back without a shuffle, which would wait for port 5
    _mm512_store_si512(stored, words);
    const std::uint16_t* p = stored;
    asm("" : "+r"(p) : "m"(stored));
    even = _mm512_cvtph_ps(_mm512_castsi512_si256(words));
    odd = load_f16(p + 16);
  }
  static F load_bf16(const std::uint16_t* p) noexcept {
    const __m512i h = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    return _mm512_castsi512_ps(_mm512_slli_epi32(h, 16));
  }
  static void store_f16(F v, std::uint16_t* p) noexcept {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
  }
  static void store_bf16(F v, std::uint16_t* p) noexcept {
    const __m512i b = bits(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(b, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(b, _mm512_set1_epi32(0x7FFF)), odd);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
  }

  static I load_bytes(const std::uint8_t* p) noexcept {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static I load_signed_bytes(const std::int8_t* p) noexcept {
    return _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static void store_bytes(I v, std::uint8_t* p) noexcept {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(v));
  }

  static void store_bytes(I a, I b, I c, I d, std::uint8_t* p) noexcept {
    const __m512i bytes = _mm512_packus_epi16(_mm512_packus_epi32(a, b), _mm512_packus_epi32(c, d));
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    _mm512_storeu_si512(p, _mm512_permutexvar_epi32(order, bytes));
  }

  static I abs16(I v) noexcept { return _mm512_abs_epi16(v); }
  static F max_magnitude(F most, F v) noexcept { return _mm512_range_ps(most, v, 0b1011); }
  static I pair16(I low, I high) noexcept {
    const __m512i up = _mm512_broadcast_i32x4(_mm_setr_epi32(0x01000100, 0x05040504, 0x09080908, 0x0D0C0D0C));
    return _mm512_mask_shuffle_epi8(low, 0xCCCCCCCCCCCCCCCCu, high, up);  // a shift would wait for port 0
  }
  static I high_bytes(I a, I b) noexcept {
    const __m512i down = _mm512_broadcast_i32x4(_mm_setr_epi32(0x03030101, 0x07070505, 0x0B0B0909, 0x0F0F0D0D));
    return _mm512_mask_shuffle_epi8(b, 0x5555555555555555u, a, down);
  }
  static I multiply_high16(I a, I b) noexcept { return _mm512_mulhi_epu16(a, b); }
  static I max16(I a, I b) noexcept { return _mm512_max_epi16(a, b); }
  static I min16(I a, I b) noexcept { return _mm512_min_epi16(a, b); }
  template <int Count>
  static I shift_left16(I v) noexcept {
    return _mm512_slli_epi16(v, Count);
  }
  template <int Count>
  static I shift_right16(I v) noexcept {
    return _mm512_srli_epi16(v, Count);
  }
  template <int Count>
  static I shift_right32(I v) noexcept {
    return _mm512_srli_epi32(v, Count);
  }
  static I multipliers(I index) noexcept {
    const __m512i quotients = _mm512_setr_epi32(524288, 493447, 466033, 441505, 419430, 399457, 381300, 364722, 349525,
                                                335544, 322638, 310689, 299593, 289262, 279620, 270600);
    const __m512i shifted = _mm512_srlv_epi32(_mm512_permutexvar_epi32(index, quotients), _mm512_srli_epi32(index, 4));
    return _mm512_min_epu32(shifted, _mm512_set1_epi32(65535));
  }
  static I multiply_add16(I sum, I a, I b) noexcept { return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b)); }
  static I add_pairs(I code_bytes, I signs) noexcept { return _mm512_maddubs_epi16(code_bytes, signs); }

  static I table(const Table16& t) noexcept { return _mm512_load_si512(t.bytes); }
  static I lookup(I table, I index) noexcept { return _mm512_shuffle_epi8(table, index); }
  static I lookup_low(I table, I bytes) noexcept { return lookup(table, bytes & I(0x0F0F0F0F)); }
  static I lookup_high(I table, I bytes) noexcept { return lookup(table, shift_right16<4>(bytes) & I(0x0F0F0F0F)); }
  static I nearest_nibble(I half_units) noexcept { return shift_left16<4>(nearest_code(half_units)); }
  static I nearest_code(I half_units) noexcept {
    static constexpr BucketTables tables = bucket_tables();
    const __m512i bucket = _mm512_and_si512(_mm512_srli_epi16(half_units, 3), _mm512_set1_epi8(15));
    const __mmask64 reached = _mm512_cmple_epi8_mask(lookup(table(tables.threshold), bucket), half_units);
    const __m512i below = lookup(table(tables.below), bucket);
    return _mm512_mask_add_epi8(below, reached, below, _mm512_set1_epi8(1));
  }
  static I nearest_centroid(I half_units) noexcept {
    static constexpr Table16 centroids = unsigned_centroids();
    return lookup(table(centroids), nearest_code(half_units));
  }

  // Two products fit 16 bits: 125 * 127 or 255 * 61 each.
  static I dot(I sum, I unsigned_bytes, I signed_bytes) noexcept {
    const __m512i pairs = _mm512_maddubs_epi16(unsigned_bytes, signed_bytes);
    return _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
  }
  static I dot_wide(I sum, I unsigned_bytes, I signed_bytes) noexcept {
    const __m512i even = _mm512_and_si512(unsigned_bytes, _mm512_set1_epi16(0xFF));
    const __m512i odd = _mm512_srli_epi16(unsigned_bytes, 8);
    const __m512i signed_even = _mm512_srai_epi16(_mm512_slli_epi16(signed_bytes, 8), 8);
    const __m512i signed_odd = _mm512_srai_epi16(signed_bytes, 8);
    return _mm512_add_epi32(sum,
                            _mm512_add_epi32(_mm512_madd_epi16(even, signed_even), _mm512_madd_epi16(odd, signed_odd)));
  }
  static I signed_codes(I stored) noexcept { return stored ^ I(static_cast<std::int32_t>(0x80808080u)); }
  static I byte_codes(I stored) noexcept { return stored; }

  static __mmask16 first_lanes(std::size_t lanes) noexcept {
    return static_cast<__mmask16>(lanes >= kLanes ? 0xFFFFu : (1u << lanes) - 1);
  }
  static I load_some(const std::uint8_t* p, std::size_t lanes) noexcept {
    return _mm512_maskz_loadu_epi32(first_lanes(lanes), p);
  }
  static void add_some(F v, float* p, std::size_t lanes) noexcept {
    const __mmask16 mask = first_lanes(lanes);
    _mm512_mask_storeu_ps(p, mask, _mm512_add_ps(v, _mm512_maskz_loadu_ps(mask, p)));
  }

  static I transpose_bytes(I v) noexcept {
    const __m128i order = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_shuffle_epi8(v, _mm512_broadcast_i32x4(order));
  }
  static void store_quads(I v, std::uint8_t* p, std::size_t stride) noexcept {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_castsi512_si128(v));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p + stride), _mm512_extracti32x4_epi32(v, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 2 * stride), _mm512_extracti32x4_epi32(v, 2));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 3 * stride), _mm512_extracti32x4_epi32(v, 3));
  }
  static I load_quads(const std::uint8_t* p, std::size_t stride) noexcept {
    const auto quad = [&](std::size_t i) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + i * stride)); };
    __m512i v = _mm512_castsi128_si512(quad(0));
    v = _mm512_inserti32x4(v, quad(1), 1);
    v = _mm512_inserti32x4(v, quad(2), 2);
    return _mm512_inserti32x4(v, quad(3), 3);
  }
};

#if defined(__AVX512VNNI__) && defined(__AVX512VBMI__)
struct Avx512Vnni : Avx512 {
  // A byte permutation looks at six bits of an index; tables repeat every 16 bytes, so the other nibble does no harm.
  static I lookup_low(I table, I bytes) noexcept { return _mm512_permutexvar_epi8(bytes, table); }
  static I lookup_high(I table, I bytes) noexcept {
    return _mm512_permutexvar_epi8(_mm512_srli_epi16(bytes, 4), table);
  }
  // Between 2^15 and 2^16 the second byte of a float is its whole part modulo 256.
  static constexpr float kWholeOffset = 32768.0f;
  static void store_offset(F a, F b, F c, F d, std::uint8_t* p) noexcept {
    const __m512i second_bytes =
        _mm512_zextsi128_si512(_mm_setr_epi8(1, 5, 9, 13, 17, 21, 25, 29, 33, 37, 41, 45, 49, 53, 57, 61));
    const auto store = [&](F v, std::uint8_t* to) {
      const __m512i bytes = _mm512_permutexvar_epi8(second_bytes, bits(v));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_castsi512_si128(bytes));
    };
    store(a, p);
    store(b, p + 16);
    store(c, p + 32);
    store(d, p + 48);
  }
  static I multiply_add16(I sum, I a, I b) noexcept { return _mm512_dpwssd_epi32(sum, a, b); }
  static I dot(I sum, I unsigned_bytes, I signed_bytes) noexcept {
    return _mm512_dpbusd_epi32(sum, unsigned_bytes, signed_bytes);
  }
  static I dot_wide(I sum, I unsigned_bytes, I signed_bytes) noexcept {
    return _mm512_dpbusd_epi32(sum, unsigned_bytes, signed_bytes);
  }
  static I lookup128(const Table128& t, I index) noexcept {
    return _mm512_permutex2var_epi8(_mm512_load_si512(t.bytes), index, _mm512_load_si512(t.bytes + 64));
  }
  static I nearest_nibble(I half_units) noexcept {
    static constexpr Table128 nibbles = nearest_nibbles();
    return lookup128(nibbles, half_units);
  }
  static I nearest_centroid(I half_units) noexcept {
    static constexpr Table128 centroids = nearest_centroids();
    return lookup128(centroids, half_units);
  }
};
#endif

}  // namespace
}  // namespace tq
