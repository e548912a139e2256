#include "cases/uncompressed.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>

#include "harness/clock.hpp"

namespace bench {

namespace {

std::size_t tiles_of(std::size_t tokens) { return (tokens + kTileTokens - 1) / kTileTokens; }

// Puts `value` into row i, column c of a panel.
void put(char* panel, Type type, std::size_t i, std::size_t c, float value) {
  if (type == Type::kF32) {
    reinterpret_cast<float*>(panel)[i * kTileTokens + c] = value;
  } else if (type == Type::kF16) {
    reinterpret_cast<std::uint16_t*>(panel)[i * kTileTokens + c] = f16_of(value);
  } else {
    reinterpret_cast<std::uint16_t*>(panel)[(i / 2 * kTileTokens + c) * 2 + i % 2] = bf16_of(value);
  }
}

void fill_tile(const Pool& pool, Type type, std::size_t head, std::size_t first, std::size_t end, bool with_values,
               char* tile) {
  const std::size_t d = pool.head_dim, panel_bytes = kTileTokens * kTileTokens * bytes_of(type);
  for (std::size_t t = first; t < end; ++t) {
    const std::size_t row = (t % Pool::kTokens * pool.heads + head % pool.heads) * d;
    for (std::size_t i = 0; i < d; ++i) put(tile, type, i, t - first, pool.keys[row + i]);
    if (!with_values) continue;
    char* values = tile + d * kTileTokens * bytes_of(type);
    for (std::size_t i = 0; i < d; ++i)
      put(values + i / kTileTokens * panel_bytes, type, t - first, i % kTileTokens, pool.values[row + i]);
  }
}

// Of all panels of the type whose rows divide `rows`, the one for which `time` is least.
Panel fastest(Type type, std::size_t rows, const std::function<double(const Panel&)>& time) {
  Panel best{};
  double best_ns = 0;
  for (const Panel& panel : baselines().attention.panels(type)) {
    if (rows % static_cast<std::size_t>(panel.rows) != 0) continue;
    const double ns = time(panel);
    if (best.run == nullptr || ns < best_ns) best = panel, best_ns = ns;
  }
  return best;
}

// Scores first, with the same tile for values as far as it goes; then values.
Tiling tune(Type type, std::size_t rows, int tries, const std::function<void(const Tiling&)>& run) {
  const auto time = [&](const Tiling& tiling) {
    double best = 0;
    for (int i = 0; i < tries; ++i) {
      const double start = thread_cpu_ns();
      run(tiling);
      const double ns = thread_cpu_ns() - start;
      if (i == 0 || ns < best) best = ns;
    }
    return best;
  };
  Tiling tiling{};
  tiling.scores = fastest(type, rows, [&](const Panel& panel) { return time({panel, panel}); });
  tiling.values = fastest(type, rows, [&](const Panel& panel) { return time({tiling.scores, panel}); });
  return tiling;
}

}  // namespace

Tiles::Tiles(const Pool& pool, Type type, std::size_t heads, std::size_t tokens, bool with_values)
    : type_(type),
      heads_(heads),
      tokens_(tokens),
      head_dim_(pool.head_dim),
      tile_bytes_((with_values ? 2 : 1) * pool.head_dim * kTileTokens * bytes_of(type)),
      tiles_per_head_(tiles_of(tokens)),
      memory_(heads * tiles_per_head_ * tile_bytes_) {
  // Complete tiles repeat with the pool, so most of them are copies.
  constexpr std::size_t kDistinct = Pool::kTokens / kTileTokens;
  for (std::size_t h = 0; h < heads; ++h) {
    for (std::size_t i = 0; i < tiles_per_head_; ++i) {
      char* tile = memory_.as<char>() + (h * tiles_per_head_ + i) * tile_bytes_;
      const std::size_t first = i * kTileTokens, end = std::min(tokens, first + kTileTokens);
      const bool complete = end == first + kTileTokens;
      if (complete && i >= kDistinct) {
        std::memcpy(tile, tile - kDistinct * tile_bytes_, tile_bytes_);
      } else if (complete && h >= pool.heads) {
        std::memcpy(tile, tile - pool.heads * tiles_per_head_ * tile_bytes_, tile_bytes_);
      } else {
        std::memset(tile, 0, tile_bytes_);
        fill_tile(pool, type, h, first, end, with_values, tile);
      }
    }
  }
}

Work work_of(const UncompressedCall& call) {
  const Tiles& tiles = *call.tiles;
  Work work;
  work.data = tiles.head(0);
  work.bytes = tiles.bytes();
  work.fmas = 2.0 * static_cast<double>(tiles.heads() * call.rows * tiles.tokens() * tiles.head_dim());
  // vdpbf16ps does the work of two multiply-adds.
  if (tiles.type() == Type::kBf16 && std::strcmp(baselines().attention.name, "avx512_bf16") == 0) work.fmas /= 2;
  return work;
}

void run_decode(const UncompressedCall& call, const Tiling& tiling, Team* team) {
  const Tiles& tiles = *call.tiles;
  const std::size_t step = call.rows * tiles.head_dim();
  const auto part = [&](unsigned index, unsigned of) {
    for (std::size_t h = index * tiles.heads() / of; h < (index + 1) * tiles.heads() / of; ++h) {
      baselines().attention.decode(
          tiles.type(), tiling,
          {call.queries + h * step, call.rows, tiles.head_dim(), tiles.head(h), tiles.tokens(), call.out + h * step});
    }
  };
  if (team == nullptr) return part(0, 1);
  team->run([&](unsigned i) { part(i, team->size()); });
}

Tiling tune_decode(const UncompressedCall& call) {
  const int tries = call.tiles->bytes() > (std::size_t{64} << 20) ? 2 : 4;
  return tune(call.tiles->type(), call.rows, tries, [&](const Tiling& t) { run_decode(call, t, nullptr); });
}

std::string describe(const Tiling& tiling) {
  const auto text = [](const Panel& p) { return std::to_string(p.rows) + "x" + std::to_string(p.columns); };
  return "register tiles " + text(tiling.scores) + " / " + text(tiling.values);
}

void run_prefill(const UncompressedCall& call, const PrefillShape& shape, const Tiling& tiling) {
  const Tiles& tiles = *call.tiles;
  const std::size_t step = call.rows * tiles.head_dim();
  for (std::size_t h = 0; h < tiles.heads(); ++h) {
    baselines().attention.prefill(tiles.type(), tiling,
                                  {call.queries + h * step, call.rows, shape.group, tiles.head_dim(), tiles.head(h),
                                   tiles.tokens() - shape.new_tokens + 1, call.out + h * step});
  }
}

Tiling tune_prefill(const UncompressedCall& call, const PrefillShape& shape) {
  // The tiles are widened to f32 first, so the panels are those of f32; 96 rows are enough to tell.
  const Tiles& tiles = *call.tiles;
  const std::size_t rows = std::min(call.rows, kPrefillRows);
  return tune(Type::kF32, std::gcd(call.rows, kPrefillRows), 3, [&](const Tiling& tiling) {
    baselines().attention.prefill(tiles.type(), tiling,
                                  {call.queries, rows, shape.group, tiles.head_dim(), tiles.head(0),
                                   tiles.tokens() - shape.new_tokens + 1, call.out});
  });
}

}  // namespace bench
