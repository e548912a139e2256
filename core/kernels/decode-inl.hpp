// Codes to rows of the caller (docs/format.md section 7). Stages of the inverse transform within a group are made of
// integers; then rows are transposed, of 16-bit pairs, half as many as of floats, and scaled; stages between groups and the
// signs of the rotation come last. That changes no bit: within a group, sums have at most 13 bits and scales 5, so that f32
// would not round there either. For the same reason the factor 1/n is in the scales: it is a power of two, and all results
// are multiples of 2^-142.
#pragma once

#include "fold-inl.hpp"
#include "pairs-inl.hpp"
#include "rows-inl.hpp"

namespace tq {
namespace {

// Scale / n of kLanes tokens for each group; returns a bound of what decoding gives, without the row that is added.
template <class S>
float load_scales(const CodeShape& shape, const CodedTile& tile, std::size_t lane, float inverse,
                  float* scales) noexcept {
  const float* offsets = tile.offset_scales;
  const typename S::F offset = tile.one_offset ? typename S::F(*offsets) : S::F::load_unaligned(offsets + lane);
  const typename S::F unit = offset * typename S::F(inverse);
  typename S::F sum(0.0f);
  for (std::size_t g = 0; g < shape.groups(); ++g) {
    const typename S::F scale = scales_from_bytes<S>(tile.scales + g * kBlockTokens + tile.first + lane) * unit;
    scale.store_unaligned(scales + g * S::kLanes);
    sum = sum + scale;
  }
  return S::max(sum) * 128.0f * static_cast<float>(shape.group);
}

// Four rows: kLanes coordinates of each.
template <class S>
using RowQuad = typename S::F::register_type[4];

// Coordinates j .. j + 2 * kLanes - 1 of tokens t .. t + 3, after all stages of integers.
template <class S>
TQ_INLINE inline void rows_of_pairs(const std::int16_t* pairs, const PairSigns<S>& signs, std::size_t j, std::size_t t,
                                    RowQuad<S>& low, RowQuad<S>& high) noexcept {
  // 128 bits of a row: two pairs of the first half of the coordinates, then two of the second.
  constexpr std::size_t column = S::kLanes * 4;  // bytes
  const std::uint8_t* first = reinterpret_cast<const std::uint8_t*>(pairs + j * S::kLanes) + 4 * t;
  const auto columns = [&](std::size_t i) TQ_INLINE {
    return S::from_bits(S::load_quads(first + (i / 2 * S::kLanes / 2 + i % 2) * column, 2 * column));
  };
  RowQuad<S> row;
  transpose_quads<S>(columns(0), columns(1), columns(2), columns(3), row);
  unroll<4>([&](auto i) TQ_INLINE {
    const typename S::I pair = S::bits(row[i]);
    const typename S::F sums = S::from_bits(S::multiply_add16(splat<S>(0), pair, signs.sum));
    const typename S::F differences = S::from_bits(S::multiply_add16(splat<S>(0), pair, signs.difference));
    low[i] = S::to_float(S::bits(S::pairs_low(sums, differences)));
    high[i] = S::to_float(S::bits(S::pairs_high(sums, differences)));
  });
}

// kLanes tokens after all stages of integers but one.
template <class S>
struct CodedRows {
  const std::int16_t* pairs;
  const float* scales;  // of token t and a group: scales[group * kLanes + t]
  PairSigns<S> signs;
};

// (a, b) <- (a * s + b * u, a * s - b * u). Products are exact, so that it makes no difference whether they are fused.
template <class S>
TQ_INLINE inline void scaled_butterfly(RowQuad<S>& a, RowQuad<S>& b, const float* s, const float* u) noexcept {
  unroll<4>([&](auto i) TQ_INLINE {
    const typename S::F scaled = typename S::F(a[i]) * typename S::F(s[i]), other = b[i], factor(u[i]);
    a[i] = S::multiply_add(other, factor, scaled);
    b[i] = S::subtract_product(scaled, other, factor);
  });
}
template <class S>
TQ_INLINE inline void butterfly(RowQuad<S>& a, RowQuad<S>& b) noexcept {
  unroll<4>([&](auto i) TQ_INLINE {
    const typename S::F left = a[i], right = b[i];
    a[i] = left + right;
    b[i] = left - right;
  });
}

// Scales the integers of one, two or four groups, each with that of its own, and takes them through the stages between them.
template <class S, int Groups>
TQ_INLINE inline void combine_groups(RowQuad<S> (&rows)[Groups], const float* scale) noexcept {
  if constexpr (Groups == 1) {
    unroll<4>([&](auto i) TQ_INLINE { rows[0][i] = typename S::F(rows[0][i]) * typename S::F(scale[i]); });
  } else {
    unroll<Groups / 2>([&](auto pair) TQ_INLINE {
      const float* own = scale + 2 * pair * S::kLanes;
      scaled_butterfly<S>(rows[2 * pair], rows[2 * pair + 1], own, own + S::kLanes);
    });
  }
  if constexpr (Groups == 4) {
    butterfly<S>(rows[0], rows[2]);
    butterfly<S>(rows[1], rows[3]);
  }
}

// put(j, rows) for all coordinates of tokens t .. t + 3, kLanes at a time, where no transform is longer than so many groups.
template <class S, int Groups, class Put>
[[gnu::noinline]] void put_groups(const CodeShape& shape, const CodedRows<S>& coded, std::size_t t,
                                  const Put& put) noexcept {
  const std::size_t group = shape.group;
  for (std::size_t run = 0; run < shape.dim; run += Groups * group) {
    const float* scale = coded.scales + run / group * S::kLanes + t;
    for (std::size_t j = run; j < run + group && j < shape.dim; j += 2 * S::kLanes) {
      RowQuad<S> low[Groups], high[Groups];
      unroll<Groups>([&](auto g)
                         TQ_INLINE { rows_of_pairs<S>(coded.pairs, coded.signs, j + g * group, t, low[g], high[g]); });
      combine_groups<S, Groups>(low, scale);
      combine_groups<S, Groups>(high, scale);
      unroll<Groups>([&](auto g) TQ_INLINE {
        put(j + g * group, low[g]);
        put(j + g * group + S::kLanes, high[g]);
      });
    }
  }
}

// The same where they are longer, of which the last stage comes last. `rows`: scratch memory of 4 * dim floats.
template <class S, class Put>
[[gnu::noinline]] void put_long_runs(const CodeShape& shape, std::size_t block, const CodedRows<S>& coded,
                                     std::size_t t, float* rows, const Put& put) noexcept {
  const std::size_t dim = shape.dim;
  put_groups<S, 4>(shape, coded, t, [&](std::size_t j, const RowQuad<S>& v) TQ_INLINE {
    unroll<4>([&](auto i) TQ_INLINE { typename S::F(v[i]).store_unaligned(rows + i * dim + j); });
  });
  const std::size_t half = block / 2;
  with_size(half, [&](auto n) {
    for (std::size_t run = 0; run < 4 * dim; run += half) {
      if (shape.group == 32) fwht_rest<S, decltype(n)::value, 128>(rows, run, Unscaled{});
      if (shape.group == 64) fwht_rest<S, decltype(n)::value, 256>(rows, run, Unscaled{});
    }
  });
  for (std::size_t run = 0; run < dim; run += block) {
    for (std::size_t j = run; j < run + half; j += S::kLanes) {
      RowQuad<S> a, b;
      unroll<4>([&](auto i) TQ_INLINE {
        const float* row = rows + i * dim + j;
        a[i] = S::F::load_unaligned(row);
        b[i] = S::F::load_unaligned(row + half);
      });
      butterfly<S>(a, b);
      put(j, a);
      put(j + half, b);
    }
  }
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

// Writes four rows of values, kLanes coordinates at a time. Small: no value comes near the largest f16.
template <class S, class E, bool Small>
struct StoreRows {
  const Rotation& rotation;
  const float* add;
  typename E::Type* out[4];

  TQ_INLINE void operator()(std::size_t j, const RowQuad<S>& rows) const noexcept {
    if (j + S::kLanes > rotation.dim) return store_rest(j, rows);
    const Finish<S> finish(rotation, add, j);
    unroll<4>([&](auto i) TQ_INLINE {
      if constexpr (Small) return E::template store_small<S>(finish(rows[i]), out[i] + j);
      E::template store<S>(finish(rows[i]), out[i] + j);
    });
  }
  [[gnu::noinline]] void store_rest(std::size_t j, const RowQuad<S>& rows) const noexcept {
    float rest[4][S::kLanes];
    if (j >= rotation.dim) return;
    const Finish<S> finish(rotation, add, j);
    unroll<4>([&](auto i) TQ_INLINE { finish(rows[i]).store_unaligned(rest[i]); });
    for (int i = 0; i < 4; ++i)
      for (std::size_t c = j; c < rotation.dim; ++c) write_element<E>(out[i], c, rest[i][c - j]);
  }
};

// Tokens from .. to - 1 of kLanes ones, to the rows of `target`. Four rows at a time, from end to end: each cache line of
// the target is written at once, and rows may be a multiple of 4 KB apart, where few fit the first cache. Rows that are not
// wanted go to scratch memory, of 5 * padded floats.
template <class S, class E, bool Small>
void store_rows(const CodeShape& shape, const Rotation& rotation, const CodedRows<S>& coded, const float* add,
                std::size_t from, std::size_t to, const RowTarget& target, float* scratch) noexcept {
  float* unwanted = scratch + 4 * padded_dim(shape.dim);
  StoreRows<S, E, Small> store{rotation, add, {}};
  for (std::size_t t = from / 4 * 4; t < to; t += 4) {
    for (std::size_t i = 0; i < 4; ++i) {
      const std::size_t row = t + i;
      const bool wanted = row >= from && row < to;
      store.out[i] = wanted ? elements_at<E>(target.data, (row - from) * target.stride) : elements_at<E>(unwanted, 0);
    }
    if (rotation.block <= shape.group) {
      put_groups<S, 1>(shape, coded, t, store);
    } else if (rotation.block == 2 * shape.group) {
      put_groups<S, 2>(shape, coded, t, store);
    } else if (rotation.block == 4 * shape.group) {
      put_groups<S, 4>(shape, coded, t, store);
    } else {
      put_long_runs<S>(shape, rotation.block, coded, t, scratch, store);
    }
  }
}

template <class S>
void decode_tile(const CodeShape& shape, const Rotation& rotation, const CodedTile& tile, const float* add,
                 const RowTarget& target, float* scratch) noexcept {
  constexpr std::size_t lanes = S::kLanes;
  const std::size_t size = rotation.block < shape.group ? rotation.block : shape.group;
  std::int16_t* pairs = reinterpret_cast<std::int16_t*>(scratch);
  float* rows = scratch + lanes / 2 * padded_dim(shape.dim);
  alignas(64) float scales[kMaxPadded / 32 * lanes];
  const float inverse = 1.0f / static_cast<float>(rotation.block);
  const float added = add != nullptr ? largest_of_row<S>(add, padded_dim(shape.dim)) : 0.0f;
  for (std::size_t lane = tile.from / lanes * lanes; lane < tile.to; lane += lanes) {
    const std::size_t from = tile.from > lane ? tile.from - lane : 0, left = tile.to - lane;
    const std::size_t to = left < lanes ? left : lanes;
    const RowTarget rest = row_from(target, lane + from - tile.from);
    const bool small = load_scales<S>(shape, tile, lane, inverse, scales) + added < 60000.0f;
    pair_columns<S>(shape, tile, tile.first + lane, size, pairs);
    const CodedRows<S> coded{pairs, scales, PairSigns<S>(size)};
    with_element(target.element, [&](auto e) {
      using E = decltype(e);
      if (small) return store_rows<S, E, true>(shape, rotation, coded, add, from, to, rest, rows);
      store_rows<S, E, false>(shape, rotation, coded, add, from, to, rest, rows);
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
