// Attention over rows of floats: the exact tokens of a sequence and tokens that are not appended yet.
#pragma once

#include "scores-inl.hpp"

namespace tq {
namespace {

// Vectors of sums that share each load of a token, or of a weight: enough chains for two multiply-adds a cycle.
template <class S>
constexpr int exact_sums_of(int rows) {
  const int most = S::kRegisters >= 32 ? 16 : 8;
  return most / rows > 4 ? 4 : most / rows;
}

// Dot products of `Tokens` keys with `Rows` queries.
template <class S, class E, int Rows, int Tokens>
TQ_INLINE inline void token_scores(const RowSource& keys, std::size_t first, std::size_t dim, const float* queries,
                                   std::size_t stride, float* scores) noexcept {
  typename S::F::register_type sum[Rows * Tokens];
  unroll<Rows * Tokens>([&](auto i) TQ_INLINE { sum[i] = typename S::F(0.0f); });
  const void* key[Tokens];
  for (int t = 0; t < Tokens; ++t) key[t] = row_at<E>(keys, first + t);
  std::size_t j = 0;
  for (; j + S::kLanes <= dim; j += S::kLanes) {
    typename S::F::register_type k[Tokens];
    unroll<Tokens>([&](auto t) TQ_INLINE { k[t] = E::template load<S>(elements_at<E>(key[t], j)); });
    unroll<Rows>([&](auto r) TQ_INLINE {
      const typename S::F query = S::F::load_unaligned(queries + r * stride + j);
      unroll<Tokens>([&](auto t) TQ_INLINE {
        sum[r * Tokens + t] = S::multiply_add(typename S::F(k[t]), query, typename S::F(sum[r * Tokens + t]));
      });
    });
  }
  float folded[Rows * Tokens];
  sums_of_lanes<S, Rows * Tokens>(sum, folded);
  unroll<Rows>([&](auto r) TQ_INLINE {
    unroll<Tokens>([&](auto t) TQ_INLINE {
      float score = folded[r * Tokens + t];
      for (std::size_t i = j; i < dim; ++i) score += read_element<E>(key[t], i) * queries[r * stride + i];
      scores[r * kBlockTokens + first + t] = score;
    });
  });
}

template <class S, class E, int Rows>
void row_scores_of(const RowSource& keys, std::size_t count, std::size_t dim, const float* queries,
                   float* scores) noexcept {
  constexpr int tokens = exact_sums_of<S>(Rows);
  const std::size_t stride = padded_dim(dim);
  std::size_t t = 0;
  for (; t + tokens <= count; t += tokens) token_scores<S, E, Rows, tokens>(keys, t, dim, queries, stride, scores);
  for (; t < count; ++t) token_scores<S, E, Rows, 1>(keys, t, dim, queries, stride, scores);
}

template <class S>
void row_scores(const RowSource& keys, std::size_t count, std::size_t dim, const float* queries, std::size_t rows,
                float* scores) noexcept {
  with_element(keys.element, [&](auto e) {
    with_rows(rows,
              [&](auto r) { row_scores_of<S, decltype(e), decltype(r)::value>(keys, count, dim, queries, scores); });
  });
}

// Columns of up to 64 keys, [coordinate][64 tokens]: many queries share the shuffles that dot products of rows end with.
template <class S>
void transpose_rows(const float* rows, std::size_t count, std::size_t dim, float* columns) noexcept {
  const std::size_t padded = padded_dim(dim);
  for (std::size_t t = 0; t < count; t += S::kLanes) {
    for (std::size_t j = 0; j < dim; j += 4) {
      typename S::F::register_type column[4];
      load_transposed<S>(rows + t * padded + j, padded * sizeof(float), column);
      unroll<4>([&](auto i)
                    TQ_INLINE { typename S::F(column[i]).store_unaligned(columns + (j + i) * kBlockTokens + t); });
    }
  }
}

// Dot products of the keys of `Vectors` vectors of columns with `Rows` queries.
template <class S, int Rows, int Vectors>
TQ_INLINE inline void column_vectors(const float* columns, std::size_t dim, const float* queries, std::size_t stride,
                                     float* scores) noexcept {
  typename S::F::register_type sum[Rows * Vectors];
  unroll<Rows * Vectors>([&](auto i) TQ_INLINE { sum[i] = typename S::F(0.0f); });
  for (std::size_t j = 0; j < dim; ++j) {
    typename S::F::register_type k[Vectors];
    unroll<Vectors>([&](auto v) TQ_INLINE { k[v] = S::F::load_unaligned(columns + j * kBlockTokens + v * S::kLanes); });
    unroll<Rows>([&](auto r) TQ_INLINE {
      const typename S::F query(queries[r * stride + j]);
      unroll<Vectors>([&](auto v) TQ_INLINE {
        sum[r * Vectors + v] = S::multiply_add(typename S::F(k[v]), query, typename S::F(sum[r * Vectors + v]));
      });
    });
  }
  unroll<Rows * Vectors>([&](auto i) TQ_INLINE {
    typename S::F(sum[i]).store_unaligned(scores + i / Vectors * kBlockTokens + i % Vectors * S::kLanes);
  });
}

template <class S>
void column_scores(const float* columns, std::size_t count, std::size_t dim, const float* queries, std::size_t rows,
                   float* scores) noexcept {
  with_rows(rows, [&](auto r) {
    constexpr int Rows = decltype(r)::value, vectors = exact_sums_of<S>(Rows);
    constexpr std::size_t step = std::size_t{vectors} * S::kLanes;
    const std::size_t stride = padded_dim(dim);
    std::size_t t = 0;
    for (; t + step <= round_up(count, S::kLanes); t += step)
      column_vectors<S, Rows, vectors>(columns + t, dim, queries, stride, scores + t);
    for (; t < count; t += S::kLanes) column_vectors<S, Rows, 1>(columns + t, dim, queries, stride, scores + t);
  });
}

// Weighted sums of the coordinates first .. first + Vectors * lanes - 1.
template <class S, class E, int Rows, int Vectors>
TQ_INLINE inline void coordinate_sums(const RowSource& values, std::size_t count, std::size_t first, std::size_t stride,
                                      const float* weights, float* sums) noexcept {
  typename S::F::register_type sum[Rows * Vectors];
  const auto place = [&](int i) { return sums + i / Vectors * stride + first + i % Vectors * S::kLanes; };
  unroll<Rows * Vectors>([&](auto i) TQ_INLINE { sum[i] = S::F::load_unaligned(place(i)); });
  for (std::size_t t = 0; t < count; ++t) {
    const void* row = row_at<E>(values, t);
    typename S::F::register_type v[Vectors];
    unroll<Vectors>([&](auto i) TQ_INLINE { v[i] = E::template load<S>(elements_at<E>(row, first + i * S::kLanes)); });
    unroll<Rows>([&](auto r) TQ_INLINE {
      const typename S::F weight(weights[r * kBlockTokens + t]);
      unroll<Vectors>([&](auto i) TQ_INLINE {
        sum[r * Vectors + i] = S::multiply_add(typename S::F(v[i]), weight, typename S::F(sum[r * Vectors + i]));
      });
    });
  }
  unroll<Rows * Vectors>([&](auto i) TQ_INLINE { typename S::F(sum[i]).store_unaligned(place(i)); });
}

template <class S, class E, int Rows>
void row_values_of(const RowSource& values, std::size_t count, std::size_t dim, const float* weights,
                   float* sums) noexcept {
  constexpr int vectors = exact_sums_of<S>(Rows);
  constexpr std::size_t step = std::size_t{vectors} * S::kLanes;
  const std::size_t padded = padded_dim(dim);
  std::size_t j = 0;
  for (; j + step <= dim; j += step) coordinate_sums<S, E, Rows, vectors>(values, count, j, padded, weights, sums);
  for (; j + S::kLanes <= dim; j += S::kLanes) coordinate_sums<S, E, Rows, 1>(values, count, j, padded, weights, sums);
  for (; j < dim; ++j)
    for (std::size_t t = 0; t < count; ++t)
      for (int r = 0; r < Rows; ++r)
        sums[r * padded + j] += weights[r * kBlockTokens + t] * read_element<E>(row_at<E>(values, t), j);
}

template <class S>
void row_values(const RowSource& values, std::size_t count, std::size_t dim, const float* weights, std::size_t rows,
                float* sums) noexcept {
  with_element(values.element, [&](auto e) {
    with_rows(rows,
              [&](auto r) { row_values_of<S, decltype(e), decltype(r)::value>(values, count, dim, weights, sums); });
  });
}

}  // namespace
}  // namespace tq
