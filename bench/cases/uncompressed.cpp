#include "cases/uncompressed.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <tuple>

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

// The fastest of the candidates. They take turns, because the machine may be slower for a while.
Tiling fastest(const std::vector<Tiling>& candidates, int turns, const std::function<void(const Tiling&)>& run) {
  std::vector<double> best(candidates.size(), 0);
  for (int turn = 0; turn < turns; ++turn) {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const double start = thread_cpu_ns();
      run(candidates[i]);
      const double ns = thread_cpu_ns() - start;
      if (turn == 0 || ns < best[i]) best[i] = ns;
    }
  }
  return candidates[static_cast<std::size_t>(std::min_element(best.begin(), best.end()) - best.begin())];
}

constexpr int kTurns = 5;

// Register tiles that `rows` rows can fill, the same one for scores and values.
std::vector<Tiling> candidates_for(const PanelList& panels, std::size_t rows, bool prefetch) {
  std::vector<Tiling> candidates;
  for (const Panel& panel : panels) {
    if (static_cast<std::size_t>(panel.rows) <= rows) candidates.push_back({panel, panel, prefetch});
  }
  return candidates;
}

// Chooses for scores first, then for values.
Tiling fastest_panels(const PanelList& panels, std::size_t rows, bool prefetch,
                      const std::function<void(const Tiling&)>& run) {
  std::vector<Tiling> candidates = candidates_for(panels, rows, prefetch);
  const Panel scores = fastest(candidates, kTurns, run).scores;
  for (Tiling& candidate : candidates) candidate.scores = scores;
  return fastest(candidates, kTurns, run);
}

// Calls task(head) for every head; every thread of the team takes a stretch of them.
void over_heads(std::size_t heads, Team* team, const std::function<void(std::size_t)>& task) {
  const std::size_t parts = team == nullptr ? 1 : team->size();
  const auto part = [&](std::size_t i) {
    for (std::size_t h = i * heads / parts; h < (i + 1) * heads / parts; ++h) task(h);
  };
  if (team == nullptr) return part(0);
  team->run([&](unsigned i) { part(i); });
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

double multiply_adds_of(const Tiles& tiles, std::size_t rows, double products) {
  if (tiles.type() != Type::kBf16) return products;
  // vdpbf16ps does the work of two multiply-adds. tdpbf16ps takes as long as 512 of them, for up to 16 rows of the 512
  // numbers that a tile register holds.
  const std::string name = baselines().attention.name;
  const double pairs = products / 2, tiled = products / static_cast<double>(std::min(rows, std::size_t{16}));
  if (name == "avx512_amx") return std::min(pairs, tiled);
  return name == "avx512_bf16" ? pairs : products;
}

Work work_of(const UncompressedCall& call) {
  const Tiles& tiles = *call.tiles;
  Work work;
  work.data = tiles.head(0);
  work.bytes = tiles.bytes();
  const std::size_t products = 2 * tiles.heads() * call.rows * tiles.tokens() * tiles.head_dim();
  work.fmas = multiply_adds_of(tiles, call.rows, static_cast<double>(products));
  return work;
}

void run_decode(const UncompressedCall& call, const Tiling& tiling, Team* team) {
  const Tiles& tiles = *call.tiles;
  const std::size_t step = call.rows * tiles.head_dim(), tokens = std::min(tiles.tokens(), call.tokens);
  over_heads(tiles.heads(), team, [&](std::size_t h) {
    const DecodeJob job{call.queries + h * step, call.rows, tiles.head_dim(),
                        tiles.head(h),           tokens,    call.out + h * step};
    baselines().attention.decode(tiles.type(), tiling, job);
  });
}

Tiling tune_decode(const UncompressedCall& call) {
  using Shape = std::tuple<Type, std::size_t, std::size_t>;
  static std::map<Shape, Tiling> known;
  const Shape shape{call.tiles->type(), call.tiles->head_dim(), call.rows};
  if (!known.contains(shape)) {
    UncompressedCall part = call;
    part.tokens = 2048;
    known[shape] = fastest_panels(baselines().attention.panels(call.tiles->type()), call.rows, true,
                                  [&](const Tiling& t) { run_decode(part, t, nullptr); });
  }
  Tiling with = known[shape], without = with;
  without.prefetch = false;
  return fastest({with, without}, 4, [&](const Tiling& t) { run_decode(call, t, nullptr); });
}

std::string describe(const Panel& panel) {
  return panel.tiles ? "AMX" : std::to_string(panel.rows) + "x" + std::to_string(panel.columns);
}

std::string describe(const Tiling& tiling) {
  return "register tiles " + describe(tiling.scores) + " / " + describe(tiling.values) +
         (tiling.prefetch ? ", next tile prefetched" : "");
}

Panel fastest_panel(Type type, std::size_t rows, const std::function<void(const Panel&)>& run) {
  const std::vector<Tiling> candidates = candidates_for(baselines().attention.panels(type), rows, true);
  return fastest(candidates, kTurns, [&](const Tiling& tiling) { run(tiling.scores); }).scores;
}

void run_prefill(const UncompressedCall& call, const PrefillShape& shape, const Tiling& tiling, Team* team) {
  const Tiles& tiles = *call.tiles;
  const std::size_t step = call.rows * tiles.head_dim(), first_visible = tiles.tokens() - shape.new_tokens + 1;
  over_heads(tiles.heads(), team, [&](std::size_t h) {
    const PrefillJob job{call.queries + h * step, call.rows,     shape.group,        tiles.head_dim(),
                         tiles.head(h),           first_visible, call.out + h * step};
    baselines().attention.prefill(tiles.type(), tiling, job);
  });
}

Tiling tune_prefill(const UncompressedCall& call, const PrefillShape& shape) {
  // One block of rows is enough to tell.
  const Tiles& tiles = *call.tiles;
  const PrefillJob job{call.queries,  std::min(call.rows, kPrefillRows),     shape.group, tiles.head_dim(),
                       tiles.head(0), tiles.tokens() - shape.new_tokens + 1, call.out};
  return fastest_panels(baselines().attention.prefill_panels(tiles.type()), job.rows, false,
                        [&](const Tiling& tiling) { baselines().attention.prefill(tiles.type(), tiling, job); });
}

}  // namespace bench
