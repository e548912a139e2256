// Orthonormal Walsh-Hadamard transforms of contiguous rows, in place: as everybody first writes it, and tuned.
#pragma once

#include <cmath>

#include "vec.hpp"

namespace {

void naive_fwht(float* data, std::size_t size, std::size_t count) {
  const float scale = 1.0f / std::sqrt(static_cast<float>(size));
  for (float* x = data; x < data + size * count; x += size) {
    for (std::size_t h = 1; h < size; h *= 2) {
      for (std::size_t i = 0; i < size; i += 2 * h) {
        for (std::size_t j = i; j < i + h; ++j) {
          const float a = x[j], b = x[j + h];
          x[j] = a + b;
          x[j + h] = a - b;
        }
      }
    }
    for (std::size_t i = 0; i < size; ++i) x[i] *= scale;
  }
}

// One stage inside a register: lane i becomes v[i ^ H] +- v[i], a shuffle and one fused multiply-add.
template <int H>
inline F stage_inside(F v) {
  F sign;
  for (int i = 0; i < kLanes; ++i) sign[i] = (i & H) != 0 ? -1.0f : 1.0f;
  return v * sign + exchange<H>(v);
}

inline F stages_inside(F v) {
  v = stage_inside<1>(v);
  v = stage_inside<2>(v);
  if constexpr (kLanes >= 8) v = stage_inside<4>(v);
  if constexpr (kLanes >= 16) v = stage_inside<8>(v);
  return v;
}

// log2(R) stages between R registers that lie `step` floats apart, `step` >= kLanes; the first pass also does the
// stages inside the registers, the last one scales.
template <int R>
inline void pass(float* x, std::size_t step, bool first, F scale) {
  F v[R];
  TQ_BENCH_UNROLL
  for (int r = 0; r < R; ++r) v[r] = load(x + r * step);
  if (first) {
    TQ_BENCH_UNROLL
    for (int r = 0; r < R; ++r) v[r] = stages_inside(v[r]);
  }
  TQ_BENCH_UNROLL
  for (int h = 1; h < R; h *= 2) {
    TQ_BENCH_UNROLL
    for (int r = 0; r < R; ++r) {
      if ((r & h) == 0) {
        const F a = v[r], b = v[r + h];
        v[r] = a + b;
        v[r + h] = a - b;
      }
    }
  }
  TQ_BENCH_UNROLL
  for (int r = 0; r < R; ++r) store(x + r * step, v[r] * scale);
}

template <int R>
void pass_over(float* x, std::size_t size, std::size_t step, F scale) {
  for (std::size_t i = 0; i < size; i += R * step) {
    for (std::size_t j = 0; j < step; j += kLanes) {
      if (step == kLanes) {
        pass<R>(x + i + j, step, true, scale);
      } else {
        pass<R>(x + i + j, step, false, scale);
      }
    }
  }
}

// Radix 8 as long as it fits, then 4 or 2: 2 or 3 trips through memory for 128 to 1024 values.
void tuned_fwht(float* data, std::size_t size, std::size_t count) {
  if (size < 2 * kLanes) return naive_fwht(data, size, count);
  const float factor = 1.0f / std::sqrt(static_cast<float>(size));
  for (float* x = data; x < data + size * count; x += size) {
    std::size_t step = kLanes;
    while (step < size) {
      const std::size_t left = size / step;
      const F scale = splat(left <= 8 ? factor : 1.0f);
      if (left >= 8) {
        pass_over<8>(x, size, step, scale);
        step *= 8;
      } else if (left == 4) {
        pass_over<4>(x, size, step, scale);
        step *= 4;
      } else {
        pass_over<2>(x, size, step, scale);
        step *= 2;
      }
    }
  }
}

}  // namespace
