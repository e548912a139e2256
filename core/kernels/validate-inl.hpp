// User data that is finite and within limits.
#pragma once

#include "rows-inl.hpp"

namespace tq {
namespace {

// The largest number of type E that is not beyond a positive limit, as bits. Magnitudes compare like their bits, and those of
// infinities and NaN are above all others.
template <class E>
std::int32_t bits_of_limit(float limit) noexcept {
  if (sizeof(typename E::Type) == 4) return static_cast<std::int32_t>(bits_of(limit));
  const typename E::Type nearest = E::from_float(limit);
  return static_cast<std::int32_t>(nearest) - (E::to_float(nearest) > limit ? 1 : 0);
}

template <class S>
std::size_t find_invalid(const void* data, Element element, std::size_t count, float limit) noexcept {
  return with_element(element, [&](auto e) {
    using E = decltype(e);
    constexpr bool half = sizeof(typename E::Type) == 2;
    constexpr std::size_t step = S::kLanes * 4 / sizeof(typename E::Type);
    const std::int32_t largest = bits_of_limit<E>(limit);
    const typename S::I most = splat<S>(half ? largest << 16 | largest : largest);
    const typename S::I magnitude = splat<S>(half ? 0x7FFF7FFF : 0x7FFFFFFF);
    const auto at = [&](std::size_t i) {
      return S::I::load_unaligned(reinterpret_cast<const std::int32_t*>(elements_at<E>(data, i))) & magnitude;
    };
    const auto larger = [](typename S::I a, typename S::I b) {
      if constexpr (half) return S::max16(a, b);
      return typename S::I(xsimd::max(a, b));
    };
    std::size_t i = 0;
    for (; i + 4 * step <= count; i += 4 * step) {
      const typename S::I found = larger(larger(at(i), at(i + step)), larger(at(i + 2 * step), at(i + 3 * step)));
      if (!xsimd::all(larger(found, most) == most)) break;
    }
    while (i + step <= count && xsimd::all(larger(at(i), most) == most)) i += step;
    const auto bad = [limit](float v) { return !(v <= limit && v >= -limit); };
    while (i < count && !bad(read_element<E>(data, i))) ++i;
    return i;
  });
}

}  // namespace
}  // namespace tq
