// AVX-512 VNNI with tile registers (AMX): products of matrices of bf16.
#pragma once

#include "simd_avx512.hpp"
#include "unroll.hpp"

namespace tq {
namespace {

// There are eight tile registers of 16 rows of 64 bytes. Those below kLeft hold sums, 16 floats a row; kLeft and the
// next one the left sides of products, 32 numbers a row; kRight and the next one the right sides, pairs of numbers for
// 16 columns:
//   sum[row][column] += sum over k and i of left[row][2 k + i] * right[k][column][i]
// Written as assembler, because intrinsics want the numbers of registers as literals, which templates do not have.
struct Avx512Amx : Avx512Vnni {
  static constexpr int kTileRows = 16, kTileBytes = 1024, kLeft = 4, kRight = 6;

  // From here to release_tiles the thread has tile registers.
  static void configure_tiles() noexcept {
    struct {
      std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
      std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } config;
    asm volatile("ldtilecfg %0" ::"m"(config));
  }
  static void release_tiles() noexcept { asm volatile("tilerelease"); }

  // Rows `stride` bytes apart.
  template <int Tile>
  TQ_INLINE static void load_tile(const void* p, std::size_t stride) noexcept {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(p), "r"(stride), "n"(Tile) : "memory");
  }
  template <int Tile>
  TQ_INLINE static void store_tile(void* p, std::size_t stride) noexcept {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(p), "r"(stride), "n"(Tile) : "memory");
  }
  // Loads zeros: where it was measured a product waits fifty cycles for the instruction that clears a tile.
  template <int Tile>
  TQ_INLINE static void clear_tile() noexcept {
    alignas(64) static constexpr std::uint8_t zeros[64] = {};
    load_tile<Tile>(zeros, 0);
  }
  template <int Sum, int Left, int Right>
  TQ_INLINE static void multiply_tiles() noexcept {
    asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"n"(Sum), "n"(Left), "n"(Right));
  }

  // To bf16: the numbers of `low`, then those of `high`; or in turns.
  static I join_bf16(F low, F high) noexcept { return reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(high, low)); }
  static I pair_bf16(F even, F odd) noexcept {
    const I half(0x8000);  // halves away from zero
    const __m512i low = _mm512_srli_epi32(bits(even) + half, 16);
    return _mm512_mask_blend_epi16(0xAAAAAAAAu, low, bits(odd) + half);
  }
  static F beyond_floor(F v) noexcept { return _mm512_reduce_ps(v, _MM_FROUND_TO_NEG_INF); }
  // Of 16 floats, those that nibble `Nibble` of each lane tells.
  template <int Nibble>
  static F pick(F floats, I nibbles) noexcept {
    return _mm512_permutexvar_ps(Nibble == 0 ? nibbles : I(_mm512_srli_epi32(nibbles, 4 * Nibble)), floats);
  }
};

}  // namespace
}  // namespace tq
