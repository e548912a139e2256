// Attention on fp32, fp16 and bf16 caches with the best register tiles this machine has for the shape.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "baselines/table.hpp"
#include "cases/data.hpp"
#include "harness/case.hpp"
#include "harness/team.hpp"

namespace bench {

// Tiles (baselines/table.hpp) of `heads` heads with `tokens` tokens each, head after head.
class Tiles {
 public:
  // Head h of the tiles holds head h % pool.heads of the pool. Without values a tile is just its K panel.
  Tiles(const Pool& pool, Type type, std::size_t heads, std::size_t tokens, bool with_values = true);

  Type type() const { return type_; }
  std::size_t heads() const { return heads_; }
  std::size_t tokens() const { return tokens_; }
  std::size_t head_dim() const { return head_dim_; }
  std::size_t bytes() const { return memory_.bytes(); }
  std::size_t tile_bytes() const { return tile_bytes_; }
  const char* head(std::size_t h) const { return memory_.as<char>() + h * tiles_per_head_ * tile_bytes_; }

 private:
  Type type_;
  std::size_t heads_, tokens_, head_dim_, tile_bytes_, tiles_per_head_;
  Memory memory_;
};

// queries and out: [kv head][row][head_dim]; queries already times softmax scale * log2(e).
struct UncompressedCall {
  const Tiles* tiles;
  const float* queries;
  std::size_t rows;  // per kv head
  float* out;
  std::size_t tokens = static_cast<std::size_t>(-1);  // at most so many of the tiles' tokens
};

Work work_of(const UncompressedCall& call);
void run_decode(const UncompressedCall& call, const Tiling& tiling, Team* team);

// Tries every register tile that the rows can fill, for scores and for values, on the first 2048 tokens, then
// prefetching on the whole, and keeps the fastest.
Tiling tune_decode(const UncompressedCall& call);
std::string describe(const Tiling& tiling);

// The same for a single panel kernel.
Panel fastest_panel(Type type, std::size_t rows, const std::function<void(const Panel&)>& run);
std::string describe(const Panel& panel);
// What the products of `rows` rows with all of the tiles cost at least, in f32 multiply-adds.
double multiply_adds_of(const Tiles& tiles, std::size_t rows, double products);

// `new_tokens` causal queries per query head of a group behind tokens - new_tokens cached tokens; rows = new token
// major.
struct PrefillShape {
  std::size_t new_tokens, group;
};
void run_prefill(const UncompressedCall& call, const PrefillShape& shape, const Tiling& tiling, Team* team);
Tiling tune_prefill(const UncompressedCall& call, const PrefillShape& shape);

}  // namespace bench
