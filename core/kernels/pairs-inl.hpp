// Codes to columns of pairs: the first half of decoding, in integers of 16 bits and one token per lane, so that stages of
// the transform need no shuffle. A column holds two coordinates, because the stage of stride 1 adds two neighbouring bytes
// in one instruction. The stage of stride 2 adds the two of a pair and is left to the second half (decode-inl.hpp).
//
// Sums of the half of a group that are made here, of 32 bytes, fit 16 bits whether bytes have a bias or not.
#pragma once

#include "fwht-inl.hpp"
#include "pack-inl.hpp"

namespace tq {
namespace {

// Transforms of 16-bit integers: S with lanes of half the width.
template <class S>
struct Integers16 {
  using F = xsimd::batch<std::int16_t, typename S::Arch>;
  static constexpr int kLanes = 2 * S::kLanes;
  static constexpr int kRegisters = S::kRegisters;
};

// The column of coordinates j and j + 2, for j a multiple of four, and the next one, at j + 2, of j + 1 and j + 3: in dword
// t those of token t.
template <class S>
TQ_INLINE inline std::int16_t* pair_column(std::int16_t* pairs, std::size_t j) noexcept {
  return pairs + j * S::kLanes;
}

// What four neighbouring codes are multiplied by in the stages of strides 1 and 2, if a transform is so long.
template <class S>
struct PairSigns {
  typename S::I first, second;    // bytes: to the pairs of coordinates 0 and 2, and of 1 and 3
  typename S::I sum, difference;  // 16 bits: a pair to its coordinates
  explicit PairSigns(std::size_t size) noexcept
      : first(splat<S>(size > 1 ? 0x01010101 : 0x00010001)),
        second(splat<S>(static_cast<std::int32_t>(size > 1 ? 0xFF01FF01u : 0x01000100u))),
        sum(splat<S>(size > 2 ? 0x00010001 : 0x00000001)),
        difference(splat<S>(static_cast<std::int32_t>(size > 2 ? 0xFFFF0001u : 0x00010000u))) {}
};

// Calls put(j, codes) for all codes of kLanes tokens from `token` on: bytes of coordinates j .. j + 3, with their bias.
template <class S, Format Code, CodeLayout Layout, class Put>
TQ_INLINE inline void for_granules(const CodeShape& shape, const CodedTile& tile, std::size_t token,
                                   const Put& put) noexcept {
  static constexpr Table16 centroids = signed_centroids(S::kNibbleBias);
  const typename S::I table = S::table(centroids);
  const auto split = [&](std::size_t low, std::size_t high, typename S::I v) TQ_INLINE {
    if constexpr (Code == Format::kTq4) {
      put(low, S::lookup_low(table, v));
      put(high, S::lookup_high(table, v));
    } else {
      put(low, S::byte_codes(v));
    }
  };
  if constexpr (Layout == CodeLayout::kKeys) {
    constexpr std::size_t width = Code == Format::kTq4 ? 8 : 4;
    const std::uint8_t* in = tile.codes + token * 4;
    for (std::size_t j = 0; j < shape.dim; j += width, in += 4 * kBlockTokens) split(j, j + 4, load_lanes<S>(in));
  } else {
    for_value_chunks<Code>(shape.dim, [&](ValueChunk chunk) TQ_INLINE {
      const std::size_t quad_bytes = chunk.lanes * 4;
      const std::uint8_t* in = tile.codes + chunk.offset + token / 4 * quad_bytes;
      for (std::size_t i = 0; i < chunk.lanes; i += 4, in += 16)
        split(chunk.first + i, chunk.first + chunk.lanes + i, S::transpose_bytes(S::load_quads(in, quad_bytes)));
    });
  }
}

// Takes the bias of codes off again: sums over a run of the transform have it in the first coordinate only.
template <class S>
void remove_bias(std::size_t dim, std::size_t size, std::int16_t bias, std::int16_t* pairs) noexcept {
  using F = typename Integers16<S>::F;
  const std::size_t step = size == 1 ? 2 : size < 4 ? 4 : size;  // coordinates between columns that have it
  const F in_pair(static_cast<std::int16_t>(size == 1 ? bias : bias * static_cast<std::int16_t>(step / 2)));
  for (std::size_t j = 0; j < round_up(dim, 4); j += step) {
    std::int16_t* column = pair_column<S>(pairs, j);
    (F::load_unaligned(column) - in_pair).store_unaligned(column);
  }
}

// Pairs of all codes after the stages below `size`, the part of a run that one scale belongs to, except that of stride 2.
template <class S, Format Code, CodeLayout Layout>
void pair_columns(const CodeShape& shape, const CodedTile& tile, std::size_t token, std::size_t size,
                  std::int16_t* pairs) noexcept {
  const PairSigns<S> signs(size);
  for_granules<S, Code, Layout>(shape, tile, token, [&](std::size_t j, typename S::I codes) TQ_INLINE {
    std::int16_t* column = pair_column<S>(pairs, j);
    S::add_pairs(codes, signs.first).store_unaligned(reinterpret_cast<std::int32_t*>(column));
    S::add_pairs(codes, signs.second).store_unaligned(reinterpret_cast<std::int32_t*>(pair_column<S>(column, 2)));
  });
  with_size(size, [&](auto n) {
    constexpr int step = 4 * S::kLanes, run = decltype(n)::value * S::kLanes;
    if constexpr (run > step && decltype(n)::value <= 64)
      for (std::size_t at = 0; at < shape.dim * S::kLanes; at += run)
        fwht_rest<Integers16<S>, run, step>(pairs, at, Unscaled{});
  });
  constexpr int bias = Code == Format::kTq4 ? S::kNibbleBias : S::kByteBias;
  if constexpr (bias != 0) remove_bias<S>(shape.dim, size, bias, pairs);
}

template <class S>
void pair_columns(const CodeShape& shape, const CodedTile& tile, std::size_t token, std::size_t size,
                  std::int16_t* pairs) noexcept {
  constexpr CodeLayout keys = CodeLayout::kKeys, values = CodeLayout::kValues;
  if (shape.format == Format::kTq4) {
    if (tile.layout == keys) return pair_columns<S, Format::kTq4, keys>(shape, tile, token, size, pairs);
    return pair_columns<S, Format::kTq4, values>(shape, tile, token, size, pairs);
  }
  if (tile.layout == keys) return pair_columns<S, Format::kTq8, keys>(shape, tile, token, size, pairs);
  pair_columns<S, Format::kTq8, values>(shape, tile, token, size, pairs);
}

}  // namespace
}  // namespace tq
