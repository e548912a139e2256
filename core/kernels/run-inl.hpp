// Single-pass attention over consecutive coded blocks of one head: scores, online softmax and weighted values of a block
// while it is in the cache. The reference of the softmax (base 2) moves only when a block exceeds it by kHeadroom, so
// that sums almost never have to be rescaled.
#pragma once

#include <algorithm>

#include "means-inl.hpp"
#include "softmax-inl.hpp"

namespace tq {
namespace {

inline constexpr float kHeadroom = 24.0f;
// Softmax and quantization ask for the first of what comes after them, for each row: without it memory would rest then.
inline constexpr int kFetchedPerRow = 256;

// Of a row, what becomes of tokens that it does not see: logits of -infinity, weights of 0.
inline void hide(const VisibleTokens& visible, float hidden, float* tokens) noexcept {
  std::fill(tokens, tokens + visible.first, hidden);
  std::fill(tokens + visible.end, tokens + kBlockTokens, hidden);
}

// The sums of weights of each row, lane by lane: added up once at the end of a run.
template <class S, int Rows>
struct LaneSums {
  alignas(64) float lane[Rows][S::kLanes] = {};

  void add_to(float* sums) const noexcept {
    for (int r = 0; r < Rows; ++r) sums[r] += S::sum(S::F::load_aligned(lane[r]));
  }
};

// Moves the reference of a row; returns what that multiplies weights by.
template <class S>
float rescale_row(const CodedRun& run, const QueryRows& rows, int r, float reference, float* lane_sums) noexcept {
  const float change = S::first(exp2<S>(typename S::F(rows.maxima[r]) - typename S::F(reference)));
  const std::size_t padded = padded_dim(run.values.dim);
  rows.sums[r] *= change;
  scale_floats<S>(lane_sums, S::kLanes, change);
  scale_floats<S>(rows.value_sums + r * padded, padded, change);
  scale_floats<S>(rows.exact_sums + r * padded, padded, change);
  rows.maxima[r] = reference;
  return change;
}

// Raw scores to logits: times `factor` plus `shift`, soft cap, and -infinity where the row does not see a token.
template <class S>
void finish_logits(const CodedRun& run, int r, float factor, float shift, float* scores) noexcept {
  for (std::size_t t = 0; t < kBlockTokens; t += S::kLanes) {
    typename S::F logit = S::F::load_aligned(scores + t) * typename S::F(factor) + typename S::F(shift);
    if (run.softcap > 0) logit = capped<S>(logit, run.softcap);
    logit.store_aligned(scores + t);
  }
  if (run.visible != nullptr) hide(run.visible[r], -__builtin_inff(), scores);
}

// x[i] = factor * score + offset, of the 64 tokens; returns the largest of each lane.
template <class S>
TQ_INLINE inline typename S::F shifted_scores(const float* scores, float factor, float offset,
                                              typename S::F::register_type* x) noexcept {
  const typename S::F f(factor), o(offset);
  typename S::F::register_type most;
  unroll<kTokenVectors<S>>([&](auto i) TQ_INLINE {
    x[i] = S::multiply_add(S::F::load_aligned(scores + i * S::kLanes), f, o);
    most = i == 0 ? typename S::F(x[i]) : xsimd::max(typename S::F(most), typename S::F(x[i]));
  });
  return most;
}

inline float clear_block(float* scores) noexcept {
  for (std::size_t t = 0; t < kBlockTokens; ++t) scores[t] = 0;
  return 1.0f;
}

// Scores of one row to weights, 2^(factor * score + shift - reference of the row). Returns what earlier weights have to
// be multiplied by, 1 unless the reference moved.
template <class S>
float weigh_row(const CodedRun& run, const QueryRows& rows, int r, float factor, float shift, float* scores,
                float* lane_sums) noexcept {
  using Register = typename S::F::register_type;
  constexpr int vectors = kTokenVectors<S>;
  if (run.softcap > 0 || run.visible != nullptr) {
    finish_logits<S>(run, r, factor, shift, scores);
    factor = 1.0f, shift = 0.0f;
  }
  float change = 1.0f;
  Register x[vectors];
  bool moves = rows.maxima[r] == -__builtin_inff();  // no token seen yet
  if (!moves) {
    const typename S::F most = shifted_scores<S>(scores, factor, shift - rows.maxima[r], x);
    moves = xsimd::any(most > typename S::F(kHeadroom));
  }
  if (moves) {
    const float reference = S::max(shifted_scores<S>(scores, factor, shift, x));
    if (reference == -__builtin_inff()) return clear_block(scores);
    change = rescale_row<S>(run, rows, r, reference, lane_sums);
    unroll<vectors>([&](auto i) TQ_INLINE { x[i] = typename S::F(x[i]) - typename S::F(reference); });
  }
  Register sum = S::F::load_aligned(lane_sums);
  unroll<vectors>([&](auto i) TQ_INLINE {
    const typename S::F weight = coarse_exp2<S>(x[i]);
    weight.store_aligned(scores + i * S::kLanes);
    sum = typename S::F(sum) + weight;
  });
  typename S::F(sum).store_aligned(lane_sums);
  if (run.visible != nullptr) hide(run.visible[r], 0.0f, scores);
  return change;
}

// A block on its way: its scores, then weights, as floats and as integers.
template <int Rows>
struct Weighted {
  Weighted(const CodeShape& values, std::uint8_t*& memory) noexcept
      : weights(take<float>(memory, Rows * kBlockTokens)),
        integers(take<IntegerWeights[Rows]>(memory, values.groups())) {}

