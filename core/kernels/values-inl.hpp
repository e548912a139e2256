// Weighted sums of the 64 values of a block in the rotated domain, one coordinate per lane.
#pragma once

#include "weights-inl.hpp"

namespace tq {
namespace {

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
template <class S, Codes Code>
struct ValueStep {
  static constexpr int kHalves = Code == Codes::kTq8 ? 1 : 2;
  static constexpr int kWidth = 16 * kHalves;  // coordinates of a chunk
  static constexpr std::size_t kChunk = kWidening<Code> * 16 * kBlockTokens;
  static constexpr std::size_t kCode = S::kLanes == 16 ? kChunk : S::kLanes * 4;
  static constexpr std::size_t kSum = S::kLanes == 16 ? kWidth : S::kLanes;
};

template <class S, Codes Code>
typename S::I weigh_codes(typename S::I sum, typename S::I weights, typename S::I codes) noexcept {
  if constexpr (Code != Codes::kTq8) return S::dot(sum, weights, codes);
  return S::dot_wide(sum, weights, codes);
}

// One digit of the weights of a row.
struct WeightDigits {
  const std::uint8_t* digits;
  float unit;
};

// Adds the weighted codes of `Vectors` vectors to the sums of `Rows` rows. A tq4 chunk has two halves, of low and of
// high nibbles, whose sums are `second` apart. Whole: all lanes exist; otherwise the first `lanes` of one vector.
template <class S, Codes Code, int Rows, int Vectors, bool Whole>
[[gnu::noinline]] void value_vectors(const std::uint8_t* codes, Ahead ahead, std::size_t quad_bytes, std::size_t lanes,
                                     const WeightDigits (&weights)[Rows], float* sums, std::size_t stride,
                                     std::size_t second) noexcept {
  using Register = typename S::I::register_type;
  using Step = ValueStep<S, Code>;
  constexpr int halves = Step::kHalves, values = Vectors * halves, count = Rows * values;
  constexpr int chains = value_chains<S>(count);
  static constexpr Table16 centroids = signed_centroids(0);
  const Register table = S::table(centroids);
  Register sum[chains * count];
  unroll<chains * count>([&](auto i) TQ_INLINE { sum[i] = splat<S>(0); });
  for (std::size_t quad = 0; quad < kBlockTokens / 4; quad += chains) {
    unroll<chains>([&](auto chain) TQ_INLINE {
      Register value[values];
      unroll<Vectors>([&](auto v) TQ_INLINE {
        const std::uint8_t* at = codes + kWidening<Code> * (quad + chain) * quad_bytes + v * Step::kCode;
        if constexpr (Code != Codes::kWide && v * Step::kCode % 64 == 0) {
          prefetch<1>(at + ahead.next);
          if (ahead.later != 0) prefetch_later<1>(at + ahead.later);
        }
        if constexpr (Code == Codes::kTq8) {
          value[v] = S::signed_codes(Whole ? load_lanes<S>(at) : S::load_some(at, lanes));
        } else if constexpr (Whole || Code == Codes::kWide) {  // wide codes have room after them
          const auto [low, high] = two_codes<S, Code>(table, at, quad_bytes);
          value[v * halves] = low;
          value[v * halves + 1] = high;
        } else {
          const typename S::I stored = S::load_some(at, lanes);
          value[v * halves] = S::lookup_low(table, stored);
          value[v * halves + 1] = S::lookup_high(table, stored);
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

// The chunks of one group of coordinates, from `first` to `end`; all but the last one of a side are whole.
template <class S, Codes Code, int Rows>
void group_sums(std::size_t first, std::size_t end, const CodedSide& values, const WeightDigits (&weights)[Rows],
                float* sums, std::size_t padded) noexcept {
  using Step = ValueStep<S, Code>;
  constexpr int halves = Step::kHalves;
  constexpr int at_once = value_vectors_at_once<S>(Rows * halves);
  constexpr std::size_t chunk_bytes = Step::kChunk, quad_bytes = 64, second = 16;
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
template <class S, Codes Code, int Rows>
void low_digit_sums(std::size_t first, std::size_t end, const CodedSide& values, const IntegerWeights* weights,
                    float* sums, std::size_t padded) noexcept {
  bool all = true;
  for (int r = 0; r < Rows; ++r) all = all && weights[r].second;
  if (all) {
    WeightDigits low[Rows];
    for (int r = 0; r < Rows; ++r) low[r] = {weights[r].low, weights[r].low_unit};
    return group_sums<S, Code, Rows>(first, end, values, low, sums, padded);
  }
  for (int r = 0; r < Rows; ++r) {
    if (!weights[r].second) continue;
    const WeightDigits low[1] = {{weights[r].low, weights[r].low_unit}};
    group_sums<S, Code, 1>(first, end, values, low, sums + r * padded, padded);
  }
}

template <class S, Codes Code, int Rows>
void value_sums(const CodeShape& shape, const CodedSide& values, BlockWeights<Rows> weights, float* sums) noexcept {
  const std::size_t padded = padded_dim(shape.dim);
  for (std::size_t first = 0, group = 0; first < shape.dim; first += shape.group, ++group) {
    const std::size_t end = first + shape.group < shape.dim ? first + shape.group : shape.dim;
    WeightDigits high[Rows];
    for (int r = 0; r < Rows; ++r) high[r] = {weights[group][r].high, weights[group][r].unit};
    group_sums<S, Code, Rows>(first, end, values, high, sums, padded);
    low_digit_sums<S, Code, Rows>(first, end, values, weights[group], sums, padded);
  }
}

template <class S, Codes Code, int Rows>
void coded_values_of(const CodeShape& shape, const CodedSide& values, const float* weights, float* sums,
                     std::uint8_t* memory) noexcept {
  float* scales = take<float>(memory, shape.groups() * kBlockTokens);
  BlockWeights<Rows> integers = take<IntegerWeights[Rows]>(memory, shape.groups());
  expand_scales<S>(shape, values.scales, scales);
  quantize_block<S, Code, Rows>(shape, scales, values.offset_scale, weights, integers);
  value_sums<S, Code, Rows>(shape, values, integers, sums);
}

template <class S>
void coded_values(const CodeShape& shape, const CodedSide& values, const float* weights, std::size_t rows, float* sums,
                  std::uint8_t* memory) noexcept {
  constexpr std::size_t at_once = S::kRegisters >= 32 ? 4 : 2;
  for (std::size_t r = 0; r < rows; r += at_once) {
    with_rows(rows - r < at_once ? rows - r : at_once, [&](auto n) {
      constexpr int Rows = decltype(n)::value;
      const float* w = weights + r * kBlockTokens;
      float* s = sums + r * padded_dim(shape.dim);
      if (shape.format == Format::kTq4) return coded_values_of<S, Codes::kTq4, Rows>(shape, values, w, s, memory);
      coded_values_of<S, Codes::kTq8, Rows>(shape, values, w, s, memory);
    });
  }
}

}  // namespace
}  // namespace tq
