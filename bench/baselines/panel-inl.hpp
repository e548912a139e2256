// The one inner loop of the baselines: a few rows times a panel of 64 columns, with a register tile of R rows and C
// vectors. Every element of the panel is widened once per R rows.
#pragma once

#include "table.hpp"
#include "vec.hpp"

namespace {

constexpr std::size_t kColumns = bench::kTileTokens;

// How a panel is stored: rows i .. i + kStep - 1, columns from `column`, as floats.
struct StoredF32 {
  static constexpr int kStep = 1, kBytes = 4;
  template <int C>
  static void load_rows(const void* panel, std::size_t i, std::size_t column, F (&out)[1][C]) {
    const float* p = static_cast<const float*>(panel) + i * kColumns + column;
    TQ_BENCH_UNROLL
    for (int c = 0; c < C; ++c) out[0][c] = load(p + c * kLanes);
  }
};
struct StoredF16 {
  static constexpr int kStep = 1, kBytes = 2;
  template <int C>
  static void load_rows(const void* panel, std::size_t i, std::size_t column, F (&out)[1][C]) {
    const std::uint16_t* p = static_cast<const std::uint16_t*>(panel) + i * kColumns + column;
    TQ_BENCH_UNROLL
    for (int c = 0; c < C; ++c) out[0][c] = load_f16(p + c * kLanes);
  }
};
struct StoredBf16 {
  static constexpr int kStep = 2, kBytes = 2;
  template <int C>
  static void load_rows(const void* panel, std::size_t i, std::size_t column, F (&out)[2][C]) {
    const std::uint32_t* p = static_cast<const std::uint32_t*>(panel) + i / 2 * kColumns + column;
    TQ_BENCH_UNROLL
    for (int c = 0; c < C; ++c) {
      const U pair = load_as<U>(p + c * kLanes);
      out[0][c] = (F)(pair << 16);
      out[1][c] = (F)(pair & 0xFFFF0000u);
    }
  }
};

template <int R, int C>
void put(F (&acc)[R][C], float* c, std::size_t ldc, bool add) {
  TQ_BENCH_UNROLL
  for (int r = 0; r < R; ++r) {
    TQ_BENCH_UNROLL
    for (int j = 0; j < C; ++j) {
      float* at = c + r * ldc + j * kLanes;
      store(at, add ? load(at) + acc[r][j] : acc[r][j]);
    }
  }
}

inline void prefetch(const char* p, int bytes) {
  for (int i = 0; i < bytes; i += 64) __builtin_prefetch(p + i, 0, 2);
}

// One register tile: R rows, C vectors of columns. Prefetches what lies `ahead` of the panel if that is not 0.
template <class Stored, int R, int C>
inline void register_tile(const float* x, std::size_t lda, const void* b, std::size_t column, std::size_t k, float* c,
                          std::size_t ldc, bool add, std::size_t ahead) {
  F acc[R][C] = {};
  const char* line = static_cast<const char*>(b) + column * Stored::kStep * Stored::kBytes + ahead;
  for (std::size_t i = 0; i < k; i += Stored::kStep) {
    if (ahead != 0) prefetch(line + i * kColumns * Stored::kBytes, C * kLanes * Stored::kStep * Stored::kBytes);
    F y[Stored::kStep][C];
    Stored::template load_rows<C>(b, i, column, y);
    TQ_BENCH_UNROLL
    for (int s = 0; s < Stored::kStep; ++s) {
      TQ_BENCH_UNROLL
      for (int r = 0; r < R; ++r) {
        const F factor = splat(x[r * lda + i + s]);
        TQ_BENCH_UNROLL
        for (int j = 0; j < C; ++j) acc[r][j] += factor * y[s][j];
      }
    }
  }
  put<R, C>(acc, c + column, ldc, add);
}

template <class Stored, int R, int C>
void panel(const float* a, std::size_t lda, std::size_t count, const void* b, std::size_t k, float* c, std::size_t ldc,
           bool add, std::size_t ahead) {
  for (std::size_t column = 0; column < kColumns; column += C * kLanes) {
    std::size_t row = 0;
    if (ahead != 0) {
      register_tile<Stored, R, C>(a, lda, b, column, k, c, ldc, add, ahead);
      row = R;
    }
    for (; row + R <= count; row += R)
      register_tile<Stored, R, C>(a + row * lda, lda, b, column, k, c + row * ldc, ldc, add, 0);
    for (; row < count; ++row)
      register_tile<Stored, 1, C>(a + row * lda, lda, b, column, k, c + row * ldc, ldc, add, 0);
  }
}

#if defined(__AVX512BF16__)
// Two products and an addition per lane and instruction; the rows are rounded to bf16 as well, the sums stay f32.
template <int R, int C>
void panel_bf16_dot(const float* a, std::size_t lda, std::size_t count, const void* b, std::size_t k, float* c,
                    std::size_t ldc, bool add, std::size_t ahead) {
  alignas(64) std::uint32_t x[R * bench::kMaxHeadDim / 2];
  for (std::size_t row = 0; row < count; row += R) {
    if (count - row < R) return panel_bf16_dot<1, C>(a + row * lda, lda, count - row, b, k, c + row * ldc, ldc, add, 0);
    for (int r = 0; r < R; ++r) {
      for (std::size_t i = 0; i < k; i += 2 * kLanes) {
        const float* from = a + (row + r) * lda + i;
        const __m512bh pairs = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + kLanes), _mm512_loadu_ps(from));
        std::memcpy(x + (r * k + i) / 2, &pairs, sizeof pairs);
      }
    }
    for (std::size_t column = 0; column < kColumns; column += C * kLanes) {
      F acc[R][C] = {};
      for (std::size_t i = 0; i < k / 2; ++i) {
        const std::uint32_t* p = static_cast<const std::uint32_t*>(b) + i * kColumns + column;
        if (ahead != 0 && row == 0) prefetch(reinterpret_cast<const char*>(p) + ahead, C * kLanes * 4);
        __m512bh y[C];
        TQ_BENCH_UNROLL
        for (int j = 0; j < C; ++j) y[j] = load_as<__m512bh>(p + j * kLanes);
        TQ_BENCH_UNROLL
        for (int r = 0; r < R; ++r) {
          const __m512bh factor = (__m512bh)_mm512_set1_epi32(static_cast<int>(x[(r * k) / 2 + i]));
          TQ_BENCH_UNROLL
          for (int j = 0; j < C; ++j) acc[r][j] = (F)_mm512_dpbf16_ps((__m512)acc[r][j], y[j], factor);
        }
      }
      put<R, C>(acc, c + row * ldc + column, ldc, add);
    }
  }
}
#endif

}  // namespace
