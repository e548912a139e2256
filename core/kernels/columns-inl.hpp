// Rows of user data to rotated columns: kLanes rows at a time, one row per lane, so that the transform runs between
// registers and needs no shuffle. columns[j * kLanes + t] belongs to coordinate j of row t.
#pragma once

#include "fetch-inl.hpp"
#include "rows-inl.hpp"

namespace tq {
namespace {

// The first `count` rows of the source as floats, zero padded, and zero rows up to kLanes, at `scratch`.
template <class S>
void float_rows(const RowSource& source, std::size_t count, std::size_t dim, float* scratch) noexcept {
  const std::size_t padded = padded_dim(dim);
  load_rows<S>(source, count, dim, scratch);
  for (std::size_t i = count * padded; i < S::kLanes * padded; ++i) scratch[i] = 0;
}

// Where columns come from: rows of floats, or of 16-bit floats, `stride` bytes apart. load(j, v): coordinates from j on,
// with the signs of the rotation.
template <class S>
struct FloatColumns {
  static constexpr int kBytes = sizeof(float);
  const char* rows;
  std::size_t stride;
  const std::uint32_t* signs;
  template <int Count>
  TQ_INLINE void load(std::size_t j, typename S::F::register_type (&v)[Count]) const noexcept {
    unroll<Count / 4>([&](auto quad) TQ_INLINE {
      typename S::F::register_type in[4];
      load_transposed<S>(rows + (j + 4 * quad) * sizeof(float), stride, in);
      unroll<4>([&](auto i) TQ_INLINE {
        v[4 * quad + i] = S::from_bits(S::bits(in[i]) ^ splat<S>(static_cast<std::int32_t>(signs[j + 4 * quad + i])));
      });
    });
  }
};
template <class S, class E>
struct HalfColumns {
  static constexpr int kBytes = sizeof(std::uint16_t);
  const char* rows;
  std::size_t stride;
  const std::uint16_t* half_signs;
  TQ_INLINE void load(std::size_t j, typename S::F::register_type (&v)[8]) const noexcept {
    typename S::F::register_type pairs[4];
    load_transposed<S>(rows + j * sizeof(std::uint16_t), stride, pairs);
    unroll<4>([&](auto i) TQ_INLINE {
      std::int32_t signs;
      std::memcpy(&signs, half_signs + j + 2 * i, sizeof signs);
      typename S::F even, odd;
      E::template split<S>(S::bits(pairs[i]) ^ splat<S>(signs), even, odd);
      v[2 * i] = even;
      v[2 * i + 1] = odd;
    });
  }
};

// The stages below `Size` = 1, 2, 4 or 8. Asks for one of the next rows now and then, and for the next lines of its own.
template <class S, int Size, class Source>
void first_columns(const Source& source, std::size_t dim, const RowSource& next, float* columns) noexcept {
  constexpr int count = Size < 8 ? 4 : 8;
  AwaitedRows awaited(next, S::kLanes, dim);
  for (std::size_t j = 0; j < dim; j += count) {
    awaited.fetch_one();
    fetch_next_lines<S, count * Source::kBytes>(source.rows, source.stride, dim * Source::kBytes, j * Source::kBytes);
    typename S::F::register_type v[count];
    source.load(j, v);
    if constexpr (Size == 4) fwht_between<S, 4>(v);
    if constexpr (Size == 8) fwht_between<S, 8>(v);
    if constexpr (Size == 2) fwht_between<S, 2>(v), fwht_between<S, 2>(v + 2);
    unroll<count>([&](auto i) TQ_INLINE { typename S::F(v[i]).store_unaligned(columns + (j + i) * S::kLanes); });
  }
}

// Subtracts a row from columns.
template <class S>
struct SubtractColumn {
  const float* row;
  typename S::F operator()(typename S::F v, std::size_t i) const noexcept {
    return v - typename S::F(row[i / S::kLanes]);
  }
};

// The stages from 8 on, then `finish`.
template <class S, int N, class Finish>
void rest_of_columns(std::size_t dim, Finish finish, float* columns) noexcept {
  constexpr std::size_t lanes = S::kLanes;
  if constexpr (N > 8) {
    for (std::size_t run = 0; run < dim * lanes; run += N * lanes)
      fwht_rest<S, N * lanes, 8 * lanes>(columns, run, finish);
  } else {
    for (std::size_t i = 0; i < dim * lanes; i += lanes)
      finish(S::F::load_unaligned(columns + i), i).store_unaligned(columns + i);
  }
}

// The stages below 8 of up to kLanes rows; missing ones are zero. Rows that are whole registers of them need no copy.
template <class S>
void start_columns(const RowSource& source, std::size_t count, const RowSource& next, const Rotation& rotation,
                   float* scratch, float* columns) noexcept {
  const auto* rows = static_cast<const char*>(source.data);
  const std::size_t stride = source.stride * element_bytes(source.element);
  const std::size_t dim = rotation.dim;
  const bool whole = count == S::kLanes && dim % 8 == 0;
  if (whole && rotation.block >= 8 && source.element != Element::kF32) {
    const auto halves = [&](auto e) { return HalfColumns<S, decltype(e)>{rows, stride, rotation.half_signs}; };
    if (source.element == Element::kF16)
      return first_columns<S, 8>(halves(Elements<Element::kF16>{}), dim, next, columns);
    return first_columns<S, 8>(halves(Elements<Element::kBf16>{}), dim, next, columns);
  }
  FloatColumns<S> floats{rows, stride, rotation.signs};
  if (!whole || source.element != Element::kF32) {
    float_rows<S>(source, count, dim, scratch);
    floats.rows = reinterpret_cast<const char*>(scratch);
    floats.stride = padded_dim(dim) * sizeof(float);
  }
  switch (rotation.block) {
    case 1: return first_columns<S, 1>(floats, dim, next, columns);
    case 2: return first_columns<S, 2>(floats, dim, next, columns);
    case 4: return first_columns<S, 4>(floats, dim, next, columns);
    default: return first_columns<S, 8>(floats, dim, next, columns);
  }
}

// columns = R(rows) - subtract (NULL: nothing), of `count` rows and zero rows up to kLanes, zero padded to a multiple of
// four. `scratch`: kLanes * padded floats.
template <class S>
void rotated_columns(const RowSource& source, std::size_t count, const RowSource& next, const Rotation& rotation,
                     const float* subtract, float* scratch, float* columns) noexcept {
  start_columns<S>(source, count, next, rotation, scratch, columns);
  with_size(rotation.block, [&](auto n) {
    constexpr int N = decltype(n)::value;
    if (subtract != nullptr) return rest_of_columns<S, N>(rotation.dim, SubtractColumn<S>{subtract}, columns);
    if constexpr (N > 8) rest_of_columns<S, N>(rotation.dim, Unscaled{}, columns);
  });
}

}  // namespace
}  // namespace tq
