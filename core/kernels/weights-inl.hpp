// Softmax weights of a block as integers, for sums over coded values.
//
// The weights of a block and group, softmax weight times the token's scale, become integers relative to the largest of
// them. One digit of 8 bits (7 on NEON), rounded with an ordered dither so that many small weights keep their sum, is
// enough unless one token outweighs the others, as an attention sink does: then a second digit follows in a second pass
// (docs/numerics.md).
#pragma once

#include <algorithm>

#include "scores-inl.hpp"

namespace tq {
namespace {

inline constexpr float kPeaked = 0.5f;  // a second digit if the largest weight is more than this part of the sum
// Values of 8 bits deserve weights of more.
template <Codes Code>
inline constexpr bool kAlwaysTwoDigits = Code == Codes::kTq8;

// Van der Corput's sequence: any run of tokens has evenly spread thresholds within (0, 1).
struct Dither {
  alignas(64) float threshold[kBlockTokens];
};
constexpr Dither make_dither(float offset) {
  Dither dither{};
  for (unsigned t = 0; t < kBlockTokens; ++t) {
    unsigned reversed = 0;
    for (unsigned bit = 0; bit < 6; ++bit) reversed |= (t >> bit & 1u) << (5 - bit);
    dither.threshold[t] = offset + (static_cast<float>(reversed) + 0.5f) / kBlockTokens;
  }
  return dither;
}

template <class S>
inline constexpr Dither kDither = make_dither(whole_offset<S>());

// One row's weights: unit * high + low_unit * low; low only where there is a second digit.
struct IntegerWeights {
  alignas(64) std::uint8_t high[kBlockTokens], low[kBlockTokens];
  float unit, low_unit;
  bool second;
};
static_assert(sizeof(IntegerWeights) == kWeightBytes);

template <class S>
inline constexpr int kDigitBits = S::kWeightRange == 256 ? 8 : 7;
template <class S>
inline constexpr int kTokenVectors = static_cast<int>(kBlockTokens) / S::kLanes;

// The scales of a side, [group][token], as floats without the block's 2^offset.
template <class S>
void expand_scales(const CodeShape& shape, const std::uint8_t* bytes, float* out) noexcept {
  const std::size_t count = shape.groups() * kBlockTokens;
  for (std::size_t i = 0; i < count; i += S::kLanes) scales_from_bytes<S>(bytes + i).store_aligned(out + i);
}

// The first `count` of what lies at `memory`, which then begins behind them.
template <class T>
T* take(std::uint8_t*& memory, std::size_t count) noexcept {
  T* first = reinterpret_cast<T*>(memory);
  memory += count * sizeof(T);
  return first;
}

// Stores the bytes of all 64 tokens; vector(Constant<i>) gives the lanes of vector i.
template <class S, class Vector>
TQ_INLINE inline void store_token_bytes(Vector vector, std::uint8_t* bytes) noexcept {
  unroll<kTokenVectors<S> / 4>([&](auto four) TQ_INLINE {
    constexpr int i = 4 * four;
    S::store_bytes(vector(Constant<i>{}), vector(Constant<i + 1>{}), vector(Constant<i + 2>{}),
                   vector(Constant<i + 3>{}), bytes + i * S::kLanes);
  });
}

// One digit of the weights w.
template <class S>
TQ_INLINE inline void one_digit(const typename S::F::register_type* w, float factor, std::uint8_t* digits) noexcept {
  const typename S::F factors(factor);
  unroll<kTokenVectors<S> / 4>([&](auto four) TQ_INLINE {
    typename S::F::register_type q[4];
    unroll<4>([&](auto i) TQ_INLINE {
      constexpr int v = 4 * four + i;
      q[i] = S::multiply_add(typename S::F(w[v]), factors, S::F::load_aligned(kDither<S>.threshold + v * S::kLanes));
    });
    store_whole<S>(q[0], q[1], q[2], q[3], digits + 4 * four * S::kLanes);
  });
}

// Two digits in place of one: the same range in finer steps.
template <class S>
TQ_INLINE inline void two_digits(const typename S::F::register_type* w, float factor, IntegerWeights& out) noexcept {
  constexpr float finer = static_cast<float>(S::kWeightRange * S::kWeightRange - 1) / (S::kWeightRange - 1);
  const typename S::F factors(factor * finer);
  const auto q = [&](auto i) TQ_INLINE { return S::round(typename S::F(w[i]) * factors); };
  store_token_bytes<S>([&](auto i) TQ_INLINE { return S::template shift_right32<kDigitBits<S>>(q(i)); }, out.high);
  store_token_bytes<S>([&](auto i) TQ_INLINE { return q(i) & splat<S>(S::kWeightRange - 1); }, out.low);
  out.low_unit = out.unit * (1.0f / finer);
  out.unit = out.low_unit * S::kWeightRange;
}

template <class S>
bool peaked(const typename S::F::register_type* w, float largest) noexcept {
  typename S::F sum = w[0];
  for (int i = 1; i < kTokenVectors<S>; ++i) sum += typename S::F(w[i]);
  return largest > kPeaked * S::sum(sum);
}

// The integer weights of each row, [row][token] before, for one group of coordinates; `scale` becomes part of their units.
template <class S, Codes Code, int Rows>
TQ_INLINE inline void quantize_weights(const float* weights, const float* scales, float scale,
                                       IntegerWeights (&out)[Rows]) noexcept {
  using Register = typename S::F::register_type;
  constexpr int vectors = kTokenVectors<S>;
  constexpr float range = S::kWeightRange - 1;
  Register w[Rows * vectors], most[Rows];
  unroll<Rows>([&](auto r) TQ_INLINE {
    unroll<vectors>([&](auto i) TQ_INLINE {
      const typename S::F product =
          S::F::load_aligned(weights + r * kBlockTokens + i * S::kLanes) * S::F::load_aligned(scales + i * S::kLanes);
      w[r * vectors + i] = product;
      most[r] = i == 0 ? product : xsimd::max(typename S::F(most[r]), product);
    });
  });
  float largest[Rows], part[Rows], factor[Rows];  // part of the sum: the largest of each lane
  maxima_of_lanes<S, Rows>(most, largest);
  sums_of_lanes<S, Rows>(most, part);
  // The least divisor keeps 0 * infinity away where all weights are zero.
  for (int r = 0; r < Rows; ++r) factor[r] = range / std::max(largest[r], 1e-30f);
  unroll<Rows>([&](auto r) TQ_INLINE {
    const Register* row = w + r * vectors;
    out[r].unit = largest[r] * (scale * (1.0f / range));
    out[r].second = kAlwaysTwoDigits<Code> || (largest[r] > kPeaked * part[r] && peaked<S>(row, largest[r]));
    if (out[r].second) return two_digits<S>(row, factor[r], out[r]);
    one_digit<S>(row, factor[r], out[r].high);
  });
}

// The integer weights of a block: [group][row].
template <int Rows>
using BlockWeights = IntegerWeights (*)[Rows];

template <class S, Codes Code, int Rows>
void quantize_block(const CodeShape& shape, const float* scales, float scale, const float* weights,
                    BlockWeights<Rows> out) noexcept {
  const std::size_t groups = shape.groups();
  for (std::size_t group = 0; group < groups; ++group)
    quantize_weights<S, Code, Rows>(weights, scales + group * kBlockTokens, scale, out[group]);
}

}  // namespace
}  // namespace tq
