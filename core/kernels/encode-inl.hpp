// Rotated values to codes (docs/format.md section 3), sixteen tokens at a time with one token per lane: every sum over a
// vector then runs down a lane, in integers, so that there is no horizontal sum and no rounding to agree on.
//
// Four neighbouring coordinates of a token form a granule. Their quantities travel as two registers of 16-bit pairs,
// (0, 2) and (1, 3), which interleave into the bytes 0 1 2 3 with one shift and one or.
#pragma once

#include "../simd/simd.hpp"
#include "../simd/unroll.hpp"
#include "kernel_table.hpp"

namespace tq {
namespace {

inline constexpr std::size_t kMaxGroup = 64;
inline constexpr int kIndexBias = 127 * 16;                       // scale index of bits b: (b >> 19) - kIndexBias
inline constexpr int kCandidates[] = {-7, -5, -3, -2, -1, 1, 3};  // around the scale that the norm suggests
inline constexpr float kSmallestGroup = 7.888609052210118e-31f;   // 2^-100

template <class S>
struct Pairs {
  typename S::I even, odd;  // coordinates (0, 2) and (1, 3) of a granule
};

template <class S>
Pairs<S> halfword_bytes(typename S::I bytes) noexcept {
  return {bytes & splat<S>(0x00FF00FF), S::template shift_right16<8>(bytes)};
}
template <class S>
typename S::I join_bytes(const Pairs<S>& v) noexcept {
  return v.even | S::template shift_left16<8>(v.odd);
}

// rows of kLanes tokens -> columns[j]: coordinate j of each token.
template <class S>
void transpose_rows(const float* rows, std::size_t row_stride, std::size_t count, typename S::F* columns) noexcept {
  for (std::size_t j = 0; j < count; j += S::kLanes) {
    typename S::F square[S::kLanes];
    for (int t = 0; t < S::kLanes; ++t) square[t] = S::F::load_unaligned(rows + t * row_stride + j);
    S::transpose(square);
    for (int i = 0; i < S::kLanes; ++i) columns[j + i] = square[i];
  }
}

// 2^exponent for a vector of exponents within -126..127.
template <class S>
typename S::F power_of_two(typename S::I exponent) noexcept {
  return S::from_bits((exponent + splat<S>(127)) << 23);
}
// The number with this scale index.
template <class S>
typename S::F scale_of_index(typename S::I index) noexcept {
  return S::from_bits((index + splat<S>(kIndexBias)) << 19);
}
// The scale index of a positive number, rounded by adding `round` to its bits.
template <class S>
typename S::I index_of_scale(typename S::F scale, std::int32_t round) noexcept {
  return S::template shift_right32<19>(S::bits(scale) + splat<S>(round)) - splat<S>(kIndexBias);
}

template <class S>
typename S::F largest_magnitude(const typename S::F* columns, std::size_t width) noexcept {
  typename S::F most(0.0f);
  for (std::size_t j = 0; j < width; ++j) most = xsimd::max(most, xsimd::abs(columns[j]));
  return most;
}

// A group of up to 64 values of kLanes tokens as integers within +-4095, and eight times their magnitudes.
template <class S>
struct IntegerGroup {
  Pairs<S> value[kMaxGroup / 4], magnitude[kMaxGroup / 4];
  std::size_t granules;
  typename S::I last_bytes;  // which bytes of the last granule belong to the group
};

template <class S>
typename S::I limited_integer(typename S::F v, typename S::F factor) noexcept {
  const typename S::F most(4095.0f);
  return S::round(xsimd::max(xsimd::min(v * factor, most), -most));
}

template <class S>
void to_integers(const typename S::F* columns, std::size_t width, typename S::F factor,
                 IntegerGroup<S>& group) noexcept {
  group.granules = (width + 3) / 4;
  group.last_bytes = splat<S>(static_cast<std::int32_t>(0xFFFFFFFFu >> (8 * (4 * group.granules - width))));
  const typename S::I low = splat<S>(0xFFFF);
  for (std::size_t g = 0; g < group.granules; ++g) {
    typename S::I q[4];
    for (std::size_t i = 0; i < 4; ++i) q[i] = limited_integer<S>(columns[4 * g + i], factor);
    const Pairs<S> pairs{(q[0] & low) | (q[2] << 16), (q[1] & low) | (q[3] << 16)};
    group.value[g] = pairs;
    group.magnitude[g] = {S::template shift_left16<3>(S::abs16(pairs.even)),
                          S::template shift_left16<3>(S::abs16(pairs.odd))};
  }
}

template <class S>
typename S::I sum_of_squares(const IntegerGroup<S>& group) noexcept {
  typename S::I sum = splat<S>(0);
  for (std::size_t g = 0; g < group.granules; ++g) {
    sum = S::multiply_add16(sum, group.value[g].even, group.value[g].even);
    sum = S::multiply_add16(sum, group.value[g].odd, group.value[g].odd);
  }
  return sum;
}

// Multipliers M = min(65535, floor(2^19 / scale)), twice in each lane. The quotient is at least 1/31 away from an integer or exact,
// far more than the rounding of the division.
template <class S>
typename S::I multiplier(typename S::F scale) noexcept {
  const typename S::I m = S::truncate(xsimd::min(S::divide(typename S::F(524288.0f), scale), typename S::F(65535.0f)));
  return m | (m << 16);
}

// Half-units min(127, 8 |q| M >> 21) of a granule, as bytes.
template <class S>
TQ_INLINE inline typename S::I half_units(const Pairs<S>& magnitude, typename S::I m) noexcept {
  const typename S::I most = splat<S>(0x0FFF0FFF);  // 127.97 half-units, in 1/32
  const typename S::I even = S::min16(S::multiply_high16(magnitude.even, m), most);
  const typename S::I odd = S::min16(S::multiply_high16(magnitude.odd, m), most);
  return S::template shift_right16<5>(even) |
         (S::template shift_left16<3>(odd) & splat<S>(static_cast<std::int32_t>(0xFF00FF00u)));
}

// What a search has found so far, for each token.
template <class S>
struct Best {
  typename S::F cost;
  typename S::I index;
};

// Tries the candidates nearest + steps[0 .. Count-1]. Their costs are scale * (scale * A - 2 B): the squared error less
// the energy of the group. A is the sum of centroid^2, B that of magnitude * centroid (here eightfold).
template <class S, int Count>
[[gnu::noinline]] void try_candidates(const IntegerGroup<S>& group, typename S::I nearest, const int* steps,
                                      Best<S>& best) noexcept {
  using Register = typename S::I::register_type;  // GCC keeps arrays of batches on the stack
  Register m[Count], squares[Count], even[Count], odd[Count];
  unroll<Count>([&](auto c) TQ_INLINE {
    m[c] = multiplier<S>(scale_of_index<S>(nearest + splat<S>(steps[c])));
    squares[c] = even[c] = odd[c] = splat<S>(0);
  });
  const auto add = [&](std::size_t g, auto masked) TQ_INLINE {
    const Pairs<S> magnitude = group.magnitude[g];
    unroll<Count>([&](auto c) TQ_INLINE {
      typename S::I centroid = S::nearest_centroid(half_units<S>(magnitude, m[c]));
      if constexpr (masked != 0) centroid = centroid & group.last_bytes;
      squares[c] = S::dot(squares[c], centroid, centroid);
      const Pairs<S> pairs = halfword_bytes<S>(centroid);
      even[c] = S::multiply_add16(even[c], magnitude.even, pairs.even);
      odd[c] = S::multiply_add16(odd[c], magnitude.odd, pairs.odd);
    });
  };
  for (std::size_t g = 0; g + 1 < group.granules; ++g) add(g, Constant<0>{});
  add(group.granules - 1, Constant<1>{});
  unroll<Count>([&](auto c) TQ_INLINE {
    const typename S::I index = nearest + splat<S>(steps[c]);
    const typename S::F scale = scale_of_index<S>(index);
    const typename S::F a = S::to_float(squares[c]), b = S::to_float(typename S::I(even[c]) + typename S::I(odd[c]));
    const typename S::F cost = scale * (scale * a - b * typename S::F(0.25f));
    const auto better = cost < best.cost;
    best.cost = xsimd::select(better, cost, best.cost);
    best.index = S::bits(xsimd::select(better, S::from_bits(index), S::from_bits(best.index)));
  });
}

template <class S>
typename S::I best_index(const IntegerGroup<S>& group, typename S::I nearest, bool search) noexcept {
  if (!search) return nearest;
  constexpr int total = sizeof kCandidates / sizeof *kCandidates, at_once = S::kRegisters >= 32 ? 4 : 2;
  Best<S> best{typename S::F(__builtin_inff()), nearest};
  int first = 0;
  for (; first + at_once <= total; first += at_once)
    try_candidates<S, at_once>(group, nearest, kCandidates + first, best);
  if constexpr (total % at_once != 0) try_candidates<S, total % at_once>(group, nearest, kCandidates + first, best);
  return best.index;
}

// Nibbles: code of the magnitude, sign in bit 3. Codes outside the group and of zero groups are 0.
template <class S>
void store_nibbles(const IntegerGroup<S>& group, typename S::I index, typename S::I keep,
                   std::uint32_t* granules) noexcept {
  const typename S::I m = multiplier<S>(scale_of_index<S>(index));
  for (std::size_t g = 0; g < group.granules; ++g) {
    const typename S::I code = S::nearest_code(half_units<S>(group.magnitude[g], m));
    const Pairs<S> sign{S::template shift_right16<12>(group.value[g].even) & splat<S>(0x00080008),
                        S::template shift_right16<12>(group.value[g].odd) & splat<S>(0x00080008)};
    typename S::I nibbles = (code | join_bytes<S>(sign)) & keep;
    if (g + 1 == group.granules) nibbles = nibbles & group.last_bytes;
    nibbles.store_unaligned(reinterpret_cast<std::int32_t*>(granules + g * kTile));
  }
}

template <class S>
typename S::I lanes_where(decltype(typename S::F() < typename S::F()) condition) noexcept {
  return S::bits(xsimd::select(condition, S::from_bits(splat<S>(-1)), typename S::F(0.0f)));
}

template <class S>
typename S::I choose(typename S::I mask, typename S::I yes, typename S::I no) noexcept {
  return (yes & mask) | (no & ~mask);
}

template <class S>
void encode_group_tq4(const typename S::F* columns, std::size_t width, float inverse_energy, bool search,
                      std::uint32_t* granules, std::int32_t* indices) noexcept {
  const typename S::F most = largest_magnitude<S>(columns, width);
  const typename S::I keep = lanes_where<S>(most >= typename S::F(kSmallestGroup));
  const typename S::I exponent = S::template shift_right32<23>(S::bits(most) & keep) - (splat<S>(127) & keep);
  const typename S::I shift = splat<S>(11) - exponent;
  IntegerGroup<S> group;
  to_integers<S>(columns, width, power_of_two<S>(shift), group);
  const typename S::F sigma = xsimd::sqrt(S::to_float(sum_of_squares<S>(group)) * typename S::F(inverse_energy));
  // Zero groups search from a harmless place.
  const typename S::I nearest = choose<S>(keep, index_of_scale<S>(sigma, 0x40000), splat<S>(100));
  const typename S::I index = best_index<S>(group, nearest, search);
  store_nibbles<S>(group, index, keep, granules);
  choose<S>(keep, index - (shift << 4), splat<S>(kZeroIndex)).store_unaligned(indices);
}

template <class S>
void encode_group_tq8(const typename S::F* columns, std::size_t width, std::uint32_t* granules,
                      std::int32_t* indices) noexcept {
  const typename S::F most = largest_magnitude<S>(columns, width);
  const typename S::I keep = lanes_where<S>(most >= typename S::F(kSmallestGroup));
  const typename S::I index =
      choose<S>(keep, index_of_scale<S>(most * typename S::F(1.0f / 127.0f), 0x7FFFF), splat<S>(0));
  const typename S::F inverse = S::divide(typename S::F(1.0f), scale_of_index<S>(index));
  const typename S::F limit(127.0f);
  for (std::size_t j = 0; j < width; j += 4) {
    typename S::I bytes = splat<S>(0);
    for (std::size_t i = 0; i < 4; ++i) {
      const typename S::F scaled = j + i < width ? columns[j + i] * inverse : typename S::F(0.0f);
      const typename S::I code = S::round(xsimd::max(xsimd::min(scaled, limit), -limit)) & keep;
      bytes = bytes | ((code + splat<S>(128)) << static_cast<int>(8 * i));
    }
    bytes.store_unaligned(reinterpret_cast<std::int32_t*>(granules + j / 4 * kTile));
  }
  choose<S>(keep, index, splat<S>(kZeroIndex)).store_unaligned(indices);
}

template <class S>
void encode_tile(const CodeShape& shape, const float* rows, std::uint32_t* granules, std::int32_t* indices) noexcept {
  const std::size_t padded = padded_dim(shape.dim);
  const bool tq4 = shape.format == Format::kTq4;
  for (std::size_t g = (shape.dim + 3) / 4 * kTile; g < padded / 4 * kTile; ++g) granules[g] = tq4 ? 0 : 0x80808080u;
  for (std::size_t lane = 0; lane < kTile; lane += S::kLanes) {
    for (std::size_t group = 0; group < shape.groups(); ++group) {
      const std::size_t first = group * shape.group;
      const std::size_t width = shape.dim - first < shape.group ? shape.dim - first : shape.group;
      typename S::F columns[kMaxGroup];
      transpose_rows<S>(rows + lane * padded + first, padded, round_up(width, S::kLanes), columns);
      std::uint32_t* out = granules + first / 4 * kTile + lane;
      std::int32_t* index = indices + group * kTile + lane;
      if (tq4) {
        const double sigma = static_cast<double>(width) * 22.319 * 22.319;
        encode_group_tq4<S>(columns, width, static_cast<float>(1.0 / sigma), shape.search != 0, out, index);
      } else {
        encode_group_tq8<S>(columns, width, out, index);
      }
    }
  }
}

}  // namespace
}  // namespace tq
