// Loops whose index is a constant expression. Arrays of vector registers that are indexed by nothing else stay in
// registers; with ordinary loops GCC keeps part of them on the stack.
#pragma once

#include <utility>

#define TQ_INLINE __attribute__((always_inline))

namespace tq {
namespace {

template <int Value>
struct Constant {
  static constexpr int value = Value;
  constexpr operator int() const noexcept { return Value; }
};

template <class Body, int... Indices>
TQ_INLINE inline void unroll_each(Body&& body, std::integer_sequence<int, Indices...>) noexcept {
  (body(Constant<Indices>{}), ...);
}

// body(Constant<0>), .. body(Constant<Count - 1>); write the body as [&](auto i) TQ_INLINE { .. }.
template <int Count, class Body>
TQ_INLINE inline void unroll(Body&& body) noexcept {
  unroll_each(body, std::make_integer_sequence<int, Count>{});
}

}  // namespace
}  // namespace tq
