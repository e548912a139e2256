// Weighted sums of the 64 values of a block in the rotated domain, one coordinate per lane.
//
// The weights of a block and group, softmax weight times the token's scale, become integers relative to the largest of
// them: one digit of 8 bits (7 on NEON), or two digits where one token outweighs the others, as an attention sink does.
// One digit is rounded with an ordered dither, so that many small weights keep their sum (docs/numerics.md).
#pragma once

#include "scores-inl.hpp"

namespace tq {
namespace {

inline constexpr float kPeaked = 0.25f;  // two digits if the largest weight is more than this part of the sum
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

template <int Digits>
struct IntegerWeights {
  alignas(64) std::uint8_t digit[Digits][kBlockTokens];  // the last one counts units
  float unit;
};

template <class S>
inline constexpr int kTokenVectors = static_cast<int>(kBlockTokens) / S::kLanes;

// The weights of all rows for one group of coordinates.
template <class S, int Rows, int Digits>
void quantize_weights(const float* weights, const std::uint8_t* scales, IntegerWeights<Digits> (&out)[Rows]) noexcept {
  static constexpr Dither dither = make_dither();
  constexpr int range = Digits == 1 ? S::kWeightRange - 1 : S::kWeightRange * S::kWeightRange - 1;
  constexpr int digit_bits = S::kWeightRange == 256 ? 8 : 7;
  typename S::F scale[kTokenVectors<S>];
  for (int i = 0; i < kTokenVectors<S>; ++i) scale[i] = scales_from_bytes<S>(scales + i * S::kLanes);
  for (int r = 0; r < Rows; ++r) {
    typename S::F w[kTokenVectors<S>], most(0.0f);
    for (int i = 0; i < kTokenVectors<S>; ++i) {
      w[i] = S::F::load_unaligned(weights + r * kBlockTokens + i * S::kLanes) * scale[i];
      most = xsimd::max(most, w[i]);
    }
    most = max_of_lanes<S>(most);
    // The least divisor keeps 0 * infinity away where all weights are zero.
    const typename S::F factor =
        S::divide(typename S::F(static_cast<float>(range)), xsimd::max(most, typename S::F(1e-30f)));
    for (int i = 0; i < kTokenVectors<S>; ++i) {
      const std::size_t at = static_cast<std::size_t>(i) * S::kLanes;
      if constexpr (Digits == 1) {
        const typename S::F threshold = S::F::load_aligned(dither.threshold + at);
        S::store_bytes(S::truncate(S::multiply_add(w[i], factor, threshold)), out[r].digit[0] + at);
      } else {
        const typename S::I q = S::round(w[i] * factor);
        S::store_bytes(S::template shift_right32<digit_bits>(q), out[r].digit[0] + at);
        S::store_bytes(q & splat<S>(S::kWeightRange - 1), out[r].digit[1] + at);
      }
    }
    out[r].unit = S::first(most) * (1.0f / static_cast<float>(range));
  }
}

template <class S>
typename S::I four_weights(const std::uint8_t* digits, std::size_t quad) noexcept {
  std::int32_t four;
  std::memcpy(&four, digits + 4 * quad, 4);
  return splat<S>(four);
}

template <class S, Format Code>
typename S::I weigh_codes(typename S::I sum, typename S::I weights, typename S::I codes) noexcept {
  if constexpr (Code == Format::kTq4) return S::dot(sum, weights, codes);
  return S::dot_wide(sum, weights, codes);
}

// One vector of coordinates of a chunk of full width (16 lanes per token quad), for `Rows` rows of weights. A tq4 chunk
// has two halves, of low and of high nibbles: sums[r][first ..] and sums[r][second ..].
template <class S, Format Code, int Rows, int Digits>
void value_lanes(const std::uint8_t* codes, std::size_t quad_bytes, std::size_t lanes,
                 const IntegerWeights<Digits>* weights, float offset_scale, float* sums, std::size_t stride,
                 std::size_t second) noexcept {
  constexpr int halves = Code == Format::kTq4 ? 2 : 1;
  static constexpr Table16 centroids = signed_centroids(0);
  const typename S::I table = S::table(centroids);
  // Enough independent sums to hide the latency of a dot product.
  constexpr std::size_t chains = Rows * Digits * halves >= 8 ? 1 : Rows * Digits * halves >= 4 ? 2 : 4;
  typename S::I sum[chains][Rows][Digits][halves];
  for (auto& chain : sum)
    for (auto& row : chain)
      for (auto& digit : row)
        for (auto& half : digit) half = splat<S>(0);
  for (std::size_t quad = 0; quad < kBlockTokens / 4; quad += chains) {
    for (std::size_t c = 0; c < chains; ++c) {
      const typename S::I stored = S::load_some(codes + (quad + c) * quad_bytes, lanes);
      typename S::I value[halves];
      if constexpr (Code == Format::kTq4) {
        value[0] = S::lookup_low(table, stored);
        value[1] = S::lookup_high(table, stored);
      } else {
        value[0] = S::signed_codes(stored);
      }
      for (int r = 0; r < Rows; ++r) {
        for (int d = 0; d < Digits; ++d) {
          const typename S::I four = four_weights<S>(weights[r].digit[d], quad + c);
          for (int h = 0; h < halves; ++h) sum[c][r][d][h] = weigh_codes<S, Code>(sum[c][r][d][h], four, value[h]);
        }
      }
    }
  }
  constexpr int digit_bits = S::kWeightRange == 256 ? 8 : 7;
  for (int r = 0; r < Rows; ++r) {
    const typename S::F unit(weights[r].unit * offset_scale);
    for (int h = 0; h < halves; ++h) {
      typename S::I total = splat<S>(0);
      for (std::size_t c = 0; c < chains; ++c) {
        total += Digits == 2 ? (sum[c][r][0][h] << digit_bits) + sum[c][r][Digits - 1][h] : sum[c][r][0][h];
      }
      S::add_some(S::to_float(total) * unit, sums + r * stride + h * second, lanes);
    }
  }
}

// The integer weights of a block: [group][row].
template <int Rows, int Digits>
using BlockWeights = IntegerWeights<Digits>[kMaxPadded / 32][Rows];

template <class S, int Rows, int Digits>
void quantize_block(const CodeShape& shape, const std::uint8_t* scales, const float* weights,
                    BlockWeights<Rows, Digits>& out) noexcept {
  for (std::size_t group = 0; group < shape.groups(); ++group)
    quantize_weights<S, Rows, Digits>(weights, scales + group * kBlockTokens, out[group]);
}

template <class S, Format Code, int Rows, int Digits>
void value_sums(const CodeShape& shape, const CodedSide& values, const BlockWeights<Rows, Digits>& weights,
                float* sums) noexcept {
  const std::size_t padded = padded_dim(shape.dim);
  for_value_chunks<Code>(shape.dim, [&](ValueChunk chunk) {
    for (std::size_t lane = 0; lane < chunk.lanes; lane += S::kLanes)
      value_lanes<S, Code, Rows, Digits>(values.codes + chunk.offset + lane * 4, chunk.lanes * 4, chunk.lanes - lane,
                                         weights[chunk.first / shape.group], values.offset_scale,
                                         sums + chunk.first + lane, padded, chunk.lanes);
  });
}

template <class S, Format Code, int Rows, int Digits>
void weighted_values(const CodeShape& shape, const CodedSide& values, const float* weights, float* sums) noexcept {
  BlockWeights<Rows, Digits> integers;
  quantize_block<S, Rows, Digits>(shape, values.scales, weights, integers);
  value_sums<S, Code, Rows, Digits>(shape, values, integers, sums);
}

// Whether one of the rows leans on one token.
template <class S, int Rows>
bool peaked(const float* weights) noexcept {
  bool any = false;
  for (int r = 0; r < Rows; ++r) {
    typename S::F most(0.0f), sum(0.0f);
    for (int i = 0; i < kTokenVectors<S>; ++i) {
      const typename S::F w = S::F::load_unaligned(weights + r * kBlockTokens + i * S::kLanes);
      most = xsimd::max(most, w);
      sum += w;
    }
    any = any || S::max(most) > kPeaked * S::sum(sum);
  }
  return any;
}

// Two digits take twice the accumulators.
template <class S, Format Code, int Rows>
void peaked_values(const CodeShape& shape, const CodedSide& values, const float* weights, float* sums) noexcept {
  constexpr int at_once = S::kRegisters >= 32 ? Rows : 1;
  for (int r = 0; r < Rows; r += at_once)
    weighted_values<S, Code, at_once, 2>(shape, values, weights + r * kBlockTokens, sums + r * padded_dim(shape.dim));
}

template <class S, Format Code, int Rows>
void coded_values_of(const CodeShape& shape, const CodedSide& values, const float* weights, float* sums) noexcept {
  if (kAlwaysTwoDigits<Code> || peaked<S, Rows>(weights))
    return peaked_values<S, Code, Rows>(shape, values, weights, sums);
  weighted_values<S, Code, Rows, 1>(shape, values, weights, sums);
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

template <class S, class E, int Rows>
void row_values_of(RowSource values, std::size_t count, std::size_t dim, const float* weights, float* sums) noexcept {
  const std::size_t padded = padded_dim(dim);
  std::size_t j = 0;
  for (; j + S::kLanes <= dim; j += S::kLanes) {
    typename S::F sum[Rows];
    for (int r = 0; r < Rows; ++r) sum[r] = S::F::load_unaligned(sums + r * padded + j);
    for (std::size_t t = 0; t < count; ++t) {
      const typename S::F v = E::template load<S>(elements_at<E>(row_at<E>(values, t), j));
      for (int r = 0; r < Rows; ++r) sum[r] = S::multiply_add(v, typename S::F(weights[r * kBlockTokens + t]), sum[r]);
    }
    for (int r = 0; r < Rows; ++r) sum[r].store_unaligned(sums + r * padded + j);
  }
  for (; j < dim; ++j)
    for (std::size_t t = 0; t < count; ++t)
      for (int r = 0; r < Rows; ++r)
        sums[r * padded + j] += weights[r * kBlockTokens + t] * read_element<E>(row_at<E>(values, t), j);
}

template <class S>
void row_values(RowSource values, std::size_t count, std::size_t dim, const float* weights, std::size_t rows,
                float* sums) noexcept {
  with_element(values.element, [&](auto e) {
    with_rows(rows,
              [&](auto r) { row_values_of<S, decltype(e), decltype(r)::value>(values, count, dim, weights, sums); });
  });
}

}  // namespace
}  // namespace tq
