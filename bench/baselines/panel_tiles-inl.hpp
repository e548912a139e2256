// Up to 16 rows times a bf16 panel of 64 columns, with tile registers: the same meaning as panel_bf16_dot.
#pragma once

#include "panel-inl.hpp"
#include "tiles-inl.hpp"

namespace {

// Left factors [step of 32 columns][row][32]: `count` rows of k floats.
inline void take_rows(const float* a, std::size_t lda, std::size_t count, std::size_t k, std::uint16_t* left) {
  for (std::size_t i = 0; i < k; i += 32) {
    for (std::size_t r = 0; r < count; ++r) {
      const float* from = a + r * lda + i;
      store_left(left + (i / 32 * kTileRows + r) * 32, load(from), load(from + kLanes));
    }
  }
}

template <int Right, int Sum>
inline void next_columns(const char* right, std::size_t ahead) {
  if (ahead != 0) {
    for (std::size_t i = 0; i < 16; ++i) __builtin_prefetch(right + i * kPanelStride + ahead, 0, 2);
  }
  load_tile<Right>(right, kPanelStride);
  multiply_tiles<Sum, 4, Right>();
}

// The tiles are configured for `count` rows.
void panel_tiles(const float* a, std::size_t lda, std::size_t count, const void* b, std::size_t k, float* c,
                 std::size_t ldc, bool add, std::size_t ahead) {
  alignas(64) std::uint16_t left[kTileRows * bench::kMaxHeadDim];
  take_rows(a, lda, count, k, left);
  if (add) {
    load_tile<0>(c, ldc * 4), load_tile<1>(c + 16, ldc * 4);
    load_tile<2>(c + 32, ldc * 4), load_tile<3>(c + 48, ldc * 4);
  } else {
    zero_tile<0>(), zero_tile<1>(), zero_tile<2>(), zero_tile<3>();
  }
  for (std::size_t i = 0; i < k; i += 32) {
    const char* right = static_cast<const char*>(b) + i / 2 * kPanelStride;
    load_tile<4>(left + i * kTileRows, kTileBytes);
    next_columns<6, 0>(right, ahead);
    next_columns<7, 1>(right + kTileBytes, ahead);
    next_columns<6, 2>(right + 2 * kTileBytes, ahead);
    next_columns<7, 3>(right + 3 * kTileBytes, ahead);
  }
  store_tile<0>(c, ldc * 4), store_tile<1>(c + 16, ldc * 4);
  store_tile<2>(c + 32, ldc * 4), store_tile<3>(c + 48, ldc * 4);
}

}  // namespace
