// Matrices in tile registers: coded blocks as right sides of products, and the products.
#pragma once

#include "values-inl.hpp"

namespace tq {
namespace {

template <class S>
concept HasTiles = requires {
  S::kTileRows;
};

// Memory for tiles grows with head_dim; whole tiles of coordinates only.
inline constexpr std::size_t kMaxTiledDim = 256;
inline bool tiles_fit(const CodeShape& shape) noexcept {
  return shape.format == Format::kTq4 && shape.dim % 32 == 0 && shape.dim <= kMaxTiledDim;
}

// A block of one side is dim / 8 tiles of 1 KiB: of 16 tokens and 32 coordinates, [tokens / 16][coordinates / 32], for
// keys; of 16 coordinates and 32 tokens, [coordinates / 16][tokens / 32], for values.
constexpr std::size_t tile_block_bytes(std::size_t dim) { return dim / 8 * 1024; }

struct SignedFloats {
  alignas(64) float level[16];
};
constexpr SignedFloats signed_levels() {
  SignedFloats levels{};
  for (int i = 0; i < 16; ++i)
    levels.level[i] = static_cast<float>((i & 8) != 0 ? -kCentroids[i & 7] : kCentroids[i & 7]);
  return levels;
}

// Two numbers of each lane, the codes of two nibbles times their scales.
template <class S, int Even, int Odd>
TQ_INLINE inline void store_pair(typename S::F levels, typename S::I codes, typename S::F even_scale,
                                 typename S::F odd_scale, std::uint8_t* to) noexcept {
  const typename S::F even = S::template pick<Even>(levels, codes) * even_scale;
  const typename S::F odd = S::template pick<Odd>(levels, codes) * odd_scale;
  store_lanes<S>(S::pair_bf16(even, odd), to);
}

// `scales`: [group][token], complete. Codes: cells of 8 coordinates, the first four in low nibbles.
template <class S>
void key_tiles(const CodeShape& shape, const std::uint8_t* codes, const float* scales, std::uint8_t* tiles) noexcept {
  static constexpr SignedFloats table = signed_levels();
  const typename S::F levels = S::F::load_aligned(table.level);
  const std::size_t column = shape.dim / 32 * S::kTileBytes;
  for (std::size_t cell = 0; cell < shape.dim / 8; ++cell, codes += 256) {
    const float* scale = scales + cell * 8 / shape.group * kBlockTokens;
    std::uint8_t* to = tiles + cell * 256;  // four rows of a tile
    for (std::size_t t = 0; t < kBlockTokens; t += S::kLanes, to += column) {
      const typename S::I packed = load_lanes<S>(codes + t * 4);
      const typename S::F s = S::F::load_aligned(scale + t);
      store_pair<S, 0, 2>(levels, packed, s, s, to);
      store_pair<S, 4, 6>(levels, packed, s, s, to + 64);
      store_pair<S, 1, 3>(levels, packed, s, s, to + 128);
      store_pair<S, 5, 7>(levels, packed, s, s, to + 192);
    }
  }
}

// Codes: chunks of 32 coordinates, of each the quads of four tokens, the first 16 coordinates in low nibbles.
template <class S>
void value_tiles(const CodeShape& shape, const std::uint8_t* codes, const float* scales, std::uint8_t* tiles) noexcept {
  static constexpr SignedFloats table = signed_levels();
  const typename S::F levels = S::F::load_aligned(table.level);
  constexpr std::size_t column = kBlockTokens / 32 * S::kTileBytes;
  for (std::size_t first = 0; first < shape.dim; first += 32, tiles += 2 * column) {
    const float* scale = scales + first / shape.group * kBlockTokens;
    for (std::size_t t = 0; t < kBlockTokens; t += 4, codes += 64) {
      const typename S::I packed = load_lanes<S>(codes);
      const typename S::F a(scale[t]), b(scale[t + 1]), c(scale[t + 2]), d(scale[t + 3]);
      std::uint8_t* to = tiles + t * 32;  // two rows
      store_pair<S, 0, 2>(levels, packed, a, b, to);
      store_pair<S, 4, 6>(levels, packed, c, d, to + 64);
      store_pair<S, 1, 3>(levels, packed, a, b, to + column);
      store_pair<S, 5, 7>(levels, packed, c, d, to + column + 64);
    }
  }
}

// A product of matrices, 16 or 32 rows times 32 columns at a time; left sides and right sides tile by tile.
struct TileProduct {
  std::size_t columns, depth;  // in 32 columns and in 32 products
  const std::uint8_t* left;    // [row / 16][depth]
  std::size_t left_rows;       // bytes from one to the next 16 rows
  float* sums;
  std::size_t stride;  // of its rows, in floats
};

// sums (+)= left * right. `right(column, depth)`: the first of two tiles `right_columns` bytes apart. Sums are stored
// when the next ones start, because products take a while.
template <class S, int RowTiles, bool Add, class Right>
TQ_INLINE inline void multiply(const TileProduct& product, std::size_t right_columns, const Right& right) noexcept {
  const std::size_t row_bytes = product.stride * sizeof(float);
  const auto place = [&](auto tile, std::size_t column) TQ_INLINE {
    return product.sums + column * 32 + tile / 2 * S::kTileRows * product.stride + tile % 2 * 16;
  };
  const auto step = [&](std::size_t column, std::size_t k, const auto& start) TQ_INLINE {
    const std::uint8_t* from = right(column, k);
    S::template load_tile<S::kRight>(from, 64);
    S::template load_tile<S::kRight + 1>(from + right_columns, 64);
    unroll<RowTiles>([&](auto i) TQ_INLINE {
      S::template load_tile<S::kLeft + i>(product.left + i * product.left_rows + k * S::kTileBytes, 64);
    });
    unroll<2 * RowTiles>([&](auto tile) TQ_INLINE {
      start(tile);
      S::template multiply_tiles<tile, S::kLeft + tile / 2, S::kRight + tile % 2>();
    });
  };
  for (std::size_t column = 0; column < product.columns; ++column) {
    step(column, 0, [&](auto tile) TQ_INLINE {
      if (column != 0) S::template store_tile<tile>(place(tile, column - 1), row_bytes);
      if constexpr (Add) {
        S::template load_tile<tile>(place(tile, column), row_bytes);
      } else {
        S::template clear_tile<tile>();
      }
    });
    for (std::size_t k = 1; k < product.depth; ++k) step(column, k, [](auto) TQ_INLINE {});
  }
  unroll<2 * RowTiles>([&](auto tile)
                           TQ_INLINE { S::template store_tile<tile>(place(tile, product.columns - 1), row_bytes); });
}

}  // namespace
}  // namespace tq
