// Softmax bookkeeping in base 2.
#pragma once

#include "values-inl.hpp"

namespace tq {
namespace {

// 2^x for x <= 127, 0 below -126: 2^round(x) times the Taylor series of 2^f, |f| <= 1/2, to degree 6; relative error
// below 2e-7.
template <class S>
typename S::F exp2(typename S::F x) noexcept {
  const typename S::F lowest(-126.0f);
  const typename S::F bounded = xsimd::max(x, lowest);
  const typename S::I whole = S::round(bounded);
  const typename S::F f = bounded - S::to_float(whole);
  typename S::F p(1.5403530e-4f);
  for (const float c : {1.3333558e-3f, 9.6181291e-3f, 5.5504109e-2f, 2.4022651e-1f, 6.9314718e-1f, 1.0f})
    p = S::multiply_add(p, f, typename S::F(c));
  return xsimd::select(x < lowest, typename S::F(0.0f), p * power_of_two<S>(whole));
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
