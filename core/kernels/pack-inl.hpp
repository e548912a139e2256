// Granules to the layouts of a block (docs/format.md section 5).
#pragma once

#include "encode-inl.hpp"

namespace tq {
namespace {

template <class S>
typename S::I load_lanes(const std::uint32_t* p) noexcept {
  return S::I::load_unaligned(reinterpret_cast<const std::int32_t*>(p));
}
template <class S>
typename S::I load_lanes(const std::uint8_t* p) noexcept {
  return S::I::load_unaligned(reinterpret_cast<const std::int32_t*>(p));
}
template <class S>
void store_lanes(typename S::I v, std::uint32_t* p) noexcept {
  v.store_unaligned(reinterpret_cast<std::int32_t*>(p));
}
template <class S>
void store_lanes(typename S::I v, std::uint8_t* p) noexcept {
  v.store_unaligned(reinterpret_cast<std::int32_t*>(p));
}

// Keys: [cell][token][4 bytes]; a cell is two granules as low and high nibbles (tq4) or one granule (tq8).
template <class S>
void pack_keys(const CodeShape& shape, const std::uint32_t* granules, std::size_t first, std::uint8_t* codes) noexcept {
  const bool tq4 = shape.format == Format::kTq4;
  const std::size_t cells = tq4 ? (shape.dim + 7) / 8 : (shape.dim + 3) / 4;
  for (std::size_t lane = 0; lane < kTile; lane += S::kLanes) {
    for (std::size_t cell = 0; cell < cells; ++cell) {
      const std::uint32_t* in = granules + cell * (tq4 ? 2 : 1) * kTile + lane;
      typename S::I v = load_lanes<S>(in);
      if (tq4) v = S::template shift_right16<4>(v) | load_lanes<S>(in + kTile);
      store_lanes<S>(v, codes + cell * 256 + (first + lane) * 4);
    }
  }
}

// A chunk of the values layout: `lanes` dwords per token quad, covering coordinates from `first` on.
struct ValueChunk {
  std::size_t first, lanes, offset;  // offset: of its codes, in bytes
};

// Calls body(chunk) for each chunk.
template <Format Code, class Body>
void for_value_chunks(std::size_t dim, const Body& body) noexcept {
  constexpr bool tq4 = Code == Format::kTq4;
  constexpr std::size_t width = tq4 ? 32 : 16;
  std::size_t offset = 0;
  for (std::size_t first = 0; first < dim; first += width) {
    const std::size_t left = dim - first;
    const std::size_t lanes = left >= width ? 16 : round_up(tq4 ? (left + 1) / 2 : left, 4);
    body(ValueChunk{first, lanes, offset});
    offset += kBlockTokens * lanes;
  }
}
template <class Body>
void for_value_chunks(const CodeShape& shape, const Body& body) noexcept {
  if (shape.format == Format::kTq4) return for_value_chunks<Format::kTq4>(shape.dim, body);
  for_value_chunks<Format::kTq8>(shape.dim, body);
}

template <class S>
void pack_values(const CodeShape& shape, const std::uint32_t* granules, std::size_t first,
                 std::uint8_t* codes) noexcept {
  const bool tq4 = shape.format == Format::kTq4;
  for_value_chunks(shape, [&](ValueChunk chunk) {
    const std::size_t quad_bytes = chunk.lanes * 4;
    for (std::size_t lane = 0; lane < kTile; lane += S::kLanes) {
      const std::uint32_t* in = granules + chunk.first / 4 * kTile + lane;
      std::uint8_t* out = codes + chunk.offset + (first + lane) / 4 * quad_bytes;
      for (std::size_t i = 0; i < chunk.lanes / 4; ++i) {
        typename S::I v = load_lanes<S>(in + i * kTile);
        if (tq4) v = S::template shift_right16<4>(v) | load_lanes<S>(in + (chunk.lanes / 4 + i) * kTile);
        S::store_quads(S::transpose_bytes(v), out + 16 * i, quad_bytes);
      }
    }
  });
}

}  // namespace
}  // namespace tq
