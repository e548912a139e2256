// What the machine can do at best: loops without dependences that nothing but one unit of the CPU limits.
#pragma once

#include "vec.hpp"

namespace {

// Makes the compiler believe that v is read and changed, so that it neither folds nor removes the loop.
template <class V>
inline void keep(V& v) {
#if defined(__x86_64__)
  asm volatile("" : "+x"(v));
#else
  asm volatile("" : "+w"(v));
#endif
}

constexpr int kChains = kLanes == 16 ? 16 : 10;

std::uint64_t read_all(const void* data, std::size_t bytes) {
  const char* p = static_cast<const char*>(data);
  U sums[4] = {};
  for (std::size_t i = 0; i + 4 * sizeof(U) <= bytes; i += 4 * sizeof(U)) {
    TQ_BENCH_UNROLL
    for (int c = 0; c < 4; ++c) sums[c] ^= load_as<U>(p + i + c * sizeof(U));
  }
  const U all = (sums[0] ^ sums[1]) ^ (sums[2] ^ sums[3]);
  std::uint64_t result = 0;
  for (int i = 0; i < kLanes; ++i) result += all[i];
  return result;
}

void write_all(void* data, std::size_t bytes) {
  char* p = static_cast<char*>(data);
  F value = splat(0.0f);
  for (std::size_t i = 0; i + sizeof value <= bytes; i += sizeof value) {
    keep(value);  // or this would become a call of memset
    std::memcpy(p + i, &value, sizeof value);
  }
}

// step(v) of each of kChains vectors, again and again; returns how many steps that was.
template <class Step>
double on_chains(std::size_t rounds, Step step) {
  F chains[kChains];
  TQ_BENCH_UNROLL
  for (F& v : chains) v = splat(1.0f);
  for (std::size_t i = 0; i < rounds; ++i) {
    TQ_BENCH_UNROLL
    for (F& v : chains) {
      step(v);
      keep(v);
    }
  }
  return static_cast<double>(rounds) * kChains;
}

double adds(std::size_t steps) {
  F one = splat(1e-20f);
  keep(one);
  return on_chains(steps, [one](F& v) { v = v + one; }) * kLanes;
}

double fmas(std::size_t steps) {
  F factor = splat(0.999f), term = splat(1e-20f);
  keep(factor), keep(term);
  return on_chains(steps, [factor, term](F& v) { v = v * factor + term; }) * kLanes;
}

// A chain of integer additions, each of which needs the one before: as many cycles of the core. Multiply-adds beside them,
// because some processors are slower while they use their widest vectors.
double cycles(std::size_t steps) {
  F factor = splat(0.999f), term = splat(1e-20f);
  keep(factor), keep(term);
  return on_chains(steps, [factor, term, sum = std::size_t{0}, one = std::size_t{1}](F& v) mutable {
    sum += one;
    asm volatile("" : "+r"(sum), "+r"(one));  // neither folded nor removed
    v = v * factor + term;
  });
}

#if defined(__AVX512VNNI__)
constexpr const char* kDotInstruction = "vpdpbusd zmm";
double dots(std::size_t steps) {
  __m512i chains[kChains] = {}, a = _mm512_set1_epi8(1), b = a;
  keep(a), keep(b);
  for (std::size_t i = 0; i < steps; ++i) {
    TQ_BENCH_UNROLL
    for (__m512i& v : chains) {
      v = _mm512_dpbusd_epi32(v, a, b);
      keep(v);
    }
  }
  return static_cast<double>(steps) * kChains * 64;
}
#elif defined(__AVX2__)
#if defined(__AVX512BW__)
constexpr const char* kDotInstruction = "2 vpmaddubsw + vpaddw + vpmaddwd + vpaddd zmm";
using Bytes = __m512i;
inline Bytes dot_step(Bytes sum, Bytes a, Bytes b, Bytes ones) {
  Bytes low = _mm512_maddubs_epi16(a, b), high = _mm512_maddubs_epi16(b, a);
  return _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_add_epi16(low, high), ones));
}
#else
constexpr const char* kDotInstruction = "2 vpmaddubsw + vpaddw + vpmaddwd + vpaddd ymm";
using Bytes = __m256i;
inline Bytes dot_step(Bytes sum, Bytes a, Bytes b, Bytes ones) {
  Bytes low = _mm256_maddubs_epi16(a, b), high = _mm256_maddubs_epi16(b, a);
  return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_add_epi16(low, high), ones));
}
#endif
double dots(std::size_t steps) {
  constexpr int kDotChains = 8;
  Bytes chains[kDotChains] = {}, a = {}, b = {}, ones = {};
  keep(ones);
  for (std::size_t i = 0; i < steps; ++i) {
    TQ_BENCH_UNROLL
    for (Bytes& v : chains) {
      keep(a), keep(b);
      v = dot_step(v, a, b, ones);
      keep(v);
    }
  }
  return static_cast<double>(steps) * kDotChains * 2 * sizeof(Bytes);
}
#elif defined(__SSE2__)
constexpr const char* kDotInstruction = "pmaddwd + paddd xmm";
double dots(std::size_t steps) {
  constexpr int kDotChains = 8;
  __m128i chains[kDotChains] = {}, a = _mm_set1_epi16(1), b = a;
  for (std::size_t i = 0; i < steps; ++i) {
    TQ_BENCH_UNROLL
    for (__m128i& v : chains) {
      keep(a), keep(b);
      v = _mm_add_epi32(v, _mm_madd_epi16(a, b));
      keep(v);
    }
  }
  return static_cast<double>(steps) * kDotChains * 8;
}
#elif defined(__aarch64__)
constexpr const char* kDotInstruction = "smull + sadalp";
double dots(std::size_t steps) {
  constexpr int kDotChains = 8;
  int32x4_t chains[kDotChains] = {};
  int8x8_t a = vdup_n_s8(1), b = a;
  for (std::size_t i = 0; i < steps; ++i) {
    TQ_BENCH_UNROLL
    for (int32x4_t& v : chains) {
      keep(a), keep(b);
      v = vpadalq_s16(v, vmull_s8(a, b));
      keep(v);
    }
  }
  return static_cast<double>(steps) * kDotChains * 8;
}
#endif

}  // namespace
