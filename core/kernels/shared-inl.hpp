// Attention of many query rows over the same coded blocks, as in a prefill: the codes of a block are looked up once, to a
// byte each, and then stay in the first-level cache while one group of rows after another uses them.
#pragma once

#include "run-inl.hpp"
#include "widen-inl.hpp"

namespace tq {
namespace {

// A block on its way through the groups of rows.
struct WideBlock {
  std::uint8_t *keys, *values;
  float key_scale, value_scale;  // 2^offset
  alignas(64) float key_scales[kMaxPadded / 32 * kBlockTokens], value_scales[kMaxPadded / 32 * kBlockTokens];
};

// Its scales, and where its codes are going to be: in `memory`.
template <class S>
void place_block(const CodedRun& run, std::size_t i, std::uint8_t* memory, WideBlock& out) noexcept {
  const CodedBlock& block = run.at(i);
  expand_scales<S>(run.keys, block.head + run.parts.key_scales, out.key_scales);
  expand_scales<S>(run.values, block.head + run.parts.value_scales, out.value_scales);
  out.keys = memory, out.values = memory + kBlockTokens * padded_dim(run.keys.dim);
  out.key_scale = block.key_scale, out.value_scale = block.value_scale;
}

// Sums of values are read and written once per block and group, and come back from the second-level cache: asked for
// with the weights of each row, what most value dims need.
inline constexpr std::size_t kFetchedSums = 512;

// Asks for part 0, 1, .. of a block: who asks for everything at once has to wait.
inline void prefetch_part(const CodedRun& run, std::size_t i, std::size_t part, std::size_t bytes) noexcept {
  const std::uint8_t* from = run.at(i).head + part * bytes;
  for (std::size_t at = 0; at < bytes; at += 64) prefetch_later<1>(from + at);
}

// What would be much for the stack of a small thread; sums and means of each group of up to kMaxRows rows.
template <class S>
struct SharedState {
  SharedState(std::size_t rows, std::uint8_t*& memory) noexcept
      : block(*take<WideBlock>(memory, 1)),
        sums(take<LaneSums<S>>(memory, groups_of(rows))),
        means(take<MeanScores>(memory, groups_of(rows))) {
    std::fill_n(sums, groups_of(rows), LaneSums<S>{});
    std::fill_n(means, groups_of(rows), MeanScores{});
  }

  static std::size_t groups_of(std::size_t rows) noexcept { return (rows + kMaxRows - 1) / kMaxRows; }
  static std::size_t bytes(std::size_t rows) noexcept {
    return sizeof(WideBlock) + groups_of(rows) * (sizeof(LaneSums<S>) + sizeof(MeanScores));
  }

  WideBlock& block;
  LaneSums<S>* sums;
  MeanScores* means;
};

// The rows from `first` on, `count` or what there is.
inline QueryRows part_of(const CodedRun& run, const QueryRows& rows, std::size_t first, std::size_t count) noexcept {
  const std::size_t keys = padded_dim(run.keys.dim), values = padded_dim(run.values.dim);
  return {std::min(count, rows.rows - first),
          rows.queries + first,
          rows.rotated + first * keys,
          rows.maxima + first,
          rows.sums + first,
          rows.value_sums + first * values,
          rows.exact_sums + first * values};
}

// body(number, rows) for each group.
template <class Body>
void for_groups(const CodedRun& run, const QueryRows& rows, const Body& body) noexcept {
  for (std::size_t g = 0; g * kMaxRows < rows.rows; ++g) body(g, part_of(run, rows, g * kMaxRows, kMaxRows));
}

template <class S>
void start_block(const CodedRun& run, std::size_t i, const QueryRows& rows, std::uint8_t* memory,
                 SharedState<S>& state) noexcept {
  if (i % kMeanBlocks == 0) {
    for_groups(run, rows, [&](std::size_t g, const QueryRows& group) {
      with_rows(group.rows, [&](auto n) { mean_scores<S, decltype(n)::value>(run, i, group, state.means[g]); });
    });
  }
  place_block<S>(run, i, memory, state.block);
}

// Scores to weights.
template <class S, int Rows>
void weigh_group(const CodedRun& run, std::size_t i, std::size_t g, const QueryRows& rows, SharedState<S>& state,
                 float* scores) noexcept {
  weigh_block<S, Rows, kFetchedSums>(run, i, rows, state.means[g], scores, nullptr, state.sums[g],
                                     reinterpret_cast<const std::uint8_t*>(rows.value_sums));
}

// Whole groups, one after another, by dot products of vectors.
template <class S>
void attend_groups(const CodedRun& run, const QueryRows& rows, SharedState<S>& state, std::uint8_t* memory) noexcept {
  constexpr int Rows = kMaxRows;
  constexpr Codes wide = Codes::kWide;
  const WideBlock& block = state.block;
  Weighted<Rows> buffer[2] = {{run.values, memory}, {run.values, memory}};
  const std::size_t count = rows.rows / Rows, bytes = run.parts.values + kBlockTokens * run.values.dim / 2;
  const std::size_t part = round_up(bytes / count, 64);
  const auto weigh = [&](std::size_t i, std::size_t g) {
    const QueryRows group = part_of(run, rows, g * Rows, Rows);
    const CodedSide keys{block.keys, nullptr, block.key_scale, block.keys, nullptr};
    raw_scores<S, wide, Rows>(run.keys, keys, block.key_scales, group.queries, buffer[g % 2].weights);
    weigh_group<S, Rows>(run, i, g, group, state, buffer[g % 2].weights);
  };
  for (std::size_t i = 0; i < run.count; ++i) {
    start_block<S>(run, i, rows, memory, state);
    widen_keys<S, S::kNibbleBias>(run.at(i).head + run.parts.keys, (run.keys.dim + 7) / 8, block.keys);
    widen_values<S>(run.values, run.at(i).head + run.parts.values, block.values);
    const CodedSide values{block.values, nullptr, block.value_scale, block.values, nullptr};
    weigh(i, 0);
    for (std::size_t g = 0; g < count; ++g) {
      Weighted<Rows>& now = buffer[g % 2];
      prefetch_part(run, i + 1, g, part);
      quantize_block<S, wide, Rows>(run.values, block.value_scales, block.value_scale, now.weights, now.integers);
      if (g + 1 < count) weigh(i, g + 1);
      value_sums<S, wide, Rows>(run.values, values, now.integers, part_of(run, rows, g * Rows, Rows).value_sums);
    }
  }
}

}  // namespace
}  // namespace tq
