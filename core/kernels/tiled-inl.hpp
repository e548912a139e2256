// Attention of many query rows over the same coded blocks where the processor has tile registers: scores and sums of
// values are products of matrices of bf16, as which the codes of four blocks are written once. That rounds numbers by
// up to 0.4 %, where 4-bit codes are wrong by ten (docs/numerics.md, section 5).
//
// Products and softmax take turns: between instructions for tiles, vectors were seen to run at half their speed.
#pragma once

#include "shared-inl.hpp"
#include "tile_softmax-inl.hpp"
#include "tiles-inl.hpp"

namespace tq {
namespace {

inline constexpr std::size_t kUnitRows = 32;             // rows that are worked on at a time
inline constexpr std::size_t kStepBlocks = kMeanBlocks;  // blocks after which others have their turn

// What it needs beyond SharedState.
struct TileMemory {
  TileMemory(std::size_t key_dim, std::size_t value_dim, std::size_t rows, std::uint8_t* memory) noexcept
      : scores(take<float>(memory, kUnitRows * kBlockTokens)),
        weights(take<std::uint8_t>(memory, kUnitRows * kStepBlocks * kBlockTokens * 2)),
        keys(take<std::uint8_t>(memory, kStepBlocks * tile_block_bytes(key_dim))),
        values(take<std::uint8_t>(memory, kStepBlocks * tile_block_bytes(value_dim))),
        queries(take<std::uint8_t>(memory, round_up(rows, kUnitRows) * key_dim * 2)),
        means(take<float>(memory, kStepBlocks * key_dim)),
        end(memory) {}

  float* scores;          // of a block, [row][token]
  std::uint8_t* weights;  // left side, [row / 16][token / 32]
  std::uint8_t *keys, *values, *queries;
  float* means;  // [block], times all factors
  std::uint8_t* end;
};

// Where two registers of numbers of a row are in left sides: 32 columns from `column` on.
inline std::uint8_t* left_at(std::uint8_t* left, std::size_t row, std::size_t column, std::size_t columns) noexcept {
  return left + (row / 16 * (columns / 32) + column / 32) * 1024 + row % 16 * 64;
}

template <class S>
void place_queries(const CodedRun& run, const QueryRows& rows, std::uint8_t* left) noexcept {
  const std::size_t dim = run.keys.dim, padded = padded_dim(dim);
  const typename S::F factor(run.query_factor);
  for (std::size_t r = 0; r < rows.rows; ++r) {
    for (std::size_t j = 0; j < dim; j += 32) {
      const float* from = rows.rotated + r * padded + j;
      const typename S::F low = S::F::load_unaligned(from) * factor, high = S::F::load_unaligned(from + 16) * factor;
      store_lanes<S>(S::join_bf16(low, high), left_at(left, r, j, dim));
    }
  }
}

// The blocks first .. first + count - 1 as right sides.
template <class S>
void place_blocks(const CodedRun& run, std::size_t first, std::size_t count, SharedScales& scales,
                  const TileMemory& memory) noexcept {
  for (std::size_t b = 0; b < count; ++b) {
    const CodedBlock& block = run.at(first + b);
    expand_scales<S>(run, first + b, scales);
    scale_floats<S>(scales.keys, run.keys.groups() * kBlockTokens, block.key_scale);
    scale_floats<S>(scales.values, run.values.groups() * kBlockTokens, block.value_scale);
    key_tiles<S>(run.keys, block.head + run.parts.keys, scales.keys, memory.keys + b * tile_block_bytes(run.keys.dim));
    value_tiles<S>(run.values, block.head + run.parts.values, scales.values,
                   memory.values + b * tile_block_bytes(run.values.dim));
  }
}

// Scores of the means of a step's blocks, which become floats once for all rows.
template <class S>
void score_means(const CodedRun& run, std::size_t first, const QueryRows& rows, float* memory,
                 SharedState<S>& state) noexcept {
  if (!run.centered) return;
  const std::size_t dim = run.keys.dim;
  const float* means[kStepBlocks];
  for (std::size_t b = 0; b < kStepBlocks; ++b, memory += dim) {
    const typename S::F factor(run.at(first + b).mean_scale * run.query_factor);
    const std::int8_t* codes = mean_codes(run, first + b);
    for (std::size_t j = 0; j < dim; j += S::kLanes) (load_mean<S>(codes + j) * factor).store_aligned(memory + j);
    means[b] = memory;
  }
  for (std::size_t row = 0; row < rows.rows; row += kMaxRows)
    mean_products<S, kMaxRows>(means, dim, rows.rotated + row * padded_dim(dim), state.means[row / kMaxRows].score[0]);
}

// Up to 32 rows on their way through the blocks of a step.
template <class S, int RowTiles>
class TileUnit {
 public:
  TileUnit(const CodedRun& run, const QueryRows& rows, std::size_t first_row, const TileMemory& memory,
           SharedState<S>& state) noexcept
      : run_(run),
        rows_(part_of(run, rows, first_row, RowTiles * S::kTileRows)),
        memory_(memory),
        queries_(memory.queries + first_row * run.keys.dim * 2),
        sums_(state.sums + first_row / kMaxRows),
        means_(state.means + first_row / kMaxRows) {}

