// Single-pass attention over consecutive coded blocks of one head: scores, online softmax and weighted values of a block
// while it is in the cache. The reference of the softmax (base 2) moves only when a block exceeds it by kHeadroom, so
// that sums almost never have to be rescaled.
#pragma once

#include "softmax-inl.hpp"

namespace tq {
namespace {

inline constexpr float kHeadroom = 24.0f;

template <class S, int Rows>
void add_means(const CodedRun& run, const CodedBlock& block, const QueryRows& rows, float (&shift)[Rows]) noexcept {
  const auto* codes = reinterpret_cast<const std::int8_t*>(block.head + run.parts.mean);
  const std::size_t padded = padded_dim(run.keys.dim);
  typename S::F sum[Rows];
  for (auto& v : sum) v = typename S::F(0.0f);
  std::size_t j = 0;
  for (; j + S::kLanes <= run.keys.dim; j += S::kLanes) {
    const typename S::F mean = S::to_float(S::load_signed_bytes(codes + j));
    for (int r = 0; r < Rows; ++r)
      sum[r] = S::multiply_add(mean, S::F::load_unaligned(rows.rotated + r * padded + j), sum[r]);
  }
  for (int r = 0; r < Rows; ++r) {
    float rest = 0;
    for (std::size_t i = j; i < run.keys.dim; ++i) rest += static_cast<float>(codes[i]) * rows.rotated[r * padded + i];
    shift[r] = (S::sum(sum[r]) + rest) * (block.mean_scale * run.mean_factor);
  }
}

template <class S>
void hide(float* scores, const VisibleTokens& visible) noexcept {
  for (std::size_t t = 0; t < kBlockTokens; ++t) {
    if (t < visible.first || t >= visible.end) scores[t] = -__builtin_inff();
  }
}

template <class S>
void rescale_row(const CodedRun& run, const QueryRows& rows, int r, float reference) noexcept {
  alignas(64) float change[S::kLanes];
  exp2<S>(typename S::F(rows.maxima[r]) - typename S::F(reference)).store_aligned(change);
  const std::size_t padded = padded_dim(run.values.dim);
  rows.sums[r] *= change[0];
  scale_floats<S>(rows.value_sums + r * padded, padded, change[0]);
  scale_floats<S>(rows.exact_sums + r * padded, padded, change[0]);
  rows.maxima[r] = reference;
}

// floor(log2(x)) of a positive number.
inline float exponent_of(float x) noexcept { return static_cast<float>(static_cast<int>(bits_of(x) >> 23) - 127); }

// Scores of one row to weights. Returns whether one token outweighs the others (kPeaked).
template <class S>
bool weigh_row(const CodedRun& run, const QueryRows& rows, int r, float shift, float* scores) noexcept {
  typename S::F logit[kTokenVectors<S>], most(-__builtin_inff());
  for (int i = 0; i < kTokenVectors<S>; ++i) {
    logit[i] = S::F::load_unaligned(scores + i * S::kLanes) + typename S::F(shift);
    if (run.softcap > 0) logit[i] = capped<S>(logit[i], run.softcap);
  }
  if (run.visible != nullptr) {
    for (int i = 0; i < kTokenVectors<S>; ++i) logit[i].store_unaligned(scores + i * S::kLanes);
    hide<S>(scores, run.visible[r]);
    for (int i = 0; i < kTokenVectors<S>; ++i) logit[i] = S::F::load_unaligned(scores + i * S::kLanes);
  }
  for (const auto& v : logit) most = xsimd::max(most, v);
  const float highest = S::first(max_of_lanes<S>(most));
  if (highest == -__builtin_inff()) {
    for (std::size_t t = 0; t < kBlockTokens; ++t) scores[t] = 0;
    return false;
  }
  if (!(highest <= rows.maxima[r] + kHeadroom)) rescale_row<S>(run, rows, r, highest);
  const typename S::F reference(rows.maxima[r]);
  typename S::F sum(0.0f);
  for (int i = 0; i < kTokenVectors<S>; ++i) {
    const typename S::F weight = exp2<S>(logit[i] - reference);
    weight.store_unaligned(scores + i * S::kLanes);
    sum += weight;
  }
  const float total = S::first(sum_of_lanes<S>(sum));
  rows.sums[r] += total;
  // The largest weight is 2^(highest - reference).
  return highest - rows.maxima[r] > exponent_of(kPeaked * total);
}

template <class S, Format Keys, int Rows>
void block_scores(const CodedRun& run, const CodedBlock& block, const QueryRows& rows, float* scores) noexcept {
  const CodedSide keys{block.head + run.parts.keys, block.head + run.parts.key_scales, block.key_scale};
  coded_scores_of<S, Keys, Rows>(run.keys, keys, rows.queries, scores);
}

// The scores of the next block are computed between the weights of this one, which are a chain of latencies, and their
// use: so the two overlap.
template <class S, Format Keys, Format Values, int Rows>
void attend_rows(const CodedRun& run, const QueryRows& rows) noexcept {
  alignas(64) float buffer[2][Rows * kBlockTokens];
  BlockWeights<Rows, 1> weights;
  block_scores<S, Keys, Rows>(run, run.blocks[0], rows, buffer[0]);
  for (std::size_t i = 0; i < run.count; ++i) {
    const CodedBlock& block = run.blocks[i];
    const CodedSide values{block.head + run.parts.values, block.head + run.parts.value_scales, block.value_scale};
    float* scores = buffer[i % 2];
    float shift[Rows] = {};
    if (run.mean_factor != 0) add_means<S, Rows>(run, block, rows, shift);
    bool peaked = kAlwaysTwoDigits<Values>;
    for (int r = 0; r < Rows; ++r) peaked |= weigh_row<S>(run, rows, r, shift[r], scores + r * kBlockTokens);
    if (!peaked) quantize_block<S, Rows, 1>(run.values, values.scales, scores, weights);
    if (i + 1 < run.count) block_scores<S, Keys, Rows>(run, run.blocks[i + 1], rows, buffer[(i + 1) % 2]);
    if (peaked) {
      peaked_values<S, Values, Rows>(run.values, values, scores, rows.value_sums);
    } else {
      value_sums<S, Values, Rows, 1>(run.values, values, weights, rows.value_sums);
    }
  }
}

template <class S, Format Keys, Format Values>
void attend_formats(const CodedRun& run, const QueryRows& rows) noexcept {
  with_rows(rows.rows, [&](auto n) { attend_rows<S, Keys, Values, decltype(n)::value>(run, rows); });
}

template <class S>
void attend_run(const CodedRun& run, const QueryRows& rows) noexcept {
  constexpr Format tq4 = Format::kTq4, tq8 = Format::kTq8;
  if (run.keys.format == tq4) {
    if (run.values.format == tq4) return attend_formats<S, tq4, tq4>(run, rows);
    return attend_formats<S, tq4, tq8>(run, rows);
  }
  if (run.values.format == tq4) return attend_formats<S, tq8, tq4>(run, rows);
  attend_formats<S, tq8, tq8>(run, rows);
}

}  // namespace
}  // namespace tq
