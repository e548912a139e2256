// Dot products of queries with the 64 keys of a block, one token per lane: no horizontal sums.
//   score = query scale * 2^offset * sum over groups of group scale * sum over coordinates of code * query integer
#pragma once

#include "../simd/unroll.hpp"
#include "pack-inl.hpp"
#include "rows-inl.hpp"

namespace tq {
namespace {

// Scales of kLanes tokens from their bytes; byte 0 is zero. Without the block's 2^offset.
template <class S>
typename S::F scales_from_bytes(const std::uint8_t* bytes) noexcept {
  const typename S::I b = S::load_bytes(bytes);
  const typename S::F scale = scale_of_index<S>(b);
  return xsimd::select(S::to_float(b) > typename S::F(0.0f), scale, typename S::F(0.0f));
}

// The largest lane, and the sum of all, in every lane.
template <class S, class Combine, int Distance = S::kLanes / 2>
typename S::F across_lanes(typename S::F v, Combine combine) noexcept {
  if constexpr (Distance > 0) {
    const typename S::F next = combine(v, S::template exchange<Distance>(v));
    return across_lanes<S, Combine, Distance / 2>(next, combine);
  }
  return v;
}
template <class S>
typename S::F max_of_lanes(typename S::F v) noexcept {
  return across_lanes<S>(v, [](typename S::F a, typename S::F b) { return xsimd::max(a, b); });
}
template <class S>
typename S::F sum_of_lanes(typename S::F v) noexcept {
  return across_lanes<S>(v, [](typename S::F a, typename S::F b) { return a + b; });
}

// tq4 keys: one query digit, |q| <= 127; tq8 keys: two digits of 7 bits, q = 128 high + low.
inline constexpr std::int32_t kDigitRange = 127, kTwoDigitRange = 127 * 128;

template <class S>
float quantize_query(const CodeShape& shape, const float* rotated, float scale, std::int32_t* digits,
                     std::int32_t* group_sums) noexcept {
  const bool one_digit = shape.format == Format::kTq4;
  const auto range = static_cast<float>(one_digit ? kDigitRange : kTwoDigitRange);
  const std::size_t padded = padded_dim(shape.dim);
  typename S::F most(0.0f);
  for (std::size_t j = 0; j < padded; j += S::kLanes)
    most = xsimd::max(most, xsimd::abs(S::F::load_unaligned(rotated + j)));
  const float largest = S::max(most);
  const typename S::F factor(largest > 0 ? range / largest : 0.0f);
  auto* high_bytes = reinterpret_cast<std::int8_t*>(digits);
  auto* low_bytes = reinterpret_cast<std::int8_t*>(digits + padded / 4);
  for (std::size_t group = 0; group < shape.groups(); ++group) {
    std::int32_t sum = 0;
    const std::size_t first = group * shape.group;
    const std::size_t end = first + shape.group < padded ? first + shape.group : padded;
    for (std::size_t j = first; j < end; j += S::kLanes) {
      alignas(64) std::int32_t q[S::kLanes];
      S::round(S::F::load_unaligned(rotated + j) * factor).store_aligned(q);
      for (int i = 0; i < S::kLanes; ++i) {
        sum += q[i];
        const std::int32_t high = one_digit ? q[i] : (q[i] + 64) >> 7;
        high_bytes[j + i] = static_cast<std::int8_t>(high);
        if (!one_digit) low_bytes[j + i] = static_cast<std::int8_t>(q[i] - high * 128);
      }
    }
    group_sums[group] = sum;
  }
  return scale * (largest / range);
}

// How many vectors of tokens to keep in flight, with `sums` accumulators each: enough to hide the latency of a dot
// product, and few enough that compilers do not spill.
template <class S>
constexpr int token_vectors(int sums) {
  const int budget = (S::kRegisters >= 32 ? 8 : 4) / sums;
  const int most = static_cast<int>(kBlockTokens) / S::kLanes < 4 ? static_cast<int>(kBlockTokens) / S::kLanes : 4;
  return budget < 1 ? 1 : budget > most ? most : budget == 3 ? 2 : budget;
}

// One group of tq4 keys for `Vectors` vectors of tokens: sum += low nibbles . q + high nibbles . q'. Where sums are few,
// the two nibbles get sums of their own, to hide the latency of a dot product.
template <class S, int Rows, int Vectors>
TQ_INLINE inline void add_nibble_cells(const std::uint8_t* codes, std::size_t cells,
                                       const std::int32_t* const (&digits)[Rows],
                                       typename S::I (&sum)[Rows][Vectors]) noexcept {
  static constexpr Table16 centroids = signed_centroids(S::kNibbleBias);
  const typename S::I table = S::table(centroids);
  constexpr bool split = Rows * Vectors < 8;
  typename S::I low_sum[Rows * Vectors], high_sum[split ? Rows * Vectors : 1];
  unroll<Rows * Vectors>([&](auto i) TQ_INLINE {
    low_sum[i] = sum[i / Vectors][i % Vectors];
    if constexpr (split) high_sum[i] = splat<S>(0);
  });
  for (std::size_t cell = 0; cell < cells; ++cell) {
    unroll<Vectors>([&](auto v) TQ_INLINE {
      const typename S::I stored = load_lanes<S>(codes + cell * 256 + v * S::kLanes * 4);
      const typename S::I low = S::lookup_low(table, stored), high = S::lookup_high(table, stored);
      unroll<Rows>([&](auto r) TQ_INLINE {
        constexpr int i = r * Vectors + v;
        low_sum[i] = S::dot(low_sum[i], low, splat<S>(digits[r][2 * cell]));
        if constexpr (split) {
          high_sum[i] = S::dot(high_sum[i], high, splat<S>(digits[r][2 * cell + 1]));
        } else {
          low_sum[i] = S::dot(low_sum[i], high, splat<S>(digits[r][2 * cell + 1]));
        }
      });
    });
  }
  unroll<Rows * Vectors>([&](auto i) TQ_INLINE {
    if constexpr (split) low_sum[i] += high_sum[i];
    sum[i / Vectors][i % Vectors] = low_sum[i];
  });
}

template <class S, int Rows, int Vectors>
void add_byte_cells(const std::uint8_t* codes, std::size_t cells, const std::int32_t* const (&digits)[Rows],
                    std::size_t low_digits, typename S::I (&sum)[Rows][Vectors]) noexcept {
  typename S::I low_sum[Rows][Vectors];
  for (int r = 0; r < Rows; ++r)
    for (int v = 0; v < Vectors; ++v) low_sum[r][v] = sum[r][v], sum[r][v] = splat<S>(0);
  for (std::size_t cell = 0; cell < cells; ++cell) {
    for (int v = 0; v < Vectors; ++v) {
      const typename S::I stored = S::byte_codes(load_lanes<S>(codes + cell * 256 + v * S::kLanes * 4));
      for (int r = 0; r < Rows; ++r) {
        sum[r][v] = S::dot_wide(sum[r][v], stored, splat<S>(digits[r][cell]));
        low_sum[r][v] = S::dot_wide(low_sum[r][v], stored, splat<S>(digits[r][low_digits + cell]));
      }
    }
  }
  for (int r = 0; r < Rows; ++r)
    for (int v = 0; v < Vectors; ++v) sum[r][v] = (sum[r][v] << 7) + low_sum[r][v];
}

template <class S, Format Code, int Rows>
void coded_scores_of(const CodeShape& shape, const CodedSide& keys, const CodedQuery* queries, float* scores) noexcept {
  constexpr bool tq4 = Code == Format::kTq4;
  constexpr int vectors = token_vectors<S>(tq4 ? Rows : 2 * Rows);
  constexpr std::size_t step = vectors * S::kLanes;
  constexpr std::size_t cell_dims = tq4 ? 8 : 4;
  const std::size_t low_digits = padded_dim(shape.dim) / 4;
  for (std::size_t t = 0; t < kBlockTokens; t += step) {
    typename S::F total[Rows][vectors];
    for (auto& row : total)
      for (auto& v : row) v = typename S::F(0.0f);
    for (std::size_t group = 0; group < shape.groups(); ++group) {
      const std::size_t first = group * shape.group;
      const std::size_t end = first + shape.group < shape.dim ? first + shape.group : shape.dim;
      const std::size_t cells = (end - first + cell_dims - 1) / cell_dims;
      typename S::I sum[Rows][vectors];
      const std::int32_t* digits[Rows];
      for (int r = 0; r < Rows; ++r) {
        constexpr std::int32_t bias = tq4 ? S::kNibbleBias : S::kByteBias;
        digits[r] = queries[r].digits + first / 4;
        for (auto& v : sum[r]) v = splat<S>(-bias * queries[r].group_sums[group]);
      }
      const std::uint8_t* codes = keys.codes + first / cell_dims * 256 + t * 4;
      if constexpr (tq4) add_nibble_cells<S, Rows, vectors>(codes, cells, digits, sum);
      if constexpr (!tq4) add_byte_cells<S, Rows, vectors>(codes, cells, digits, low_digits, sum);
      for (int v = 0; v < vectors; ++v) {
        const typename S::F scale = scales_from_bytes<S>(keys.scales + group * kBlockTokens + t + v * S::kLanes);
        for (int r = 0; r < Rows; ++r) total[r][v] = S::multiply_add(S::to_float(sum[r][v]), scale, total[r][v]);
      }
    }
    for (int r = 0; r < Rows; ++r) {
      const typename S::F scale(queries[r].scale * keys.offset_scale);
      for (int v = 0; v < vectors; ++v)
        (total[r][v] * scale).store_unaligned(scores + r * kBlockTokens + t + v * S::kLanes);
    }
  }
}

// Calls body(constant R) for the number of rows, 1..kMaxRows.
template <class Body>
void with_rows(std::size_t rows, Body body) noexcept {
  switch (rows) {
    case 1: return body(Size<1>{});
    case 2: return body(Size<2>{});
    case 3: return body(Size<3>{});
    default: return body(Size<4>{});
  }
}

template <class S>
void coded_scores(const CodeShape& shape, const CodedSide& keys, const CodedQuery* queries, std::size_t rows,
                  float* scores) noexcept {
  with_rows(rows, [&](auto r) {
    constexpr int Rows = decltype(r)::value;
    if (shape.format == Format::kTq4) return coded_scores_of<S, Format::kTq4, Rows>(shape, keys, queries, scores);
    coded_scores_of<S, Format::kTq8, Rows>(shape, keys, queries, scores);
  });
}

template <class S, class E, int Rows>
void row_scores_of(const void* key, std::size_t dim, const float* queries, std::size_t stride, float* scores) noexcept {
  typename S::F sum[Rows];
  for (auto& v : sum) v = typename S::F(0.0f);
  std::size_t j = 0;
  for (; j + S::kLanes <= dim; j += S::kLanes) {
    const typename S::F k = E::template load<S>(elements_at<E>(key, j));
    for (int r = 0; r < Rows; ++r) sum[r] = S::multiply_add(k, S::F::load_unaligned(queries + r * stride + j), sum[r]);
  }
  for (int r = 0; r < Rows; ++r) {
    float rest = 0;
    for (std::size_t i = j; i < dim; ++i) rest += read_element<E>(key, i) * queries[r * stride + i];
    scores[r * kBlockTokens] = S::sum(sum[r]) + rest;
  }
}

template <class S>
void row_scores(RowSource keys, std::size_t count, std::size_t dim, const float* queries, std::size_t rows,
                float* scores) noexcept {
  with_element(keys.element, [&](auto e) {
    using E = decltype(e);
    with_rows(rows, [&](auto r) {
      for (std::size_t t = 0; t < count; ++t)
        row_scores_of<S, E, decltype(r)::value>(row_at<E>(keys, t), dim, queries, padded_dim(dim), scores + t);
    });
  });
}

}  // namespace
}  // namespace tq
