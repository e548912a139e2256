// Walsh-Hadamard transform, unnormalised, in the order of docs/format.md section 1:
//   for h = 1, 2, 4 .. n/2:  (x[i], x[i+h]) <- (x[i] + x[i+h], x[i] - x[i+h])
// Additions only, in one fixed order, so that every target gives the same bits. A run that fits the registers is loaded
// and stored once: stages inside a register first, then between registers; longer ones go on in passes over memory.
#pragma once

#include "../simd/simd.hpp"
#include "../simd/unroll.hpp"
#include "kernel_table.hpp"

namespace tq {
namespace {

// Stages inside `Count` registers, from stride H on, one stage of all of them at a time: their latencies overlap.
template <class S, int N, int H, int Count>
TQ_INLINE inline void fwht_inside(typename S::F::register_type* v) noexcept {
  if constexpr (H < N && H < S::kLanes) {
    unroll<Count>([&](auto i) TQ_INLINE { v[i] = S::template butterfly<H>(v[i]); });
    fwht_inside<S, N, 2 * H, Count>(v);
  }
}

// Stages between `Count` registers: strides From, 2 * From, .. Count / 2.
template <class S, int Count, int From = 1>
TQ_INLINE inline void fwht_between(typename S::F::register_type* v) noexcept {
  if constexpr (From < Count) {
    unroll<Count / 2>([&](auto pair) TQ_INLINE {
      constexpr int i = pair / From * 2 * From + pair % From;
      const typename S::F a = v[i], b = v[i + From];
      v[i] = a + b;
      v[i + From] = a - b;
    });
    fwht_between<S, Count, 2 * From>(v);
  }
}

template <class S, int N>
inline constexpr int kRunRegisters = N <= S::kLanes                      ? 1
                                     : N / S::kLanes < S::kRegisters / 2 ? N / S::kLanes
                                                                         : S::kRegisters / 2;

// What the last stage does to its results, of which the first is element i.
struct Unscaled {
  template <class F>
  F operator()(F v, std::size_t /*i*/) const noexcept {
    return v;
  }
};
struct Scaled {
  float factor;
  template <class F>
  F operator()(F v, std::size_t /*i*/) const noexcept {
    return v * F(factor);
  }
};

// Where a transform takes its input from. pairs(i) is the vector at element i after the stage of stride 1.
template <class S, class Load>
struct Loaded {
  Load load;
  typename S::F operator()(std::size_t i) const noexcept { return load(i); }
  typename S::F pairs(std::size_t i) const noexcept { return S::template butterfly<1>(load(i)); }
};
template <class S>
struct Floats {
  const float* data;
  const float* same = hide(data);
  typename S::F operator()(std::size_t i) const noexcept { return S::F::load_unaligned(data + i); }
  typename S::F pairs(std::size_t i) const noexcept { return S::load_butterfly(data + i, same + i); }
};

// The first stages, of all sizes below kRunRegisters vectors, of one run. Four registers at a time: more of them have
// too many values on their way, fewer leave the adders waiting.
template <class S, int N, class Source, class Finish>
TQ_INLINE inline void fwht_first(float* x, std::size_t at, const Source& source, Finish finish) noexcept {
  constexpr int count = kRunRegisters<S, N>, group = count < 4 ? count : 4;
  typename S::F::register_type v[count];
  unroll<count / group>([&](auto g) TQ_INLINE {
    typename S::F::register_type* part = v + g * group;
    unroll<group>([&](auto i) TQ_INLINE {
      const std::size_t element = at + (g * group + i) * S::kLanes;
      part[i] = N > 1 ? source.pairs(element) : source(element);
    });
    fwht_inside<S, N, 2, group>(part);
    fwht_between<S, group>(part);
  });
  fwht_between<S, count, group>(v);
  unroll<count>([&](auto i) TQ_INLINE {
    typename S::F(finish(typename S::F(v[i]), at + i * S::kLanes)).store_unaligned(x + at + i * S::kLanes);
  });
}

// How many vectors a pass over memory takes at a time, if so many are left: passes are about equally long.
constexpr int pass_length(int left, int most) {
  if (left <= most) return left;
  int length = 1;
  while (length * length < left && length < most) length *= 2;
  return length;
}

// Stages of strides `Stride`, 2 * Stride, .. N / 2 over the run at x + `run`, up to half of the registers at a time.
template <class S, int N, int Stride, class T, class Finish>
void fwht_rest(T* x, std::size_t run, Finish finish) noexcept {
  if constexpr (Stride < N) {
    constexpr int count = pass_length(N / Stride, S::kRegisters / 2);
    constexpr bool last = Stride * count == N;
    for (std::size_t base = run; base < run + N; base += count * Stride) {
      for (std::size_t j = base; j < base + Stride; j += S::kLanes) {
        typename S::F::register_type v[count];
        unroll<count>([&](auto i) TQ_INLINE { v[i] = S::F::load_unaligned(x + j + i * Stride); });
        fwht_between<S, count>(v);
        unroll<count>([&](auto i) TQ_INLINE {
          typename S::F out = v[i];
          if constexpr (last) out = finish(out, j + i * Stride);
          out.store_unaligned(x + j + i * Stride);
        });
      }
    }
    fwht_rest<S, N, Stride * count>(x, run, finish);
  }
}

// All runs of N among `total` floats. Needs total to be a multiple of max(N, kLanes).
template <class S, int N, class Source, class Finish = Unscaled>
void fwht_runs(float* x, std::size_t total, const Source& source, Finish finish = {}) noexcept {
  constexpr std::size_t step = kRunRegisters<S, N> * S::kLanes;
  if constexpr (N <= static_cast<int>(step)) {
    for (std::size_t at = 0; at < total; at += step) fwht_first<S, N>(x, at, source, finish);
  } else {
    for (std::size_t run = 0; run < total; run += N) {
      for (std::size_t at = run; at < run + N; at += step) fwht_first<S, N>(x, at, source, Unscaled{});
      fwht_rest<S, N, static_cast<int>(step)>(x, run, finish);
    }
  }
}

// Calls body(std::integral-like constant N) for the power of two `size`.
template <int N>
struct Size {
  static constexpr int value = N;
};
template <class Body>
void with_size(std::size_t size, const Body& body) noexcept {
  switch (size) {
    case 1: return body(Size<1>{});
    case 2: return body(Size<2>{});
    case 4: return body(Size<4>{});
    case 8: return body(Size<8>{});
    case 16: return body(Size<16>{});
    case 32: return body(Size<32>{});
    case 64: return body(Size<64>{});
    case 128: return body(Size<128>{});
    case 256: return body(Size<256>{});
    case 512: return body(Size<512>{});
    default: return body(Size<1024>{});
  }
}

template <class S>
void scale_floats(float* data, std::size_t count, float factor) noexcept {
  const typename S::F f(factor);
  std::size_t i = 0;
  for (; i + S::kLanes <= count; i += S::kLanes) (S::F::load_unaligned(data + i) * f).store_unaligned(data + i);
  for (; i < count; ++i) data[i] *= factor;
}

template <class S, class Finish>
void fwht_all(float* data, std::size_t total, std::size_t size, Finish finish) noexcept {
  with_size(size, [&](auto n) {
    constexpr int N = decltype(n)::value;
    const std::size_t whole = total / S::kLanes * S::kLanes;
    fwht_runs<S, N>(data, whole, Floats<S>{data}, finish);
    if (whole < total) {  // only where runs are shorter than a register
      float rest[S::kLanes] = {};
      for (std::size_t i = whole; i < total; ++i) rest[i - whole] = data[i];
      typename S::F::register_type v = S::F::load_unaligned(rest);
      fwht_inside<S, N, 1, 1>(&v);
      typename S::F(finish(typename S::F(v), whole)).store_unaligned(rest);
      for (std::size_t i = whole; i < total; ++i) data[i] = rest[i - whole];
    }
  });
}

template <class S>
void fwht(float* data, std::size_t total, std::size_t size, float scale) noexcept {
  if (scale != 1.0f) return fwht_all<S>(data, total, size, Scaled{scale});
  fwht_all<S>(data, total, size, Unscaled{});
}

}  // namespace
}  // namespace tq
