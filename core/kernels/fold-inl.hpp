// Horizontal sums and maxima, four registers at a time: a quarter of the shuffles of four on their own.
#pragma once

#include <cstring>

#include "../simd/simd.hpp"
#include "../simd/unroll.hpp"

namespace tq {
namespace {

// All lanes of `v` combined, in every 128 bits.
template <class S, class Combine, int Distance = S::kLanes / 2>
typename S::F fold_to_quads(typename S::F v, Combine combine) noexcept {
  if constexpr (Distance >= 4)
    return fold_to_quads<S, Combine, Distance / 2>(combine(v, S::template exchange<Distance>(v)), combine);
  return v;
}

// out[i]: the lanes of v[i] combined, for `Count` registers.
template <class S, int Count, class Combine>
TQ_INLINE inline void fold_lanes(const typename S::F::register_type* v, Combine combine, float* out) noexcept {
  constexpr int whole = Count / 4 * 4;
  alignas(64) float folded[S::kLanes];
  unroll<Count / 4>([&](auto four) TQ_INLINE {
    const typename S::F a = v[4 * four], b = v[4 * four + 1], c = v[4 * four + 2], d = v[4 * four + 3];
    const typename S::F ab = combine(S::interleave_low(a, b), S::interleave_high(a, b));
    const typename S::F cd = combine(S::interleave_low(c, d), S::interleave_high(c, d));
    fold_to_quads<S>(combine(S::pairs_low(ab, cd), S::pairs_high(ab, cd)), combine).store_aligned(folded);
    std::memcpy(out + 4 * four, folded, 4 * sizeof(float));
  });
  unroll<Count - whole>([&](auto i) TQ_INLINE {
    const typename S::F quads = fold_to_quads<S>(typename S::F(v[whole + i]), combine);
    const typename S::F twos = combine(quads, S::template exchange<2>(quads));
    out[whole + i] = S::first(combine(twos, S::template exchange<1>(twos)));
  });
}

template <class S>
struct Add {
  typename S::F operator()(typename S::F a, typename S::F b) const noexcept { return a + b; }
};
template <class S>
struct Largest {
  typename S::F operator()(typename S::F a, typename S::F b) const noexcept { return xsimd::max(a, b); }
};

template <class S, int Count>
TQ_INLINE inline void sums_of_lanes(const typename S::F::register_type* v, float* out) noexcept {
  fold_lanes<S, Count>(v, Add<S>{}, out);
}
template <class S, int Count>
TQ_INLINE inline void maxima_of_lanes(const typename S::F::register_type* v, float* out) noexcept {
  fold_lanes<S, Count>(v, Largest<S>{}, out);
}

// The largest magnitude of a padded row.
template <class S>
float largest_of_row(const float* row, std::size_t padded) noexcept {
  typename S::F most(0.0f);
  for (std::size_t j = 0; j < padded; j += S::kLanes) most = S::max_magnitude(most, S::F::load_unaligned(row + j));
  return S::max(most);
}

}  // namespace
}  // namespace tq
