// Granules to and from the layouts of a block (docs/format.md section 5), and codes to values.
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
      if (tq4) v = v | S::template shift_left16<4>(load_lanes<S>(in + kTile));
      store_lanes<S>(v, codes + cell * 256 + (first + lane) * 4);
    }
  }
}

template <class S>
void unpack_keys(const CodeShape& shape, const std::uint8_t* codes, std::size_t first,
                 std::uint32_t* granules) noexcept {
  const bool tq4 = shape.format == Format::kTq4;
  const std::size_t cells = tq4 ? (shape.dim + 7) / 8 : (shape.dim + 3) / 4;
  for (std::size_t lane = 0; lane < kTile; lane += S::kLanes) {
    for (std::size_t cell = 0; cell < cells; ++cell) {
      std::uint32_t* out = granules + cell * (tq4 ? 2 : 1) * kTile + lane;
      const typename S::I v = load_lanes<S>(codes + cell * 256 + (first + lane) * 4);
      store_lanes<S>(tq4 ? low_nibbles<S>(v) : v, out);
      if (tq4) store_lanes<S>(high_nibbles<S>(v), out + kTile);
    }
  }
}

// A chunk of the values layout: `lanes` dwords per token quad, covering coordinates from `first` on.
struct ValueChunk {
  std::size_t first, lanes, offset;  // offset: of its codes, in bytes
};

// Calls body(chunk) for each chunk.
template <Format Code, class Body>
void for_value_chunks(std::size_t dim, Body body) noexcept {
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
void for_value_chunks(const CodeShape& shape, Body body) noexcept {
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
        if (tq4) v = v | S::template shift_left16<4>(load_lanes<S>(in + (chunk.lanes / 4 + i) * kTile));
        S::store_quads(S::transpose_bytes(v), out + 16 * i, quad_bytes);
      }
    }
  });
}

template <class S>
void unpack_values(const CodeShape& shape, const std::uint8_t* codes, std::size_t first,
                   std::uint32_t* granules) noexcept {
  const bool tq4 = shape.format == Format::kTq4;
  for_value_chunks(shape, [&](ValueChunk chunk) {
    const std::size_t quad_bytes = chunk.lanes * 4;
    for (std::size_t lane = 0; lane < kTile; lane += S::kLanes) {
      std::uint32_t* out = granules + chunk.first / 4 * kTile + lane;
      const std::uint8_t* in = codes + chunk.offset + (first + lane) / 4 * quad_bytes;
      for (std::size_t i = 0; i < chunk.lanes / 4; ++i) {
        const typename S::I v = S::transpose_bytes(S::load_quads(in + 16 * i, quad_bytes));
        store_lanes<S>(tq4 ? low_nibbles<S>(v) : v, out + i * kTile);
        if (tq4) store_lanes<S>(high_nibbles<S>(v), out + (chunk.lanes / 4 + i) * kTile);
      }
    }
  });
}

// The four signed code values of a granule as columns of floats.
template <class S>
void granule_values(typename S::I bytes, typename S::F scale, typename S::F* columns) noexcept {
  columns[0] = S::to_float((bytes << 24) >> 24) * scale;
  columns[1] = S::to_float((bytes << 16) >> 24) * scale;
  columns[2] = S::to_float((bytes << 8) >> 24) * scale;
  columns[3] = S::to_float(bytes >> 24) * scale;
}

template <class S>
void decode_tile(const CodeShape& shape, const std::uint32_t* granules, const float* scales, float* rows) noexcept {
  static constexpr Table16 centroids = signed_centroids(0);
  const std::size_t padded = padded_dim(shape.dim);
  const typename S::I table = S::table(centroids), bias = splat<S>(static_cast<std::int32_t>(0x80808080u));
  for (std::size_t lane = 0; lane < kTile; lane += S::kLanes) {
    for (std::size_t j = 0; j < padded; j += S::kLanes) {
      // Coordinates past dim may lie in a group that does not exist; their codes are dropped below.
      const std::size_t group = j < shape.dim ? j / shape.group : 0;
      const typename S::F scale = S::F::load_unaligned(scales + group * kTile + lane);
      typename S::F square[S::kLanes];
      for (int i = 0; i < S::kLanes; i += 4) {
        const typename S::I codes = load_lanes<S>(granules + (j + i) / 4 * kTile + lane);
        granule_values<S>(shape.format == Format::kTq4 ? S::lookup(table, codes) : codes ^ bias, scale, square + i);
      }
      S::transpose(square);
      for (int t = 0; t < S::kLanes; ++t) square[t].store_unaligned(rows + (lane + t) * padded + j);
    }
    for (std::size_t t = lane; t < lane + S::kLanes; ++t)
      for (std::size_t j = shape.dim; j < padded; ++j) rows[t * padded + j] = 0;
  }
}

}  // namespace
}  // namespace tq
