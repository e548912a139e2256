// Codes to rows of the caller (docs/format.md section 7), one token per lane, so that the inverse transform runs between
// registers. Its stages of strides 1 and 2 are dot products of four codes with signs, in integers. That changes no bit:
// within a group, sums have at most 13 bits and scales 5, so that f32 does not round there either. For the same reason
// the factor 1/n is in the scales: it is a power of two, and all results are multiples of 2^-142.
#pragma once

#include "fold-inl.hpp"
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

// The sums of four codes, one for each row of those transforms.
template <class S, Format Code, int Size>
TQ_INLINE inline void granule_sums(typename S::I codes, typename S::I::register_type (&sums)[4]) noexcept {
  constexpr int bias = Code == Format::kTq4 ? S::kNibbleBias : S::kByteBias;
  unroll<4>([&](auto i) TQ_INLINE {
    const typename S::I start = splat<S>(-bias * stage_sum(Size, i)), signs = splat<S>(stage_signs(Size, i));
    sums[i] = Code == Format::kTq4 ? S::dot(start, codes, signs) : S::dot_wide(start, codes, signs);
  });
}

template <class S>
TQ_INLINE inline void store_sums(const typename S::I::register_type (&sums)[4], typename S::F scale,
                                 float* columns) noexcept {
  unroll<4>([&](auto i) TQ_INLINE { (S::to_float(sums[i]) * scale).store_unaligned(columns + i * S::kLanes); });
}

// The codes of a register: bytes that S::dot takes of coordinates low .. low + 3, and high .. high + 3 (tq4 only).
template <class S>
struct Granules {
  std::size_t low, high;
  typename S::I low_codes, high_codes;
};