  void attend(std::size_t count) noexcept {
    for (std::size_t b = 0; b < count; ++b) {
      score(b);
      for (std::size_t row = 0; row < kRows; ++row) weigh(b, row);
    }
    add_values(count);
  }

 private:
  static constexpr std::size_t kRows = RowTiles * S::kTileRows;

  void score(std::size_t b) noexcept {
    const std::size_t dim = run_.keys.dim, columns = dim / 32 * S::kTileBytes;
    const std::uint8_t* keys = memory_.keys + b * tile_block_bytes(dim);
    const TileProduct product{2, dim / 32, queries_, columns, memory_.scores, kBlockTokens};
    multiply<S, RowTiles, false>(product, columns, [&](std::size_t column, std::size_t k) TQ_INLINE {
      return keys + 2 * column * columns + k * S::kTileBytes;
    });
  }

  TQ_INLINE void weigh(std::size_t b, std::size_t row) noexcept {
    float* scores = memory_.scores + row * kBlockTokens;
    float* lane_sums = sums_[row / kMaxRows].lane[row % kMaxRows];
    float shift = means_[row / kMaxRows].score[b][row % kMaxRows];
    if (run_.softcap > 0) {
      finish_logits<S>(run_, 0, 1.0f, shift, scores);
      shift = 0.0f;
    }
    std::uint8_t* left = left_at(memory_.weights, row, b * kBlockTokens, kStepBlocks * kBlockTokens);
    if (!weigh_tokens<S>(scores, shift - rows_.maxima[row], left, lane_sums)) {
      move_reference(b, row, shift);
      weigh_tokens<S>(scores, shift - rows_.maxima[row], left, lane_sums);
    }
  }

  // The largest logit of a block becomes the reference. Weights of the blocks before change with it: those that the
  // sums of values have, and those that they do not have yet.
  [[gnu::noinline]] void move_reference(std::size_t b, std::size_t row, float shift) noexcept {
    typename S::F::register_type x[kTokenVectors<S>];
    const float reference = S::max(shifted_scores<S>(memory_.scores + row * kBlockTokens, 1.0f, shift, x));
    float* lane_sums = sums_[row / kMaxRows].lane[row % kMaxRows];
    const typename S::F change(rescale_row<S>(run_, rows_, static_cast<int>(row), reference, lane_sums));
    for (std::size_t t = 0; t < b * kBlockTokens; t += 32) {
      std::uint8_t* at = left_at(memory_.weights, row, t, kStepBlocks * kBlockTokens);
      const auto* numbers = reinterpret_cast<const std::uint16_t*>(at);
      store_lanes<S>(S::join_bf16(S::load_bf16(numbers) * change, S::load_bf16(numbers + 16) * change), at);
    }
  }

  void add_values(std::size_t count) noexcept {
    const std::size_t dim = run_.values.dim, columns = kBlockTokens / 32 * S::kTileBytes;
    const TileProduct product{dim / 32,         2 * count,      memory_.weights, kStepBlocks * columns,
                              rows_.value_sums, padded_dim(dim)};
    multiply<S, RowTiles, true>(product, columns, [&](std::size_t column, std::size_t k) TQ_INLINE {
      return memory_.values + k / 2 * tile_block_bytes(dim) + 2 * column * columns + k % 2 * S::kTileBytes;
    });
  }

  const CodedRun& run_;
  const QueryRows rows_;
  const TileMemory& memory_;
  const std::uint8_t* queries_;
  typename SharedState<S>::Sums* sums_;
  typename SharedState<S>::Means* means_;
};

template <class S>
void attend_tiles(const CodedRun& run, const QueryRows& rows, SharedState<S>& state, std::uint8_t* memory) noexcept {
  const TileMemory tiles(run.keys.dim, run.values.dim, rows.rows, memory);
  const std::size_t units = (rows.rows + kUnitRows - 1) / kUnitRows;
  place_queries<S>(run, rows, tiles.queries);
  S::configure_tiles();
  for (std::size_t first = 0; first < run.count; first += kStepBlocks) {
    const std::size_t count = std::min(kStepBlocks, run.count - first);
    place_blocks<S>(run, first, count, state.scales, tiles);
    score_means<S>(run, first, rows, tiles.means, state);
    for (std::size_t row = 0, unit = 0; row < rows.rows; row += kUnitRows, ++unit) {
      for (std::size_t b = 0; b < kStepBlocks; ++b) prefetch_part(run, first + kStepBlocks + b, unit, units);
      if (rows.rows - row >= kUnitRows) {
        TileUnit<S, 2>(run, rows, row, tiles, state).attend(count);
      } else {
        TileUnit<S, 1>(run, rows, row, tiles, state).attend(count);
      }
    }
  }
  S::release_tiles();
}

}  // namespace
}  // namespace tq
