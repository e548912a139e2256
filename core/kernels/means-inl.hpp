// Scores of the mean keys of blocks: what centring took from every key of a block, a row and block at a time one number.
#pragma once

#include "scores-inl.hpp"

namespace tq {
namespace {

inline constexpr std::size_t kMeanBlocks =
    4;  // whose means are read together: their dot products share loads and shuffles

// Of the blocks kMeanBlocks * n .. + 3 with each row.
template <int Rows>
struct MeanScores {
  float score[kMeanBlocks][Rows] = {};
};

inline const std::int8_t* mean_codes(const CodedRun& run, std::size_t i) noexcept {
  return reinterpret_cast<const std::int8_t*>(run.at(i).head + run.parts.mean);
}

// Coordinates of a mean, as they are stored or as floats.
template <class S>
typename S::F load_mean(const std::int8_t* p) noexcept {
  return S::to_float(S::load_signed_bytes(p));
}
template <class S>
typename S::F load_mean(const float* p) noexcept {
  return S::F::load_unaligned(p);
}

// Dot products of means with the rotated queries: products[block * Rows + row].
template <class S, int Rows, int Blocks, class Number>
void mean_products(const Number* const (&means)[Blocks], std::size_t dim, const float* rotated,
                   float* products) noexcept {
  const std::size_t padded = padded_dim(dim);
  typename S::F::register_type sum[Rows * Blocks];
  unroll<Rows * Blocks>([&](auto i) TQ_INLINE { sum[i] = typename S::F(0.0f); });
  std::size_t j = 0;
  for (; j + S::kLanes <= dim; j += S::kLanes) {
    typename S::F::register_type mean[Blocks];
    unroll<Blocks>([&](auto b) TQ_INLINE { mean[b] = load_mean<S>(means[b] + j); });
    unroll<Rows>([&](auto r) TQ_INLINE {
      const typename S::F query = S::F::load_unaligned(rotated + r * padded + j);
      unroll<Blocks>([&](auto b) TQ_INLINE {
        sum[b * Rows + r] = S::multiply_add(typename S::F(mean[b]), query, typename S::F(sum[b * Rows + r]));
      });
    });
  }
  sums_of_lanes<S, Rows * Blocks>(sum, products);
  for (; j < dim; ++j)
    for (int i = 0; i < Rows * Blocks; ++i)
      products[i] += static_cast<float>(means[i / Rows][j]) * rotated[i % Rows * padded + j];
}

// `first` is a multiple of kMeanBlocks. Asks for the means after these: they lie where nothing else is read yet.
template <class S, int Rows>
void mean_scores(const CodedRun& run, std::size_t first, const QueryRows& rows, MeanScores<Rows>& means) noexcept {
  if (!run.centered) return;
  constexpr int budget = (S::kRegisters >= 32 ? 16 : 8) / Rows, blocks = budget >= 4 ? 4 : 2;
  for (std::size_t b = 0; b < kMeanBlocks; b += blocks) {
    const std::int8_t* codes[blocks];
    for (std::size_t i = 0; i < blocks; ++i) codes[i] = mean_codes(run, first + b + i);
    mean_products<S, Rows, blocks>(codes, run.keys.dim, rows.rotated, means.score[b]);
  }
  for (std::size_t b = 0; b < kMeanBlocks; ++b) {
    const float factor = run.at(first + b).mean_scale * run.query_factor;
    for (int r = 0; r < Rows; ++r) means.score[b][r] *= factor;
    const auto* next = reinterpret_cast<const std::uint8_t*>(mean_codes(run, first + kMeanBlocks + b));
    for (std::size_t at = 0; at < run.keys.dim; at += 64) prefetch<1>(next + at);
  }
}

}  // namespace
}  // namespace tq