// Calls put(granules) for all codes of kLanes tokens from `token` on.
template <class S, Format Code, CodeLayout Layout, class Put>
TQ_INLINE inline void for_granules(const CodeShape& shape, const CodedTile& tile, std::size_t token,
                                   const Put& put) noexcept {
  static constexpr Table16 centroids = signed_centroids(S::kNibbleBias);
  const typename S::I table = S::table(centroids);
  const auto split = [&](std::size_t low, std::size_t high, typename S::I v) TQ_INLINE {
    if constexpr (Code == Format::kTq4) {
      put(Granules<S>{low, high, S::lookup_low(table, v), S::lookup_high(table, v)});
    } else {
      put(Granules<S>{low, low, S::byte_codes(v), v});
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

// Scale / n of kLanes tokens for each group; returns a bound of what decoding gives, without the row that is added.
template <class S>
float load_scales(const CodeShape& shape, const CodedTile& tile, std::size_t lane, float inverse,
                  typename S::F* scales) noexcept {
  const typename S::F unit = S::F::load_unaligned(tile.offset_scales + lane) * typename S::F(inverse);
  typename S::F sum(0.0f);
  for (std::size_t g = 0; g < shape.groups(); ++g) {
    scales[g] = scales_from_bytes<S>(tile.scales + g * kBlockTokens + tile.first + lane) * unit;
    sum = sum + scales[g];
  }
  return S::max(sum) * 128.0f * static_cast<float>(shape.group);
}

// Columns of kLanes floats, one per coordinate: code value * scale, after the transform's stages below `Size`, which is
// 8 only where a register of codes holds eight neighbours.
template <class S, Format Code, CodeLayout Layout, int Size>
void code_columns(const CodeShape& shape, const CodedTile& tile, std::size_t token, const typename S::F* scales,
                  float* columns) noexcept {
  constexpr int part = Size < 4 ? Size : 4;
  const unsigned shift = shape.group == 64 ? 6 : 5;
  const auto scale_at = [&](std::size_t j) TQ_INLINE {
    return scales[(j < shape.dim ? j : shape.dim - 1) >> shift];  // padding may lie beyond the last group
  };
  for_granules<S, Code, Layout>(shape, tile, token, [&](const Granules<S>& codes) TQ_INLINE {
    typename S::I::register_type low[4], high[4];
    granule_sums<S, Code, part>(codes.low_codes, low);
    if constexpr (Code == Format::kTq4) granule_sums<S, Code, part>(codes.high_codes, high);
    if constexpr (Size == 8) {
      unroll<4>([&](auto i) TQ_INLINE {
        const typename S::I a = low[i], b = high[i];
        low[i] = a + b;
        high[i] = a - b;
      });
    }
    store_sums<S>(low, scale_at(codes.low), columns + codes.low * S::kLanes);
    if constexpr (Code == Format::kTq4) store_sums<S>(high, scale_at(codes.high), columns + codes.high * S::kLanes);
  });
  for (std::size_t j = round_up(shape.dim, 4); j < round_up(shape.dim, S::kLanes); ++j)
    typename S::F(0.0f).store_unaligned(columns + j * S::kLanes);
}

template <class S, Format Code, CodeLayout Layout>
void unrotated_columns(const CodeShape& shape, const Rotation& rotation, const CodedTile& tile, std::size_t token,
                       const typename S::F* scales, float* columns) noexcept {
  constexpr int lanes = S::kLanes, most = Code == Format::kTq4 && Layout == CodeLayout::kKeys ? 8 : 4;
  with_size(rotation.block, [&](auto n) {
    constexpr int size = decltype(n)::value, first = size < most ? size : most;
    code_columns<S, Code, Layout, first>(shape, tile, token, scales, columns);
    if constexpr (size > first) {
      for (std::size_t run = 0; run < shape.dim * lanes; run += size * lanes)
        fwht_rest<S, size * lanes, first * lanes>(columns, run, Unscaled{});
    }
  });
}

template <class S>
void unrotated_columns(const CodeShape& shape, const Rotation& rotation, const CodedTile& tile, std::size_t token,
                       const typename S::F* scales, float* columns) noexcept {
  constexpr CodeLayout keys = CodeLayout::kKeys, values = CodeLayout::kValues;
  if (shape.format == Format::kTq4) {
    if (tile.layout == keys)
      return unrotated_columns<S, Format::kTq4, keys>(shape, rotation, tile, token, scales, columns);
    return unrotated_columns<S, Format::kTq4, values>(shape, rotation, tile, token, scales, columns);
  }
  if (tile.layout == keys)
    return unrotated_columns<S, Format::kTq8, keys>(shape, rotation, tile, token, scales, columns);
  unrotated_columns<S, Format::kTq8, values>(shape, rotation, tile, token, scales, columns);
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
// Small: no value comes near the largest f16.
template <class S, class E, bool Small>
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
      load_transposed<S>(columns + j * lanes + t, lanes * sizeof(float), row);
      const Finish<S> finish(rotation, add, j);
      unroll<4>([&](auto i) TQ_INLINE {
        if (static_cast<std::size_t>(i) < begin || static_cast<std::size_t>(i) >= end) return;
        if constexpr (Small) return E::template store_small<S>(finish(row[i]), out(i, j));
        E::template store<S>(finish(row[i]), out(i, j));
      });
    }
    if (whole == rotation.dim) continue;
    float rest[4][lanes];
    load_transposed<S>(columns + whole * lanes + t, lanes * sizeof(float), row);
    const Finish<S> finish(rotation, add, whole);
    unroll<4>([&](auto i) TQ_INLINE { finish(row[i]).store_unaligned(rest[i]); });
    for (std::size_t i = begin; i < end; ++i)
      for (std::size_t j = whole; j < rotation.dim; ++j) write_element<E>(out(i, j), 0, rest[i][j - whole]);
  }
}

template <class S>
void decode_tile(const CodeShape& shape, const Rotation& rotation, const CodedTile& tile, const float* add,
                 RowTarget target, float* columns) noexcept {
  constexpr std::size_t lanes = S::kLanes;
  typename S::F scales[kMaxPadded / 32];
  const float inverse = 1.0f / static_cast<float>(rotation.block);
  const float added = add != nullptr ? largest_of_row<S>(add, padded_dim(shape.dim)) : 0.0f;
  for (std::size_t lane = tile.from / lanes * lanes; lane < tile.to; lane += lanes) {
    const std::size_t from = tile.from > lane ? tile.from - lane : 0, left = tile.to - lane;
    const std::size_t to = left < lanes ? left : lanes;
    const std::size_t offset = (lane + from - tile.from) * target.stride * element_bytes(target.element);
    const RowTarget rows{static_cast<char*>(target.data) + offset, target.element, target.stride};
    const bool small = load_scales<S>(shape, tile, lane, inverse, scales) + added < 60000.0f;
    unrotated_columns<S>(shape, rotation, tile, tile.first + lane, scales, columns);
    with_element(target.element, [&](auto e) {
      using E = decltype(e);
      if (small) return store_columns<S, E, true>(columns, rotation, add, from, to, rows);
      store_columns<S, E, false>(columns, rotation, add, from, to, rows);
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
