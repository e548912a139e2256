// Softmax bookkeeping in base 2.
#pragma once

#include "values-inl.hpp"

namespace tq {
namespace {

// 2^x for x <= 127, 0 below -126 and for NaN: 2^round(x) times a polynomial for 2^f, |f| <= 1/2, fitted to the least relative error
// (7.5e-8); 2.3e-7 with the rounding of its evaluation.
template <class S>
typename S::F exp2(typename S::F x) noexcept {
  const typename S::F whole = S::nearest(x), f = x - whole;
  typename S::F p(1.3276472454890609e-3f);
  for (const float c : {9.675541892647743e-3f, 5.550713092088699e-2f, 2.4022120237350464e-1f, 6.931469440460205e-1f,
                        1.0000001192092896f})
    p = S::multiply_add(p, f, typename S::F(c));
  // Far below -126 the exponent means nothing, but then the result is not used either.
  return xsimd::select(x >= typename S::F(-126.0f), S::times_power_of_two(p, whole), typename S::F(0.0f));
}

template <class S>
float softmax(float* logits, float maximum, float* sum) noexcept {
  constexpr int count = static_cast<int>(kBlockTokens) / S::kLanes;
  typename S::F logit[count], most(maximum), total(0.0f);
  for (int i = 0; i < count; ++i) {
    logit[i] = S::F::load_unaligned(logits + i * S::kLanes);
    most = xsimd::max(most, logit[i]);
  }
  const float highest = S::max(most);
  // Nothing visible so far: any finite reference gives weights of zero.
  const typename S::F reference(highest == -__builtin_inff() ? 0.0f : highest);
  for (int i = 0; i < count; ++i) {
    const typename S::F weight = exp2<S>(logit[i] - reference);
    weight.store_unaligned(logits + i * S::kLanes);
    total += weight;
  }
  alignas(64) float change[S::kLanes];
  exp2<S>(typename S::F(maximum) - reference).store_aligned(change);
  *sum = *sum * change[0] + S::sum(total);
  return highest;
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
