// Attention on an uncompressed cache, tile by tile with an online softmax (base 2). Decode reads 16-bit panels
// directly; prefill widens a tile once and reuses it for a block of rows, unless there are tile registers for bf16.
#pragma once

#include "panel-inl.hpp"
#if defined(TQ_BENCH_TILES)
#include "panel_tiles-inl.hpp"
#include "prefill_tiles-inl.hpp"
#else
namespace {
inline void begin_tiles(std::size_t) {}
inline void end_tiles() {}
}  // namespace
#endif

namespace {

using bench::DecodeJob;
using bench::kTileTokens;
using bench::Panel;
using bench::PrefillJob;
using bench::Tiling;
using bench::Type;

constexpr float kMinusInfinity = -__builtin_inff();

// The softmax of one row so far: the weights in `sum` and `out` are relative to 2^maximum.
struct Running {
  float maximum = kMinusInfinity;
  float sum = 0;
};

// Turns 64 logits into weights; scales what has been summed up when the maximum moves.
void weigh(float* s, Running& state, float* out, std::size_t head_dim) {
  F top = load(s);
  for (std::size_t i = kLanes; i < kTileTokens; i += kLanes) top = max(top, load(s + i));
  const float best = max_of(top);
  if (best > state.maximum) {
    const float factor = exp2_of(splat(state.maximum - best))[0];
    for (std::size_t i = 0; i < head_dim; i += kLanes) store(out + i, load(out + i) * splat(factor));
    state.sum *= factor;
    state.maximum = best;
  }
  F total = splat(0);
  for (std::size_t i = 0; i < kTileTokens; i += kLanes) {
    const F weight = exp2_of(load(s + i) - splat(state.maximum));
    store(s + i, weight);
    total += weight;
  }
  state.sum += sum_of(total);
}

void hide(float* s, std::size_t visible) {
  for (std::size_t t = visible; t < kTileTokens; ++t) s[t] = kMinusInfinity;
}

void normalise(float* out, std::size_t head_dim, float sum) {
  for (std::size_t i = 0; i < head_dim; i += kLanes) store(out + i, load(out + i) * splat(1.0f / sum));
}

const char* bytes_at(const void* data, std::size_t elements, Type type) {
  return static_cast<const char*>(data) + elements * bench::bytes_of(type);
}

void decode(Type type, const Tiling& tiling, const DecodeJob& job) {
  const std::size_t d = job.head_dim;
  alignas(64) float s[bench::kMaxDecodeRows * kTileTokens];
  Running state[bench::kMaxDecodeRows];
  std::memset(job.out, 0, job.rows * d * sizeof(float));
  const bool tiles = tiling.scores.tiles || tiling.values.tiles;
  if (tiles) begin_tiles(job.rows);
  const std::size_t ahead = tiling.prefetch ? 2 * d * kTileTokens * bench::bytes_of(type) : 0;
  for (std::size_t first = 0; first < job.tokens; first += kTileTokens) {
    const char* keys = bytes_at(job.tiles, first * 2 * d, type);
    tiling.scores.run(job.queries, d, job.rows, keys, d, s, kTileTokens, false, ahead);
    for (std::size_t r = 0; r < job.rows; ++r) {
      if (job.tokens - first < kTileTokens) hide(s + r * kTileTokens, job.tokens - first);
      weigh(s + r * kTileTokens, state[r], job.out + r * d, d);
    }
    for (std::size_t j = 0; j < d; j += kColumns) {
      const char* values = bytes_at(keys, (d + j) * kTileTokens, type);
      tiling.values.run(s, kTileTokens, job.rows, values, kTileTokens, job.out + j, d, true, ahead);
    }
  }
  if (tiles) end_tiles();
  for (std::size_t r = 0; r < job.rows; ++r) normalise(job.out + r * d, d, state[r].sum);
}

template <class Stored>
void widen(const void* panel, std::size_t rows, float* out) {
  for (std::size_t i = 0; i < rows; i += Stored::kStep) {
    for (std::size_t column = 0; column < kColumns; column += kLanes) {
      F row[Stored::kStep][1];
      Stored::template load_rows<1>(panel, i, column, row);
      for (int s = 0; s < Stored::kStep; ++s) store(out + (i + s) * kColumns + column, row[s][0]);
    }
  }
}

// A tile of floats: the tile itself or a widened copy in `scratch`.
const float* float_tile(Type type, const void* tile, std::size_t head_dim, float* scratch) {
  if (type == Type::kF32) return static_cast<const float*>(tile);
  if (type == Type::kF16) {
    widen<StoredF16>(tile, 2 * head_dim, scratch);
  } else {
    widen<StoredBf16>(tile, 2 * head_dim, scratch);
  }
  return scratch;
}

void prefill_block(Type type, const Tiling& tiling, const PrefillJob& job, std::size_t first_row, std::size_t rows) {
  const std::size_t d = job.head_dim;
  alignas(64) static thread_local float scratch[2 * bench::kMaxHeadDim * kTileTokens];
  alignas(64) static thread_local float s[bench::kPrefillRows * kTileTokens];
  Running state[bench::kPrefillRows];
  const float* queries = job.queries + first_row * d;
  float* out = job.out + first_row * d;
  std::memset(out, 0, rows * d * sizeof(float));
  const std::size_t end = job.first_visible + (first_row + rows - 1) / job.group;
  for (std::size_t first = 0; first < end; first += kTileTokens) {
    const float* keys = float_tile(type, bytes_at(job.tiles, first * 2 * d, type), d, scratch);
    tiling.scores.run(queries, d, rows, keys, d, s, kTileTokens, false, 0);
    for (std::size_t r = 0; r < rows; ++r) {
      const std::size_t visible = job.first_visible + (first_row + r) / job.group;
      if (visible < first + kTileTokens) hide(s + r * kTileTokens, visible > first ? visible - first : 0);
      weigh(s + r * kTileTokens, state[r], out + r * d, d);
    }
    for (std::size_t j = 0; j < d; j += kColumns) {
      tiling.values.run(s, kTileTokens, rows, keys + (d + j) * kTileTokens, kTileTokens, out + j, d, true, 0);
    }
  }
  for (std::size_t r = 0; r < rows; ++r) normalise(out + r * d, d, state[r].sum);
}

void prefill(Type type, const Tiling& tiling, const PrefillJob& job) {
#if defined(TQ_BENCH_TILES)
  if (tiling.scores.tiles) return prefill_tiles(job);
#endif
  for (std::size_t row = 0; row < job.rows; row += bench::kPrefillRows) {
    const std::size_t left = job.rows - row;
    prefill_block(type, tiling, job, row, left < bench::kPrefillRows ? left : bench::kPrefillRows);
  }
}

// Register tiles worth trying: with 16 registers (32 for AVX-512), rows * columns sums, the columns and one factor.
template <class Stored>
constexpr Panel kPanels[] = {
#if defined(__AVX512F__)
    {1, 4, panel<Stored, 1, 4>}, {1, 2, panel<Stored, 1, 2>}, {2, 4, panel<Stored, 2, 4>},
    {4, 4, panel<Stored, 4, 4>}, {4, 2, panel<Stored, 4, 2>}, {6, 4, panel<Stored, 6, 4>},
    {8, 2, panel<Stored, 8, 2>}, {8, 1, panel<Stored, 8, 1>}, {12, 2, panel<Stored, 12, 2>},
#elif defined(__AVX2__)
    {1, 8, panel<Stored, 1, 8>}, {1, 4, panel<Stored, 1, 4>}, {2, 4, panel<Stored, 2, 4>},
    {2, 2, panel<Stored, 2, 2>}, {3, 4, panel<Stored, 3, 4>}, {4, 2, panel<Stored, 4, 2>},
    {4, 1, panel<Stored, 4, 1>}, {6, 2, panel<Stored, 6, 2>}, {8, 1, panel<Stored, 8, 1>},
#else
    {1, 8, panel<Stored, 1, 8>}, {1, 4, panel<Stored, 1, 4>}, {2, 4, panel<Stored, 2, 4>}, {4, 4, panel<Stored, 4, 4>},
    {4, 2, panel<Stored, 4, 2>}, {6, 2, panel<Stored, 6, 2>}, {8, 2, panel<Stored, 8, 2>}, {8, 1, panel<Stored, 8, 1>},
#endif
};

#if defined(__AVX512BF16__)
template <>
constexpr Panel kPanels<StoredBf16>[] = {{1, 4, panel_bf16_dot<1, 4>}, {2, 4, panel_bf16_dot<2, 4>},
                                         {4, 4, panel_bf16_dot<4, 4>}, {4, 2, panel_bf16_dot<4, 2>},
                                         {8, 2, panel_bf16_dot<8, 2>},
#if defined(TQ_BENCH_TILES)
                                         {1, 4, panel_tiles, true}
#endif
};
#endif

template <class Stored>
bench::PanelList list_of() {
  return {kPanels<Stored>, sizeof(kPanels<Stored>) / sizeof(Panel)};
}

bench::PanelList panels(Type type) {
  if (type == Type::kF32) return list_of<StoredF32>();
  return type == Type::kF16 ? list_of<StoredF16>() : list_of<StoredBf16>();
}

bench::PanelList prefill_panels([[maybe_unused]] Type type) {
#if defined(TQ_BENCH_TILES)
  static constexpr Panel kTilesOnly[] = {{1, 4, panel_tiles, true}};
  if (type == Type::kBf16) return {kTilesOnly, 1};
#endif
  return list_of<StoredF32>();
}

}  // namespace
