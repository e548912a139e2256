// Attention over rows of floats: the exact tokens of a sequence and tokens that are not appended yet.
#pragma once

#include "scores-inl.hpp"

namespace tq {
namespace {

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
