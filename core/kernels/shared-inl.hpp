// Attention of many query rows over the same coded blocks, as in a prefill: the codes of a block are looked up once, to a
// byte each, and then stay in the first-level cache while one group of rows after another uses them.
#pragma once

#include <new>

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

// A block on its way through the groups of rows.
struct WideBlock {
  CodedSide keys, values;
  alignas(64) float key_scales[kMaxPadded / 32 * kBlockTokens], value_scales[kMaxPadded / 32 * kBlockTokens];
};

template <class S>
void widen_block(const CodedRun& run, std::size_t i, std::uint8_t* memory, WideBlock& out) noexcept {
  const CodedBlock& block = run.at(i);
  std::uint8_t* values = memory + kBlockTokens * padded_dim(run.keys.dim);
  widen_keys<S>(run.keys, block.head + run.parts.keys, memory);
  widen_values<S>(run.values, block.head + run.parts.values, values);
  expand_scales<S>(run.keys, block.head + run.parts.key_scales, out.key_scales);
  expand_scales<S>(run.values, block.head + run.parts.value_scales, out.value_scales);
  out.keys = {memory, block.head + run.parts.key_scales, block.key_scale, memory, nullptr};
  out.values = {values, block.head + run.parts.value_scales, block.value_scale, values, nullptr};
}

// Sums of values are read and written once per block and group, and come back from the second-level cache: asked for
// with the weights of each row, what most value dims need.
inline constexpr std::size_t kFetchedSums = 512;

// Asks for part 0, 1, .. of a block: who asks for everything at once has to wait.
inline void prefetch_part(const CodedRun& run, std::size_t i, std::size_t part, std::size_t bytes) noexcept {
  const std::uint8_t* from = run.at(i).head + part * bytes;
  for (std::size_t at = 0; at < bytes; at += 64) prefetch_later<1>(from + at);
}

// What would be much for the stack of a small thread.
template <class S>
struct SharedState {
  WideBlock block;
  LaneSums<S, kMaxRows> sums[kMaxSharedGroups];
  MeanScores<kMaxRows> means[kMaxSharedGroups];
};

template <class S>
void attend_shared(const CodedRun& run, const QueryRows* groups, std::size_t count, std::uint8_t* memory) noexcept {
  constexpr int Rows = kMaxRows;
  constexpr Codes wide = Codes::kWide;
  static_assert(sizeof(SharedState<S>) <= kSharedState);
  SharedState<S>& state = *new (memory) SharedState<S>;
  memory += kSharedState;
  Weighted<Rows> buffer[2] = {{run.values, memory}, {run.values, memory}};
  const std::size_t bytes = run.parts.values + kBlockTokens * run.values.dim / 2;
  const std::size_t part = round_up(bytes / count, 64);
  const auto weigh = [&](std::size_t i, std::size_t g) {
    raw_scores<S, wide, Rows>(run.keys, state.block.keys, state.block.key_scales, groups[g].queries,
                              buffer[g % 2].weights);
    weigh_block<S, Rows, kFetchedSums>(run, i, groups[g], state.means[g], buffer[g % 2], nullptr, state.sums[g],
                                       reinterpret_cast<const std::uint8_t*>(groups[g].value_sums));
  };
  for (std::size_t i = 0; i < run.count; ++i) {
    if (i % kMeanBlocks == 0)
      for (std::size_t g = 0; g < count; ++g) mean_scores<S, Rows>(run, i, groups[g], state.means[g]);
    widen_block<S>(run, i, memory, state.block);
    weigh(i, 0);
    for (std::size_t g = 0; g < count; ++g) {
      Weighted<Rows>& now = buffer[g % 2];
      prefetch_part(run, i + 1, g, part);
      quantize_block<S, wide, Rows>(run.values, state.block.value_scales, state.block.values.offset_scale, now.weights,
                                    now.integers);
      if (g + 1 < count) weigh(i, g + 1);
      value_sums<S, wide, Rows>(run.values, state.block.values, now.integers, groups[g].value_sums);
    }
  }
  for (std::size_t g = 0; g < count; ++g)
    for (int r = 0; r < Rows; ++r) groups[g].sums[r] += S::sum(S::F::load_aligned(state.sums[g].lane[r]));
}

}  // namespace
}  // namespace tq
