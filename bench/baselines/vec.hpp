// The vector type of the baselines: GCC and Clang vector extensions, as wide as the file's flags allow. Its few
// functions are all that a baseline needs. Include only from baselines/arch/*.cpp; everything has internal linkage.
//
// a * b + c is one fused multiply-add where the instruction set has it (-ffp-contract=fast).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

// In front of a loop over registers: without it GCC keeps arrays of more than eight of them in memory.
#if defined(__clang__)
#define TQ_BENCH_UNROLL _Pragma("unroll")
#else
#define TQ_BENCH_UNROLL _Pragma("GCC unroll 16")
#endif

namespace {

#if defined(__AVX512F__)
constexpr int kLanes = 16;
#elif defined(__AVX2__)
constexpr int kLanes = 8;
#else
constexpr int kLanes = 4;
#endif

typedef float F __attribute__((vector_size(kLanes * 4)));
typedef std::int32_t I __attribute__((vector_size(kLanes * 4)));
typedef std::uint32_t U __attribute__((vector_size(kLanes * 4)));
typedef std::uint16_t H __attribute__((vector_size(kLanes * 2)));

template <class V>
[[maybe_unused]] inline V load_as(const void* p) {
  V v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
[[maybe_unused]] inline F load(const float* p) { return load_as<F>(p); }
[[maybe_unused]] inline void store(float* p, F v) { std::memcpy(p, &v, sizeof v); }

[[maybe_unused]] inline F splat(float x) {
#if defined(__AVX512F__)
  return (F)_mm512_set1_ps(x);
#elif defined(__AVX2__)
  return (F)_mm256_set1_ps(x);
#else
  return F{x, x, x, x};
#endif
}

[[maybe_unused]] inline F max(F a, F b) { return a > b ? a : b; }

[[maybe_unused]] inline F load_f16(const std::uint16_t* p) {
#if defined(__AVX512F__)
  return (F)_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#elif defined(__F16C__)
  return (F)_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#elif defined(__aarch64__)
  return (F)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
#else
  // Shift the 15 low bits into an f32 whose exponent is 112 too small; finite values only.
  const U h = __builtin_convertvector(load_as<H>(p), U);
  const F magnitude = (F)((h & 0x7FFFu) << 13) * splat(0x1p112f);
  return (F)((U)magnitude | ((h & 0x8000u) << 16));
#endif
}

// 2^x for x <= 0, to about 2 units in the last place; 0 below 2^-126.
[[maybe_unused]] inline F exp2_of(F x) {
  const F shifted = max(x, splat(-126.0f)) + splat(12582912.0f);  // 1.5 * 2^23: the rounded x is in the low bits
  const F f = max(x, splat(-126.0f)) - (shifted - splat(12582912.0f));
  F p = splat(1.3333558146e-3f);
  p = p * f + splat(9.6181291076e-3f);
  p = p * f + splat(5.5504108664e-2f);
  p = p * f + splat(2.4022650695e-1f);
  p = p * f + splat(6.9314718055e-1f);
  p = p * f + splat(1.0f);
  const F result = (F)((I)p + ((I)shifted << 23));
  return x < splat(-126.0f) ? splat(0.0f) : result;
}

// Lane i of the result is lane i ^ H of v.
template <int H>
[[maybe_unused]] inline F exchange(F v) {
#if defined(__clang__)
  F result;
  TQ_BENCH_UNROLL
  for (int i = 0; i < kLanes; ++i) result[i] = v[i ^ H];
  return result;
#else
  I from;
  for (int i = 0; i < kLanes; ++i) from[i] = i ^ H;
  return __builtin_shuffle(v, from);
#endif
}

// Combines all lanes by a tree; every lane gets the result.
template <class Operation>
[[maybe_unused]] inline F all_lanes(F v, Operation combine) {
  if constexpr (kLanes >= 16) v = combine(v, exchange<8>(v));
  if constexpr (kLanes >= 8) v = combine(v, exchange<4>(v));
  v = combine(v, exchange<2>(v));
  return combine(v, exchange<1>(v));
}
[[maybe_unused]] inline float sum_of(F v) {
  return all_lanes(v, [](F a, F b) { return a + b; })[0];
}
[[maybe_unused]] inline float max_of(F v) {
  return all_lanes(v, [](F a, F b) { return max(a, b); })[0];
}

}  // namespace
