// Softmax bookkeeping in base 2.
#pragma once

#include "values-inl.hpp"

namespace tq {
namespace {

// Polynomials for 2^f, |f| <= 1/2, fitted to the least relative error, highest coefficient first: 7.5e-8, with the rounding
// of its evaluation 2.3e-7; and 2.6e-6 where weights become integers of 8 or 16 bits.
inline constexpr float kExp2[] = {1.3276472454890609e-3f, 9.675541892647743e-3f, 5.550713092088699e-2f,
                                  2.4022120237350464e-1f, 6.931469440460205e-1f, 1.0000001192092896f};
inline constexpr float kCoarseExp2[] = {9.570102207362652e-3f, 5.591785907745361e-2f, 2.40247443318367e-1f,
                                        6.931217908859253e-1f, 9.999992847442627e-1f};
// Less would give subnormal numbers, for which processors take a hundred cycles; or, of weights, products with scales.
inline constexpr float kLeastExponent = -125.0f, kLeastWeight = -60.0f;

// 2^x for kLeastExponent <= x <= 127: a polynomial for what remains after rounding x to a whole number, which the last
// bits of x + 1.5 * 2^23 hold; the bias of exponents is added with it.
template <class S, std::size_t Count>
TQ_INLINE inline typename S::F exp2_of(typename S::F x, const float (&polynomial)[Count]) noexcept {
  const auto power = [&](typename S::F f) TQ_INLINE {
    typename S::F p(polynomial[0]);
    for (std::size_t i = 1; i < Count; ++i) p = S::multiply_add(p, f, typename S::F(polynomial[i]));
    return p;
  };
  if constexpr (requires { S::beyond_whole(x); }) {
    const typename S::F f = S::beyond_whole(x);
    return S::times_power_of_two(power(f), x - f);
  } else {
    const typename S::F rounding(12582912.0f + 127.0f), whole = x + rounding;
    return power(x - (whole - rounding)) * S::from_bits(S::bits(whole) << 23);
  }
}

// 2^x for x <= 127, 0 below kLeastExponent and for NaN.
template <class S>
typename S::F exp2(typename S::F x) noexcept {
  const typename S::F least(kLeastExponent);
  return xsimd::select(x >= least, exp2_of<S>(xsimd::max(x, least), kExp2), typename S::F(0.0f));
}

// The same for weights that are going to be rounded, and 2^kLeastWeight for what is less.
template <class S>
TQ_INLINE inline typename S::F coarse_exp2(typename S::F x) noexcept {
  return exp2_of<S>(xsimd::max(x, typename S::F(kLeastWeight)), kCoarseExp2);
}

// All rows side by side: each alone would wait for its maximum, for its weights and for their sum.
template <class S, int Rows>
void softmax_rows(float* logits, float* maxima, float* sums, float* changes) noexcept {
  using Register = typename S::F::register_type;
  constexpr float nothing = -__builtin_inff();
  constexpr int vectors = kTokenVectors<S>;
  Register most[Rows], total[Rows];
  unroll<Rows>([&](auto r) TQ_INLINE {
    most[r] = typename S::F(maxima[r]);
    unroll<vectors>([&](auto i) TQ_INLINE {
      most[r] = xsimd::max(typename S::F(most[r]), S::F::load_aligned(logits + r * kBlockTokens + i * S::kLanes));
    });
  });
  float largest[Rows], added[Rows];
  maxima_of_lanes<S, Rows>(most, largest);
  unroll<Rows>([&](auto r) TQ_INLINE {
    // Nothing visible so far: any finite reference gives weights of zero.
    const typename S::F reference(largest[r] == nothing ? 0.0f : largest[r]);
    total[r] = typename S::F(0.0f);
    unroll<vectors>([&](auto i) TQ_INLINE {
      float* at = logits + r * kBlockTokens + i * S::kLanes;
      const typename S::F weight = exp2<S>(S::F::load_aligned(at) - reference);
      weight.store_aligned(at);
      total[r] = typename S::F(total[r]) + weight;
    });
    const bool moves = largest[r] != maxima[r] && maxima[r] != nothing;
    changes[r] = moves ? S::first(exp2<S>(typename S::F(maxima[r]) - reference)) : 1.0f;
    maxima[r] = largest[r];
  });
  sums_of_lanes<S, Rows>(total, added);
  for (int r = 0; r < Rows; ++r) sums[r] = sums[r] * changes[r] + added[r];
}

template <class S>
void softmax(float* logits, std::size_t rows, float* maxima, float* sums, float* changes) noexcept {
  with_rows(rows, [&](auto r) { softmax_rows<S, decltype(r)::value>(logits, maxima, sums, changes); });
}

// log2(e) * cap * tanh(logit / cap), with tanh(a) = 1 - 2 / (e^2a + 1).
template <class S>
typename S::F capped(typename S::F logit, float cap) noexcept {
  constexpr float log2e = 1.44269504f;
  const typename S::F doubled(2 * log2e / cap), scale(log2e * cap), one(1.0f), most(126.0f);
  const typename S::F e = exp2<S>(xsimd::max(xsimd::min(logit * doubled, most), -most));
  return scale * (one - S::divide(typename S::F(2.0f), e + one));
}

template <class S>
void softcap(float* logits, std::size_t count, float cap) noexcept {
  for (std::size_t i = 0; i < count; i += S::kLanes)
    capped<S>(S::F::load_unaligned(logits + i), cap).store_unaligned(logits + i);
}

template <class S>
float dot(const float* a, const float* b, std::size_t count) noexcept {
  typename S::F sum(0.0f);
  for (std::size_t i = 0; i < count; i += S::kLanes)
    sum = S::multiply_add(S::F::load_unaligned(a + i), S::F::load_unaligned(b + i), sum);
  return S::sum(sum);
}

}  // namespace
}  // namespace tq
