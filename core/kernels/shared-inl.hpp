// Attention of many query rows over the same coded blocks, as in a prefill: the codes of a block are looked up once, to a
// byte each, and then stay in the first-level cache while one group of rows after another uses them.
#pragma once

#include "run-inl.hpp"

namespace tq {
namespace {

// Cells of 256 bytes to cells of 512: the codes of the low nibbles of all 64 tokens, then those of the high ones.
template <class S>
void widen_keys(const CodeShape& shape, const std::uint8_t* codes, std::uint8_t* wide) noexcept {
  static constexpr Table16 centroids = signed_centroids(S::kNibbleBias);
  const typename S::I table = S::table(centroids);
  const std::size_t cells = (shape.dim + 7) / 8;
  for (std::size_t cell = 0; cell < cells; ++cell, codes += 256, wide += 512) {
    for (std::size_t at = 0; at < 256; at += S::kLanes * 4) {
      const auto [low, high] = two_codes<S, Codes::kTq4>(table, codes + at, 0);
      store_lanes<S>(low, wide + at);
      store_lanes<S>(high, wide + 256 + at);
    }
  }
}

// Quads of `lanes` dwords to twice as many: low nibbles, then high ones. Writes up to a register beyond the last quad.
template <class S>
void widen_quads(const std::uint8_t* codes, std::size_t quads, std::size_t lanes, std::uint8_t* wide) noexcept {
  static constexpr Table16 centroids = signed_centroids(0);
  const typename S::I table = S::table(centroids);
  for (std::size_t quad = 0; quad < quads; ++quad, codes += lanes * 4, wide += lanes * 8) {
    for (std::size_t lane = 0; lane < lanes; lane += S::kLanes)
      store_lanes<S>(S::lookup_low(table, S::load_some(codes + lane * 4, lanes - lane)), wide + lane * 4);
    for (std::size_t lane = 0; lane < lanes; lane += S::kLanes)
      store_lanes<S>(S::lookup_high(table, S::load_some(codes + lane * 4, lanes - lane)), wide + (lanes + lane) * 4);
  }
}

template <class S>
void widen_values(const CodeShape& shape, const std::uint8_t* codes, std::uint8_t* wide) noexcept {
  for_value_chunks<Format::kTq4>(shape.dim, [&](ValueChunk chunk) {
    widen_quads<S>(codes + chunk.offset, kBlockTokens / 4, chunk.lanes, wide + 2 * chunk.offset);
  });
}

// The scales of a block, [group][token] of each side, without its 2^offset.
struct SharedScales {
  alignas(64) float keys[kMaxPadded / 32 * kBlockTokens], values[kMaxPadded / 32 * kBlockTokens];
};

template <class S>
void expand_scales(const CodedRun& run, std::size_t i, SharedScales& out) noexcept {
  expand_scales<S>(run.keys, run.at(i).head + run.parts.key_scales, out.keys);
  expand_scales<S>(run.values, run.at(i).head + run.parts.value_scales, out.values);
}

// Sums of values are read and written once per block and group, and come back from the second-level cache: asked for
// with the weights of each row, what most value dims need.
inline constexpr std::size_t kFetchedSums = 512;

// Asks for part 0, 1, .. of the parts of a block: who asks for everything at once has to wait.
inline void prefetch_part(const CodedRun& run, std::size_t i, std::size_t part, std::size_t parts) noexcept {
  const std::size_t block = run.parts.values + kBlockTokens * run.values.dim / 2, bytes = round_up(block / parts, 64);
  const std::uint8_t* from = run.at(i).head + part * bytes;
  for (std::size_t at = 0; at < bytes; at += 64) prefetch_later<1>(from + at);
}

// What would be much for the stack of a small thread; sums and means of each group of kMaxRows rows.
template <class S>
struct SharedState {
  using Sums = LaneSums<S, kMaxRows>;
  using Means = MeanScores<kMaxRows>;

  SharedState(std::size_t rows, std::uint8_t*& memory) noexcept
      : scales(*take<SharedScales>(memory, 1)),
        sums(take<Sums>(memory, rows / kMaxRows)),
        means(take<Means>(memory, rows / kMaxRows)) {
    std::fill_n(sums, rows / kMaxRows, Sums{});
    std::fill_n(means, rows / kMaxRows, Means{});
  }

  static std::size_t bytes(std::size_t rows) noexcept {
    return sizeof(SharedScales) + rows / kMaxRows * (sizeof(Sums) + sizeof(Means));
  }

  SharedScales& scales;
  Sums* sums;
  Means* means;
};

// `count` of the rows, from `first` on.
inline QueryRows part_of(const CodedRun& run, const QueryRows& rows, std::size_t first, std::size_t count) noexcept {
  const std::size_t keys = padded_dim(run.keys.dim), values = padded_dim(run.values.dim);
  return {count,
          rows.queries + first,
          rows.rotated + first * keys,
          rows.maxima + first,
          rows.sums + first,
          rows.value_sums + first * values,
          rows.exact_sums + first * values};
}

// One group after another, by dot products of vectors.
template <class S>
void attend_groups(const CodedRun& run, const QueryRows& rows, SharedState<S>& state, std::uint8_t* memory) noexcept {
  constexpr int Rows = kMaxRows;
  constexpr Codes wide = Codes::kWide;
  const std::size_t count = rows.rows / Rows;
  Weighted<Rows> buffer[2] = {{run.values, memory}, {run.values, memory}};
  std::uint8_t *wide_keys = memory, *wide_values = memory + kBlockTokens * padded_dim(run.keys.dim);
  const CodedSide keys{wide_keys, nullptr, 0, wide_keys, nullptr},
      values{wide_values, nullptr, 0, wide_values, nullptr};
  const auto group = [&](std::size_t g) { return part_of(run, rows, g * Rows, Rows); };
  const auto weigh = [&](std::size_t i, std::size_t g) {
    const QueryRows members = group(g);
    Weighted<Rows>& now = buffer[g % 2];
    raw_scores<S, wide, Rows>(run.keys, keys, state.scales.keys, members.queries, now.weights);
    weigh_block<S, Rows, kFetchedSums>(run, i, members, state.means[g], now, nullptr, state.sums[g],
                                       reinterpret_cast<const std::uint8_t*>(members.value_sums));
  };
  for (std::size_t i = 0; i < run.count; ++i) {
    const CodedBlock& block = run.at(i);
    if (i % kMeanBlocks == 0)
      for (std::size_t g = 0; g < count; ++g) mean_scores<S, Rows>(run, i, group(g), state.means[g]);
    widen_keys<S>(run.keys, block.head + run.parts.keys, wide_keys);
    widen_values<S>(run.values, block.head + run.parts.values, wide_values);
    expand_scales<S>(run, i, state.scales);
    weigh(i, 0);
    for (std::size_t g = 0; g < count; ++g) {
      Weighted<Rows>& now = buffer[g % 2];
      prefetch_part(run, i + 1, g, count);
      quantize_block<S, wide, Rows>(run.values, state.scales.values, block.value_scale, now.weights, now.integers);
      if (g + 1 < count) weigh(i, g + 1);
      value_sums<S, wide, Rows>(run.values, values, now.integers, group(g).value_sums);
    }
  }
}

}  // namespace
}  // namespace tq
