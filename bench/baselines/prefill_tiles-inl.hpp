// Prefill on a bf16 cache with tile registers. A block of rows goes through the cache in steps of 256 tokens; in each
// step every 32 rows of it compute scores, weights and their part of the output. All products are of 32 x 32 sums at a
// time, in four tiles. They are stored one by one when the next products begin, because the last ones take a while.
#pragma once

#include <type_traits>

#include "softmax_tiles-inl.hpp"

namespace {

using bench::kTileTokens;
using bench::PrefillJob;

// Memory outside of L2 is slow, so the cache should be read for as many rows as L2 has room for.
constexpr std::size_t kBlockRows = 1024, kBlockFloats = kBlockRows * 128;
constexpr std::size_t block_rows(std::size_t head_dim) {
  return head_dim > 128 ? kBlockFloats / head_dim / kUnitRows * kUnitRows : kBlockRows;
}

struct BlockMemory {
  alignas(64) std::uint16_t queries[kBlockFloats];  // left factors, unit after unit
  alignas(64) float sums[kBlockFloats];             // [row][head_dim]
  SoftmaxRow rows[kBlockRows];
  UnitMemory unit;
};

struct TileBlock {
  const PrefillJob& job;
  BlockMemory& memory;
  std::size_t first_row, rows, units;  // units of 32 rows
};

// 256 tokens or those that the last of a unit's rows sees.
struct TileStep {
  std::size_t first, tokens;  // a multiple of 32
  const char* data;
  std::size_t tile_bytes, head_dim;