  float* weights;
  BlockWeights<Rows> integers;
};

// Scores to weights, for all rows of block i. `before`: the block whose weights have not been used yet; or NULL. `Fetched`
// bytes of what is needed soon are asked for with each row.
template <class S, int Rows, std::size_t Fetched>
void weigh_block(const CodedRun& run, std::size_t i, const QueryRows& rows, const MeanScores<Rows>& means,
                 Weighted<Rows>& now, Weighted<Rows>* before, LaneSums<S, Rows>& sums,
                 const std::uint8_t* soon) noexcept {
  const CodedBlock& block = run.at(i);
  const float* shift = means.score[i % kMeanBlocks];
  for (int r = 0; r < Rows; ++r) {
    prefetch<Fetched>(soon + Fetched * r);
    const float factor = rows.queries[r].scale * block.key_scale;
    const float change = weigh_row<S>(run, rows, r, factor, shift[r], now.weights + r * kBlockTokens, sums.lane[r]);
    if (change == 1.0f || before == nullptr) continue;
    const std::size_t groups = run.values.groups();
    for (std::size_t group = 0; group < groups; ++group) {
      before->integers[group][r].unit *= change;
      before->integers[group][r].low_unit *= change;
    }
  }
}

// Blocks are read in the order keys of i + 1, values of i, keys of i + 2, values of i + 1, ..
template <class S, Codes Keys, int Rows>
void block_scores(const CodedRun& run, std::size_t i, const QueryRows& rows, Weighted<Rows>& now) noexcept {
  const CodedBlock& block = run.at(i);
  const std::uint8_t* next = run.at(i == 0 ? 0 : i - 1).head + run.parts.values;
  const std::uint8_t* later = run.far ? run.at(i + 1).head + run.parts.keys : nullptr;
  const CodedSide keys{block.head + run.parts.keys, block.head + run.parts.key_scales, block.key_scale, next, later};
  raw_scores<S, Keys, Rows>(run.keys, keys, keys.scales, rows.queries, now.weights);
}

template <class S, Codes Values, int Rows>
void quantize_weighted(const CodedRun& run, const CodedBlock& block, float* scales, Weighted<Rows>& now) noexcept {
  prefetch<kFetchedPerRow * Rows>(block.head + run.parts.values);
  expand_scales<S>(run.values, block.head + run.parts.value_scales, scales);
  quantize_block<S, Values, Rows>(run.values, scales, block.value_scale, now.weights, now.integers);
}

template <class S, Codes Values, int Rows>
void block_values(const CodedRun& run, std::size_t i, const QueryRows& rows, const Weighted<Rows>& now) noexcept {
  const CodedBlock& block = run.at(i);
  const std::uint8_t* next = run.at(i + 2).head;
  const std::uint8_t* later = run.far ? run.at(i + 1).head + run.parts.values : nullptr;
  const CodedSide values{block.head + run.parts.values, block.head + run.parts.value_scales, block.value_scale,
                         next + run.parts.keys, later};
  for (std::size_t at = 0; at < run.parts.keys; at += 64) prefetch<1>(next + at);
  value_sums<S, Values, Rows>(run.values, values, now.integers, rows.value_sums);
}

// Softmax weights, and integers made of them, are chains of latencies. So two blocks are on their way: the chains of one
// run beside the dot products of the other.
template <class S, Codes Keys, Codes Values, int Rows>
void attend_rows(const CodedRun& run, const QueryRows& rows, std::uint8_t* memory) noexcept {
  Weighted<Rows> buffer[2] = {{run.values, memory}, {run.values, memory}};
  float* scales = take<float>(memory, run.values.groups() * kBlockTokens);
  LaneSums<S, Rows> sums;
  MeanScores<Rows> means;
  const auto weigh = [&](std::size_t i, Weighted<Rows>& now, Weighted<Rows>* before) TQ_INLINE {
    if (i % kMeanBlocks == 0) mean_scores<S, Rows>(run, i, rows, means);
    block_scores<S, Keys, Rows>(run, i, rows, now);
    weigh_block<S, Rows, kFetchedPerRow>(run, i, rows, means, now, before, sums, run.at(i + 1).head + run.parts.keys);
  };
  weigh(0, buffer[0], nullptr);
  for (std::size_t i = 0; i < run.count; ++i) {
    Weighted<Rows>&now = buffer[i % 2], &next = buffer[(i + 1) % 2];
    quantize_weighted<S, Values, Rows>(run, run.at(i), scales, now);
    if (i + 1 < run.count) weigh(i + 1, next, &now);
    block_values<S, Values, Rows>(run, i, rows, now);
  }
  sums.add_to(rows.sums);
}

template <class S, Codes Keys, Codes Values>
void attend_formats(const CodedRun& run, const QueryRows& rows, std::uint8_t* memory) noexcept {
  with_rows(rows.rows, [&](auto n) { attend_rows<S, Keys, Values, decltype(n)::value>(run, rows, memory); });
}

template <class S>
void attend_run(const CodedRun& run, const QueryRows& rows, std::uint8_t* memory) noexcept {
  constexpr Codes tq4 = Codes::kTq4, tq8 = Codes::kTq8;
  if (run.keys.format == Format::kTq4) {
    if (run.values.format == Format::kTq4) return attend_formats<S, tq4, tq4>(run, rows, memory);
    return attend_formats<S, tq4, tq8>(run, rows, memory);
  }
  if (run.values.format == Format::kTq4) return attend_formats<S, tq8, tq4>(run, rows, memory);
  attend_formats<S, tq8, tq8>(run, rows, memory);
}

}  // namespace
}  // namespace tq
