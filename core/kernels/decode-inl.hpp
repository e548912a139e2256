// Codes to rows of the caller (docs/format.md section 7), one token per lane, so that the inverse transform runs between
// registers. Its stages of strides 1 and 2 are dot products of four codes with signs, in integers. That changes no bit:
// within a group, sums have at most 13 bits and scales 5, so that f32 does not round there either. For the same reason
// the factor 1/n is in the scales: it is a power of two, and all results are multiples of 2^-142.
#pragma once

#include "pack-inl.hpp"
#include "rows-inl.hpp"

namespace tq {
namespace {

// Row `row` of the transforms of `size` = 1, 2 or 4 values that four code bytes go through, and the sum of its entries.
constexpr std::int32_t stage_signs(int size, int row) {
  std::uint32_t signs = 0;
  for (int i = 0; i < 4; ++i) {
    const int common = i & row & (size - 1);
    const int sign = i / size != row / size ? 0 : (common == 1 || common == 2) ? -1 : 1;
    signs |= static_cast<std::uint32_t>(sign & 0xFF) << (8 * i);
  }
  return static_cast<std::int32_t>(signs);
}
constexpr std::int32_t stage_sum(int size, int row) { return (row & (size - 1)) == 0 ? size : 0; }

template <class S, Format Code, int Size>
TQ_INLINE inline void granule_columns(typename S::I codes, typename S::F scale, float* columns) noexcept {
  constexpr int bias = Code == Format::kTq4 ? S::kNibbleBias : S::kByteBias;
  unroll<4>([&](auto i) TQ_INLINE {
    const typename S::I start = splat<S>(-bias * stage_sum(Size, i)), signs = splat<S>(stage_signs(Size, i));
    const typename S::I sum = Code == Format::kTq4 ? S::dot(start, codes, signs) : S::dot_wide(start, codes, signs);
    (S::to_float(sum) * scale).store_unaligned(columns + i * S::kLanes);
  });
}

// Calls put(j, codes) with the bytes that S::dot takes of coordinates j .. j + 3, for kLanes tokens from `token` on.
template <class S, Format Code, class Put>
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
  if (tile.layout == CodeLayout::kKeys) {
    constexpr std::size_t width = Code == Format::kTq4 ? 8 : 4;
    const std::uint8_t* in = tile.codes + token * 4;
    for (std::size_t j = 0; j < shape.dim; j += width, in += 4 * kBlockTokens) split(j, j + 4, load_lanes<S>(in));
    return;
  }
  for_value_chunks<Code>(shape.dim, [&](ValueChunk chunk) TQ_INLINE {
    const std::size_t quad_bytes = chunk.lanes * 4;
    const std::uint8_t* in = tile.codes + chunk.offset + token / 4 * quad_bytes;
    for (std::size_t i = 0; i < chunk.lanes; i += 4, in += 16)
      split(chunk.first + i, chunk.first + chunk.lanes + i, S::transpose_bytes(S::load_quads(in, quad_bytes)));
  });
}

// Columns of kLanes floats, one per coordinate, of the tokens from `lane` of the tile on: code value * scale / n, after
// the transform's stages below `Size`.
template <class S, Format Code, int Size>
void code_columns(const CodeShape& shape, const CodedTile& tile, std::size_t lane, float inverse,
                  float* columns) noexcept {
  typename S::F scales[kMaxPadded / 32];
  const typename S::F unit = S::F::load_unaligned(tile.offset_scales + lane) * typename S::F(inverse);
  for (std::size_t g = 0; g < shape.groups(); ++g) {
    const typename S::I b = S::load_bytes(tile.scales + g * kBlockTokens + tile.first + lane);
    scales[g] = S::where_not_zero(b, scale_of_index<S>(b)) * unit;
  }
  const unsigned shift = shape.group == 64 ? 6 : 5;
  for_granules<S, Code>(shape, tile, tile.first + lane, [&](std::size_t j, typename S::I codes) TQ_INLINE {
    const std::size_t group = (j < shape.dim ? j : shape.dim - 1) >> shift;  // padding may lie beyond the last one
    granule_columns<S, Code, Size>(codes, scales[group], columns + j * S::kLanes);
  });
  for (std::size_t j = round_up(shape.dim, 4); j < round_up(shape.dim, S::kLanes); ++j)
    typename S::F(0.0f).store_unaligned(columns + j * S::kLanes);
}

template <class S, Format Code>
void unrotated_columns(const CodeShape& shape, const Rotation& rotation, const CodedTile& tile, std::size_t lane,
                       float* columns) noexcept {
  constexpr int lanes = S::kLanes;
  const float inverse = 1.0f / static_cast<float>(rotation.block);
  with_size(rotation.block, [&](auto n) {
    constexpr int size = decltype(n)::value, first = size < 4 ? size : 4;
    code_columns<S, Code, first>(shape, tile, lane, inverse, columns);
    if constexpr (size > 4) {
      for (std::size_t run = 0; run < shape.dim * lanes; run += size * lanes)
        fwht_rest<S, size * lanes, 4 * lanes>(columns, run, Unscaled{});
    }
  });
}

// Undoes the signs of the rotation and adds a row, which may be NULL: for the vector at coordinate j.
template <class S>
struct Finish {
  typename S::F sign, base;
  Finish(const Rotation& rotation, const float* add, std::size_t j) noexcept
      : sign(S::from_bits(load_lanes<S>(rotation.signs + j) | S::bits(typename S::F(1.0f)))),
        base(add != nullptr ? S::F::load_unaligned(add + j) : typename S::F(-0.0f)) {}
  // Products with +-1 are exact, and adding -0 changes nothing.
  typename S::F operator()(typename S::F v) const noexcept { return S::multiply_add(v, sign, base); }
};

// Columns of kLanes rows, of which from .. to - 1 go to the rows of `target`. Four rows at a time, from end to end: each
// cache line of the target is written at once, and rows may be a multiple of 4 KB apart, where few fit the first cache.
template <class S, class E>
void store_columns(const float* columns, const Rotation& rotation, const float* add, std::size_t from, std::size_t to,
                   RowTarget target) noexcept {
  constexpr std::size_t lanes = S::kLanes;
  const std::size_t whole = rotation.dim / lanes * lanes;
  for (std::size_t t = from / 4 * 4; t < to; t += 4) {
    const std::size_t begin = from > t ? from - t : 0, end = to - t < 4 ? to - t : 4;
    typename S::F::register_type row[4];
    const auto out = [&](std::size_t i, std::size_t j)
                         TQ_INLINE { return elements_at<E>(target.data, (t + i - from) * target.stride + j); };
    for (std::size_t j = 0; j < whole; j += lanes) {
      S::load_transposed(columns + j * lanes + t, lanes * sizeof(float), row);
      const Finish<S> finish(rotation, add, j);
      unroll<4>([&](auto i) TQ_INLINE {
        if (static_cast<std::size_t>(i) < begin || static_cast<std::size_t>(i) >= end) return;
        E::template store<S>(finish(row[i]), out(i, j));
      });
    }
    if (whole == rotation.dim) continue;
    float rest[4][lanes];
    S::load_transposed(columns + whole * lanes + t, lanes * sizeof(float), row);
    const Finish<S> finish(rotation, add, whole);
    unroll<4>([&](auto i) TQ_INLINE { finish(row[i]).store_unaligned(rest[i]); });
    for (std::size_t i = begin; i < end; ++i)
      for (std::size_t j = whole; j < rotation.dim; ++j) write_element<E>(out(i, j), 0, rest[i][j - whole]);
  }
}

// Asks for the rows' cache lines ahead of the stores; not if rows are a multiple of 4 KB apart, where they would push
// each other out of the first cache.
inline void prefetch_rows(RowTarget target, std::size_t rows, std::size_t dim) noexcept {
  const std::size_t bytes = element_bytes(target.element), stride = target.stride * bytes;
  if (stride % 4096 == 0) return;
  for (std::size_t t = 0; t < rows; ++t)
    for (std::size_t i = 0; i < dim * bytes; i += 64)
      __builtin_prefetch(static_cast<const char*>(target.data) + t * stride + i, 1, 3);
}

template <class S>
void decode_tile(const CodeShape& shape, const Rotation& rotation, const CodedTile& tile, const float* add,
                 RowTarget target, float* columns) noexcept {
  constexpr std::size_t lanes = S::kLanes;
  prefetch_rows(target, tile.to - tile.from, shape.dim);
  for (std::size_t lane = tile.from / lanes * lanes; lane < tile.to; lane += lanes) {
    if (shape.format == Format::kTq4) {
      unrotated_columns<S, Format::kTq4>(shape, rotation, tile, lane, columns);
    } else {
      unrotated_columns<S, Format::kTq8>(shape, rotation, tile, lane, columns);
    }
    const std::size_t from = tile.from > lane ? tile.from - lane : 0,
                      to = tile.to - lane < lanes ? tile.to - lane : lanes;
    with_element(target.element, [&](auto e) {
      using E = decltype(e);
      const RowTarget rows{elements_at<E>(target.data, (lane + from - tile.from) * target.stride), target.element,
                           target.stride};
      store_columns<S, E>(columns, rotation, add, from, to, rows);
    });
  }
}

// out[i] = codes[i] * scale; count is a multiple of kRowPadding.
template <class S>
void signed_floats(const std::int8_t* codes, float scale, std::size_t count, float* out) noexcept {
  for (std::size_t i = 0; i < count; i += S::kLanes)
    (S::to_float(S::load_signed_bytes(codes + i)) * typename S::F(scale)).store_unaligned(out + i);
}

}  // namespace
}  // namespace tq