  const char* keys(std::size_t token) const {
    return data + token / kTileTokens * tile_bytes + token % kTileTokens * 4;
  }
  const char* values(std::size_t token, std::size_t column) const {
    return data + token / kTileTokens * tile_bytes + (head_dim + column / kColumns * kColumns) * kTileTokens * 2 +
           token % kTileTokens / 2 * kPanelStride + column % kColumns * 4;
  }
};

TileStep step_of(const TileBlock& block, std::size_t unit, std::size_t first) {
  const std::size_t d = block.job.head_dim, visible = block.memory.rows[unit * kUnitRows + kUnitRows - 1].visible;
  const std::size_t tokens = visible > first ? (visible - first + 31) / 32 * 32 : 0;
  return {first, tokens < kStepTokens ? tokens : kStepTokens, static_cast<const char*>(block.job.tiles) + first * d * 4,
          d * kTileTokens * 4, d};
}

// Rows behind the last one are zeros and see what the last one sees.
void begin_block(const TileBlock& block) {
  const std::size_t d = block.job.head_dim;
  std::memset(block.memory.sums, 0, block.units * kUnitRows * d * sizeof(float));
  for (std::size_t row = 0; row < block.units * kUnitRows; ++row) {
    const std::size_t real = row < block.rows ? row : block.rows - 1;
    block.memory.rows[row] = {};
    block.memory.rows[row].visible = block.job.first_visible + (block.first_row + real) / block.job.group;
    std::uint16_t* left = block.memory.queries + row / kUnitRows * kUnitRows * d;
    for (std::size_t i = 0; i < d; i += 32) {
      const float* from = block.job.queries + (block.first_row + real) * d + i;
      const F factor = splat(real == row ? 1.0f : 0.0f);
      store_left(left + left_index(row % kUnitRows, i, d), load(from) * factor, load(from + kLanes) * factor);
    }
  }
}

struct NoChange {
  template <class Tile>
  void operator()(Tile) const {}
};

// Adds 32 columns' products to 32 x 32 sums. change(i) is called before the first product of tile i.
template <class Change, class Beside>
inline void multiply_step(const std::uint16_t* left, std::size_t left_rows, const char* right, Change change,
                          Beside beside) {
  load_tile<6>(right, kPanelStride);
  load_tile<7>(right + kTileBytes, kPanelStride);
  load_tile<4>(left, kTileBytes);
  load_tile<5>(left + left_rows, kTileBytes);
  beside();
  change(std::integral_constant<int, 0>());
  multiply_tiles<0, 4, 6>();
  change(std::integral_constant<int, 1>());
  multiply_tiles<1, 4, 7>();
  change(std::integral_constant<int, 2>());
  multiply_tiles<2, 5, 6>();
  change(std::integral_constant<int, 3>());
  multiply_tiles<3, 5, 7>();
  beside();
}

// Where tile i of the sums lies in rows of `stride` floats.
constexpr std::size_t sum_at(int tile, std::size_t stride) { return tile / 2 * kTileRows * stride + tile % 2 * 16; }

inline void store_sums(float* to, std::size_t stride) {
  store_tile<0>(to, stride * 4), store_tile<1>(to + sum_at(1, stride), stride * 4);
  store_tile<2>(to + sum_at(2, stride), stride * 4), store_tile<3>(to + sum_at(3, stride), stride * 4);
}

// Fetches the next step into L2 as well, every unit its share.
void unit_scores(const TileBlock& block, std::size_t unit, const TileStep& step) {
  const std::size_t d = step.head_dim, bytes = kStepTokens * d * 4;
  UnitMemory& memory = block.memory.unit;
  Softmax softmax(memory, block.memory.rows + unit * kUnitRows, 512 / d);
  const char* next = step.data + bytes + unit * (bytes / block.units);
  const std::size_t lines = (32 + block.units - 1) / block.units;  // `beside` is called d / 2 times
  const auto beside = [&] {
    softmax.a_bit();
    for (std::size_t i = 0; i < lines; ++i, next += 64) __builtin_prefetch(next, 0, 2);
  };
  const std::uint16_t* queries = block.memory.queries + unit * kUnitRows * d;
  for (std::size_t t = 0; t < step.tokens; t += 32) {
    float* before = memory.scores[t / 32 % 2 ^ 1];
    const auto change = [&](auto tile) {
      if (t != 0) store_tile<tile>(before + sum_at(tile, 32), 32 * 4);
      zero_tile<tile>();
    };
    multiply_step(queries, kTileRows * d, step.keys(t), change, beside);
    for (std::size_t i = 32; i < d; i += 32)
      multiply_step(queries + i * kTileRows, kTileRows * d, step.keys(t) + i / 2 * kPanelStride, NoChange(), beside);
    softmax.rest();
    if (t != 0) softmax.take(before, step.first, t - 32);
  }
  float* last = memory.scores[(step.tokens / 32 - 1) % 2];
  store_sums(last, 32);
  softmax.rest();
  softmax.take(last, step.first, step.tokens - 32);
  softmax.rest();
}

void scale_sums(float* sums, std::size_t head_dim, const float* factors) {
  for (std::size_t r = 0; r < kUnitRows; ++r) {
    if (factors[r] == 1.0f) continue;
    for (std::size_t i = 0; i < head_dim; i += kLanes)
      store(sums + r * head_dim + i, load(sums + r * head_dim + i) * splat(factors[r]));
  }
}

void unit_values(const TileBlock& block, std::size_t unit, const TileStep& step) {
  const std::size_t d = step.head_dim;
  const std::uint16_t* weights = block.memory.unit.weights;
  float* sums = block.memory.sums + unit * kUnitRows * d;
  const auto nothing = [] {};
  scale_sums(sums, d, block.memory.unit.factors);
  for (std::size_t j = 0; j < d; j += 32) {
    const auto change = [&](auto tile) {
      if (j != 0) store_tile<tile>(sums + j - 32 + sum_at(tile, d), d * 4);
      load_tile<tile>(sums + j + sum_at(tile, d), d * 4);
    };
    multiply_step(weights, kTileRows * kStepTokens, step.values(0, j), change, nothing);
    for (std::size_t t = 32; t < step.tokens; t += 32)
      multiply_step(weights + t * kTileRows, kTileRows * kStepTokens, step.values(t, j), NoChange(), nothing);
  }
  store_sums(sums + d - 32, d);
}

void finish_block(const TileBlock& block) {
  const std::size_t d = block.job.head_dim;
  for (std::size_t row = 0; row < block.rows; ++row) {
    const F factor = splat(1.0f / sum_of(block.memory.rows[row].total));
    float* out = block.job.out + (block.first_row + row) * d;
    for (std::size_t i = 0; i < d; i += kLanes) store(out + i, load(block.memory.sums + row * d + i) * factor);
  }
}

void prefill_block_tiles(const TileBlock& block) {
  begin_block(block);
  const std::size_t end = block.memory.rows[block.rows - 1].visible;
  for (std::size_t first = 0; first < end; first += kStepTokens) {
    for (std::size_t unit = 0; unit < block.units; ++unit) {
      const TileStep step = step_of(block, unit, first);
      if (step.tokens == 0) continue;
      unit_scores(block, unit, step);
      unit_values(block, unit, step);
    }
  }
  finish_block(block);
}

void prefill_tiles(const PrefillJob& job) {
  static thread_local BlockMemory memory;
  const std::size_t most = block_rows(job.head_dim);
  begin_tiles(kTileRows);
  for (std::size_t row = 0; row < job.rows; row += most) {
    const std::size_t rows = job.rows - row < most ? job.rows - row : most;
    prefill_block_tiles({job, memory, row, rows, (rows + kUnitRows - 1) / kUnitRows});
  }
  end_tiles();
}

}  // namespace
