// Tile registers (AMX) by name. A tile holds up to 16 rows of 64 bytes. Tiles 0 to 3 are sums (f32), 4 and 5 rows of
// bf16 (the left factor), 6 and 7 parts of a bf16 panel: 16 pairs of its rows, 16 columns (the right factor).
//
// The configuration belongs to the thread: begin_tiles(rows) before the first use, end_tiles() after the last.
// Inline assembly, because the intrinsics of GCC 12 do not say that they read and write memory.
#pragma once

#include <cstddef>
#include <cstdint>

namespace {

constexpr std::size_t kTileRows = 16, kTileBytes = 64, kPanelStride = 256;

struct TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64);

// Sums and left factors get `rows` rows, 1 to 16.
inline void begin_tiles(std::size_t rows) {
  TileConfig config;
  for (int i = 0; i < 8; ++i) config.rows[i] = i < 6 ? static_cast<std::uint8_t>(rows) : 16;
  asm volatile("ldtilecfg %0" : : "m"(config));
}

inline void end_tiles() { asm volatile("tilerelease"); }

template <int Tile>
inline void load_tile(const void* from, std::size_t stride) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(from), "r"(stride), "i"(Tile) : "memory");
}

template <int Tile>
inline void store_tile(void* to, std::size_t stride) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(to), "r"(stride), "i"(Tile) : "memory");
}

template <int Tile>
inline void zero_tile() {
  asm volatile("tilezero %%tmm%c0" : : "i"(Tile));
}

// sum += left * right, 32 products to every element of the sum.
template <int Sum, int Left, int Right>
inline void multiply_tiles() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(Sum), "i"(Left), "i"(Right));
}

// 32 floats become one row of a left factor.
inline void store_left(void* to, F low, F high) {
  const __m512bh pairs = _mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
  std::memcpy(to, &pairs, sizeof pairs);
}

}  // namespace
