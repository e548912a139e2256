// Weighted sums of the 64 values of a block in the rotated domain, one coordinate per lane.
//
// The weights of a block and group, softmax weight times the token's scale, become integers relative to the largest of
// them. One digit of 8 bits (7 on NEON), rounded with an ordered dither so that many small weights keep their sum, is
// enough unless one token outweighs the others, as an attention sink does: then a second digit follows in a second pass
// (docs/numerics.md).
#pragma once

#include "scores-inl.hpp"

namespace tq {
namespace {

inline constexpr float kPeaked = 0.5f;  // a second digit if the largest weight is more than this part of the sum
// Values of 8 bits deserve weights of more.
template <Format Code>
inline constexpr bool kAlwaysTwoDigits = Code == Format::kTq8;

// Van der Corput's sequence: any run of tokens has evenly spread thresholds within (0, 1).
struct Dither {
  alignas(64) float threshold[kBlockTokens];
};
constexpr Dither make_dither() {
  Dither dither{};
  for (unsigned t = 0; t < kBlockTokens; ++t) {
    unsigned reversed = 0;
    for (unsigned bit = 0; bit < 6; ++bit) reversed |= (t >> bit & 1u) << (5 - bit);
    dither.threshold[t] = (static_cast<float>(reversed) + 0.5f) / kBlockTokens;
  }
  return dither;
}

inline constexpr Dither kDither = make_dither();

// One row's weights: unit * high + low_unit * low. Where low_unit is 0 there is no second digit.
struct IntegerWeights {
  alignas(64) std::uint8_t high[kBlockTokens], low[kBlockTokens];
  float unit, low_unit;
};

template <class S>
inline constexpr int kDigitBits = S::kWeightRange == 256 ? 8 : 7;
template <class S>
inline constexpr int kTokenVectors = static_cast<int>(kBlockTokens) / S::kLanes;

// The scales of a side, [group][token], as floats without the block's 2^offset.
struct BlockScales {
  alignas(64) float scale[kMaxPadded / 32][kBlockTokens];
};
template <class S>
void expand_scales(const CodeShape& shape, const std::uint8_t* bytes, BlockScales& out) noexcept {
  const std::size_t count = shape.groups() * kBlockTokens;
  for (std::size_t i = 0; i < count; i += S::kLanes) scales_from_bytes<S>(bytes + i).store_aligned(out.scale[0] + i);
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

template <class S>
TQ_INLINE inline void one_digit(const typename S::F::register_type* w, float largest, IntegerWeights& out) noexcept {
  constexpr float range = S::kWeightRange - 1;
  // The least divisor keeps 0 * infinity away where all weights are zero.
  const typename S::F factor(range / (largest > 1e-30f ? largest : 1e-30f));
  store_token_bytes<S>(
      [&](auto i) TQ_INLINE {
        const typename S::F threshold = S::F::load_aligned(kDither.threshold + i * S::kLanes);
        return S::truncate(S::multiply_add(typename S::F(w[i]), factor, threshold));
      },
      out.high);
  out.unit = largest * (1.0f / range);
  out.low_unit = 0;
}

template <class S>
TQ_INLINE inline void two_digits(const typename S::F::register_type* w, float largest, IntegerWeights& out) noexcept {
  constexpr float range = S::kWeightRange * S::kWeightRange - 1;
  const typename S::F factor(range / (largest > 1e-30f ? largest : 1e-30f));
  const auto q = [&](auto i) TQ_INLINE { return S::round(typename S::F(w[i]) * factor); };
  store_token_bytes<S>([&](auto i) TQ_INLINE { return S::template shift_right32<kDigitBits<S>>(q(i)); }, out.high);
  store_token_bytes<S>([&](auto i) TQ_INLINE { return q(i) & splat<S>(S::kWeightRange - 1); }, out.low);
  out.low_unit = largest * (1.0f / range);
  out.unit = out.low_unit * S::kWeightRange;
}

// The integer weights of each row, [row][token] before, for one group of coordinates.
template <class S, Format Code, int Rows>
TQ_INLINE inline void quantize_weights(const float* weights, const float* scales,
                                       IntegerWeights (&out)[Rows]) noexcept {
  using Register = typename S::F::register_type;
  constexpr int vectors = kTokenVectors<S>;
  Register w[Rows * vectors], most[Rows], sum[Rows];
  unroll<Rows>([&](auto r) TQ_INLINE {
    unroll<vectors>([&](auto i) TQ_INLINE {
      const typename S::F product =
          S::F::load_aligned(weights + r * kBlockTokens + i * S::kLanes) * S::F::load_aligned(scales + i * S::kLanes);
      w[r * vectors + i] = product;
      most[r] = i == 0 ? product : xsimd::max(typename S::F(most[r]), product);
      sum[r] = i == 0 ? product : typename S::F(sum[r]) + product;
    });
  });
  float largest[Rows], total[Rows];
  maxima_of_lanes<S, Rows>(most, largest);
  sums_of_lanes<S, Rows>(sum, total);
  unroll<Rows>([&](auto r) TQ_INLINE {
    if (kAlwaysTwoDigits<Code> || largest[r] > kPeaked * total[r]) {
      two_digits<S>(w + r * vectors, largest[r], out[r]);
    } else {
      one_digit<S>(w + r * vectors, largest[r], out[r]);
    }
  });
}

template <class S>
typename S::I four_weights(const std::uint8_t* digits, std::size_t quad) noexcept {
  std::int32_t four;
  std::memcpy(&four, digits + 4 * quad, 4);
  return splat<S>(four);
}

// What the registers can hold: vectors of coordinates at once, and independent sums of each, to hide the latency of a
// dot product. `sums`: registers that one vector of codes needs.
template <class S>
constexpr int value_vectors_at_once(int sums) {
  return 2 * sums <= (S::kRegisters >= 32 ? 16 : 4) ? 2 : 1;
}
template <class S>
constexpr int value_chains(int sums) {
  return S::kRegisters >= 32 && sums < 8 ? 2 : 1;
}

// A vector of stored codes and where its sums go: the next one is kCodeStep bytes and kSumStep coordinates on.
template <class S, Format Code>
struct ValueStep {
  static constexpr int kWidth = Code == Format::kTq4 ? 32 : 16;  // coordinates of a chunk
  static constexpr std::size_t kCode = S::kLanes == 16 ? 16 * kBlockTokens : S::kLanes * 4;
  static constexpr std::size_t kSum = S::kLanes == 16 ? kWidth : S::kLanes;
};

template <class S, Format Code>
typename S::I weigh_codes(typename S::I sum, typename S::I weights, typename S::I codes) noexcept {
  if constexpr (Code == Format::kTq4) return S::dot(sum, weights, codes);
  return S::dot_wide(sum, weights, codes);
}

// One digit of the weights of a row.
struct WeightDigits {
  const std::uint8_t* digits;
  float unit;
};

// Adds the weighted codes of `Vectors` vectors to the sums of `Rows` rows. A tq4 chunk has two halves, of low and of
// high nibbles, whose sums are `second` apart. Whole: all lanes exist; otherwise the first `lanes` of one vector.
template <class S, Format Code, int Rows, int Vectors, bool Whole>
[[gnu::noinline]] void value_vectors(const std::uint8_t* codes, Ahead ahead, std::size_t quad_bytes, std::size_t lanes,
                                     const WeightDigits (&weights)[Rows], float* sums, std::size_t stride,
                                     std::size_t second) noexcept {
  using Register = typename S::I::register_type;
  using Step = ValueStep<S, Code>;
  constexpr int halves = Code == Format::kTq4 ? 2 : 1, values = Vectors * halves, count = Rows * values;
  constexpr int chains = value_chains<S>(count);
  static constexpr Table16 centroids = signed_centroids(0);
  const Register table = S::table(centroids);
  Register sum[chains * count];
  unroll<chains * count>([&](auto i) TQ_INLINE { sum[i] = splat<S>(0); });
  for (std::size_t quad = 0; quad < kBlockTokens / 4; quad += chains) {
    unroll<chains>([&](auto chain) TQ_INLINE {
      Register value[values];
      unroll<Vectors>([&](auto v) TQ_INLINE {
        const std::uint8_t* at = codes + (quad + chain) * quad_bytes + v * Step::kCode;
        if (v * Step::kCode % 64 == 0) prefetch<1>(at + ahead.next);
        if (v * Step::kCode % 64 == 0 && ahead.later != 0) prefetch_later<1>(at + ahead.later);
        const typename S::I stored = Whole ? load_lanes<S>(at) : S::load_some(at, lanes);
        if constexpr (Code == Format::kTq4) {
          value[v * halves] = S::lookup_low(table, stored);
          value[v * halves + halves - 1] = S::lookup_high(table, stored);
        } else {
          value[v] = S::signed_codes(stored);
        }
      });
      Register four[Rows];
      unroll<Rows>([&](auto r) TQ_INLINE { four[r] = four_weights<S>(weights[r].digits, quad + chain); });
      unroll<count>([&](auto i) TQ_INLINE {
        sum[chain * count + i] = weigh_codes<S, Code>(sum[chain * count + i], four[i / values], value[i % values]);
      });
    });
  }
  unroll<Rows * values>([&](auto i) TQ_INLINE {
    constexpr int r = i / values, v = i % values;
    typename S::I total(sum[i]);
    if constexpr (chains == 2) total = total + typename S::I(sum[count + i]);
    const typename S::F unit(weights[r].unit);
    float* to = sums + r * stride + v / halves * Step::kSum + v % halves * second;
    if constexpr (Whole) {
      S::multiply_add(S::to_float(total), unit, S::F::load_unaligned(to)).store_unaligned(to);
    } else {
      S::add_some(S::to_float(total) * unit, to, lanes);
    }
  });
}

// The integer weights of a block: [group][row].
template <int Rows>
using BlockWeights = IntegerWeights[kMaxPadded / 32][Rows];

template <class S, Format Code, int Rows>
void quantize_block(const CodeShape& shape, const BlockScales& scales, const float* weights,
                    BlockWeights<Rows>& out) noexcept {
  const std::size_t groups = shape.groups();
  for (std::size_t group = 0; group < groups; ++group) {
    quantize_weights<S, Code, Rows>(weights, scales.scale[group], out[group]);
  }
}

// The chunks of one group of coordinates, from `first` to `end`; all but the last one of a side are whole.
template <class S, Format Code, int Rows>
void group_sums(std::size_t first, std::size_t end, const CodedSide& values, const WeightDigits (&weights)[Rows],
                float* sums, std::size_t padded) noexcept {
  using Step = ValueStep<S, Code>;
  constexpr int halves = Code == Format::kTq4 ? 2 : 1;
  constexpr int at_once = value_vectors_at_once<S>(Rows * halves);
  constexpr std::size_t chunk_bytes = 16 * kBlockTokens, quad_bytes = 64, second = 16;
  const std::uint8_t* codes = values.codes + first / Step::kWidth * chunk_bytes;
  const Ahead ahead(values);
  float* to = sums + first;
  const auto add = [&](std::size_t lane, auto vectors) TQ_INLINE {
    value_vectors<S, Code, Rows, vectors, true>(codes + lane * 4, ahead, quad_bytes, S::kLanes, weights, to + lane,
                                                padded, second);
  };
  for (; first + Step::kWidth <= end; first += Step::kWidth, codes += chunk_bytes, to += Step::kWidth) {
    if constexpr (at_once == 2 && S::kLanes == 16) {
      if (first + 2 * Step::kWidth <= end) {
        add(0, Constant<2>{});
        first += Step::kWidth, codes += chunk_bytes, to += Step::kWidth;
        continue;
      }
    }
    constexpr int vectors = S::kLanes == 16 ? 1 : at_once;
    for (std::size_t lane = 0; lane < 16; lane += vectors * S::kLanes) add(lane, Constant<vectors>{});
  }
  if (first >= end) return;
  const std::size_t lanes = round_up(halves == 2 ? (end - first + 1) / 2 : end - first, 4);
  for (std::size_t lane = 0; lane < lanes; lane += S::kLanes) {
    value_vectors<S, Code, Rows, 1, false>(codes + lane * 4, ahead, lanes * 4, lanes - lane, weights, to + lane, padded,
                                           lanes);
  }
}

// The second digits: of all rows at once, or of those that have one.
template <class S, Format Code, int Rows>
void low_digit_sums(std::size_t first, std::size_t end, const CodedSide& values, const IntegerWeights* weights,
                    float* sums, std::size_t padded) noexcept {
  bool all = true;
  for (int r = 0; r < Rows; ++r) all = all && weights[r].low_unit != 0;
  if (all) {
    WeightDigits low[Rows];
    for (int r = 0; r < Rows; ++r) low[r] = {weights[r].low, weights[r].low_unit * values.offset_scale};
    return group_sums<S, Code, Rows>(first, end, values, low, sums, padded);
  }
  for (int r = 0; r < Rows; ++r) {
    if (weights[r].low_unit == 0) continue;
    const WeightDigits low[1] = {{weights[r].low, weights[r].low_unit * values.offset_scale}};
    group_sums<S, Code, 1>(first, end, values, low, sums + r * padded, padded);
  }
}

template <class S, Format Code, int Rows>
void value_sums(const CodeShape& shape, const CodedSide& values, const BlockWeights<Rows>& weights,
                float* sums) noexcept {
  const std::size_t padded = padded_dim(shape.dim);
  for (std::size_t first = 0, group = 0; first < shape.dim; first += shape.group, ++group) {
    const std::size_t end = first + shape.group < shape.dim ? first + shape.group : shape.dim;
    WeightDigits high[Rows];
    for (int r = 0; r < Rows; ++r) high[r] = {weights[group][r].high, weights[group][r].unit * values.offset_scale};
    group_sums<S, Code, Rows>(first, end, values, high, sums, padded);
    low_digit_sums<S, Code, Rows>(first, end, values, weights[group], sums, padded);
  }
}

template <class S, Format Code, int Rows>
void coded_values_of(const CodeShape& shape, const CodedSide& values, const float* weights, float* sums) noexcept {
  BlockScales scales;
  expand_scales<S>(shape, values.scales, scales);
  BlockWeights<Rows> integers;
  quantize_block<S, Code, Rows>(shape, scales, weights, integers);
  value_sums<S, Code, Rows>(shape, values, integers, sums);
}

template <class S>
void coded_values(const CodeShape& shape, const CodedSide& values, const float* weights, std::size_t rows,
                  float* sums) noexcept {
  constexpr std::size_t at_once = S::kRegisters >= 32 ? 4 : 2;
  for (std::size_t r = 0; r < rows; r += at_once) {
    with_rows(rows - r < at_once ? rows - r : at_once, [&](auto n) {
      constexpr int Rows = decltype(n)::value;
      const float* w = weights + r * kBlockTokens;
      float* s = sums + r * padded_dim(shape.dim);
      if (shape.format == Format::kTq4) return coded_values_of<S, Format::kTq4, Rows>(shape, values, w, s);
      coded_values_of<S, Format::kTq8, Rows>(shape, values, w, s);
    });
  }
}

}  // namespace
}  // namespace tq
