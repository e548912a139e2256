// Rotated values to codes (docs/format.md section 3), sixteen tokens at a time with one token per lane: every sum over a
// vector then runs down a lane, in integers, so that there is no horizontal sum and no rounding to agree on.
//
// Four neighbouring coordinates of a token form a granule. Their quantities travel as two registers of 16-bit pairs,
// (0, 2) and (1, 3), which interleave into the bytes 0 1 2 3 with one shift and one or.
#pragma once

#include "columns-inl.hpp"

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
// Scales of kLanes tokens from their bytes; byte 0 is zero. Without the block's 2^offset.
template <class S>
typename S::F scales_from_bytes(const std::uint8_t* bytes) noexcept {
  const typename S::I b = S::load_bytes(bytes);
  return S::where_not_zero(b, scale_of_index<S>(b));
}
// The scale index of a positive number, rounded by adding `round` to its bits.
template <class S>
typename S::I index_of_scale(typename S::F scale, std::int32_t round) noexcept {
  return S::template shift_right32<19>(S::bits(scale) + splat<S>(round)) - splat<S>(kIndexBias);
}

template <class S>
typename S::F column_at(const float* columns, std::size_t j) noexcept {
  return S::F::load_unaligned(columns + j * S::kLanes);
}

template <class S>
typename S::F largest_magnitude(const float* columns, std::size_t width) noexcept {
  typename S::F::register_type most[8];
  unroll<8>([&](auto i) TQ_INLINE { most[i] = typename S::F(0.0f); });
  std::size_t j = 0;
  for (; j + 8 <= width; j += 8)
    unroll<8>([&](auto i) TQ_INLINE { most[i] = S::max_magnitude(most[i], column_at<S>(columns, j + i)); });
  for (; j < width; ++j) most[0] = S::max_magnitude(most[0], column_at<S>(columns, j));
  unroll<4>([&](auto i) TQ_INLINE { most[i] = S::max_magnitude(most[i], most[i + 4]); });
  return S::max_magnitude(S::max_magnitude(most[0], most[1]), S::max_magnitude(most[2], most[3]));
}

// A group of up to 64 values of kLanes tokens as integers, and their magnitudes limited to 4095.
template <class S>
struct IntegerGroup {
  Pairs<S> value[kMaxGroup / 4], magnitude[kMaxGroup / 4];
  std::size_t granules;
  typename S::I last_bytes;  // which bytes of the last granule belong to the group
};

// The bits of v * 2^n + 1.5 * 2^23 end in rint(v * 2^n), for magnitudes up to 2^15. The product is exact (or far below
// a half), so that it makes no difference whether it is rounded.
template <class S>
typename S::I integer_bits(typename S::F v, typename S::F factor) noexcept {
  return S::bits(S::multiply_add(v, factor, typename S::F(12582912.0f)));
}

template <class S>
void to_integers(const float* columns, std::size_t width, typename S::F factor, IntegerGroup<S>& group) noexcept {
  group.granules = (width + 3) / 4;
  group.last_bytes = splat<S>(static_cast<std::int32_t>(0xFFFFFFFFu >> (8 * (4 * group.granules - width))));
  const typename S::I most = splat<S>(0x0FFF0FFF);
  for (std::size_t g = 0; g < group.granules; ++g) {
    typename S::I::register_type q[4];
    unroll<4>([&](auto i) TQ_INLINE { q[i] = integer_bits<S>(column_at<S>(columns, 4 * g + i), factor); });
    const Pairs<S> pairs{S::pair16(q[0], q[2]), S::pair16(q[1], q[3])};
    group.value[g] = pairs;
    group.magnitude[g] = {S::min16(S::abs16(pairs.even), most), S::min16(S::abs16(pairs.odd), most)};
  }
}

template <class S>
typename S::I sum_of_squares(const IntegerGroup<S>& group) noexcept {
  typename S::I sum = splat<S>(0);
  for (std::size_t g = 0; g < group.granules; ++g) {
    sum = S::multiply_add16(sum, group.magnitude[g].even, group.magnitude[g].even);
    sum = S::multiply_add16(sum, group.magnitude[g].odd, group.magnitude[g].odd);
  }
  return sum;
}

// Multipliers M = min(65535, floor(2^19 / scale)), twice in each lane. The quotient is at least 1/31 away from an integer or exact,
// far more than the rounding of the division.
template <class S>
typename S::I multiplier(typename S::I index) noexcept {
  typename S::I m;
  if constexpr (requires { S::multipliers(index); }) {
    m = S::multipliers(index);
  } else {
    const typename S::F quotient = S::divide(typename S::F(524288.0f), scale_of_index<S>(index));
    m = S::truncate(xsimd::min(quotient, typename S::F(65535.0f)));
  }
  return m | (m << 16);
}

// Half-units min(127, |q| M >> 18) of a granule, as bytes.
template <class S>
TQ_INLINE inline typename S::I half_units(const Pairs<S>& magnitude, typename S::I m) noexcept {
  const typename S::I most = splat<S>(0x01FF01FF);  // 127.75 half-units, in 1/4
  const typename S::I even = S::min16(S::multiply_high16(magnitude.even, m), most);
  const typename S::I odd = S::min16(S::multiply_high16(magnitude.odd, m), most);
  return S::template shift_right16<2>(even) |
         (S::template shift_left16<6>(odd) & splat<S>(static_cast<std::int32_t>(0xFF00FF00u)));
}

// What a search has found so far, for each token.
template <class S>
struct Best {
  typename S::F cost;
  typename S::I index;
};

// Tries the candidates nearest + steps[0 .. Count-1]. Their costs are scale * (scale * A - 2 B): the squared error less
// the energy of the group. A is the sum of centroid^2, B that of magnitude * centroid.
template <class S, int Count>
[[gnu::noinline]] void try_candidates(const IntegerGroup<S>& group, typename S::I nearest, const int* steps,
                                      Best<S>& best) noexcept {
  using Register = typename S::I::register_type;  // GCC keeps arrays of batches on the stack
  Register m[Count], squares[Count], even[Count], odd[Count];
  unroll<Count>([&](auto c) TQ_INLINE {
    m[c] = multiplier<S>(nearest + splat<S>(steps[c]));
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
    const typename S::F cost = scale * (scale * a - b * typename S::F(2.0f));
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

// Nibbles: code of the magnitude, sign in bit 3. Both are 0 where the integer is: in zero groups, and beyond the last
// coordinate.
template <class S>
void store_nibbles(const IntegerGroup<S>& group, typename S::I index, std::uint32_t* granules) noexcept {
  const typename S::I m = multiplier<S>(index);
  const typename S::I high = splat<S>(static_cast<std::int32_t>(0xFF00FF00u)), sign = splat<S>(0x08080808);
  for (std::size_t g = 0; g < group.granules; ++g) {
    const typename S::I code = S::nearest_code(half_units<S>(group.magnitude[g], m));
    // The high byte of an integer of 12 bits is all sign in its upper half.
    const typename S::I signs =
        (S::template shift_right16<8>(group.value[g].even) & ~high) | (group.value[g].odd & high);
    const typename S::I nibbles = code | (S::template shift_right16<4>(signs) & sign);
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

// A group on its way: what is known before its scale is searched for.
template <class S>
struct Tq4Group {
  IntegerGroup<S> integers;
  typename S::I keep, shift, nearest;
};

template <class S>
void start_group_tq4(const float* columns, std::size_t width, float inverse_energy, Tq4Group<S>& group) noexcept {
  const typename S::F most = largest_magnitude<S>(columns, width);
  group.keep = lanes_where<S>(most >= typename S::F(kSmallestGroup));
  const typename S::I exponent =
      S::template shift_right32<23>(S::bits(most) & group.keep) - (splat<S>(127) & group.keep);
  group.shift = splat<S>(11) - exponent;
  to_integers<S>(columns, width, power_of_two<S>(group.shift), group.integers);
  const typename S::F energy = S::to_float(sum_of_squares<S>(group.integers));
  const typename S::F sigma = xsimd::sqrt(energy * typename S::F(inverse_energy));
  // Zero groups search from a harmless place.
  group.nearest = choose<S>(group.keep, index_of_scale<S>(sigma, 0x40000), splat<S>(100));
}

template <class S>
void finish_group_tq4(const Tq4Group<S>& group, bool search, std::uint32_t* granules, std::int32_t* indices) noexcept {
  const typename S::I index = best_index<S>(group.integers, group.nearest, search);
  store_nibbles<S>(group.integers, index, granules);
  choose<S>(group.keep, index - (group.shift << 4), splat<S>(kZeroIndex)).store_unaligned(indices);
}

template <class S>
void encode_group_tq8(const float* columns, std::size_t width, std::uint32_t* granules,
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
      const typename S::F scaled = j + i < width ? column_at<S>(columns, j + i) * inverse : typename S::F(0.0f);
      const typename S::I code = S::round(xsimd::max(xsimd::min(scaled, limit), -limit)) & keep;
      bytes = bytes | ((code + splat<S>(128)) << static_cast<int>(8 * i));
    }
    bytes.store_unaligned(reinterpret_cast<std::int32_t*>(granules + j / 4 * kTile));
  }
  choose<S>(keep, index, splat<S>(kZeroIndex)).store_unaligned(indices);
}

// Codes of kLanes rotated rows, from token `lane` of a tile on. Groups go in pairs: the square root that one waits for is
// computed while the other is rounded.
template <class S>
void encode_columns(const CodeShape& shape, const float* columns, std::size_t lane, std::uint32_t* granules,
                    std::int32_t* indices) noexcept {
  const std::size_t groups = shape.groups();
  const auto width = [&](std::size_t g) {
    const std::size_t left = shape.dim - g * shape.group;
    return left < shape.group ? left : shape.group;
  };
  const auto own = [&](std::size_t g) { return columns + g * shape.group * S::kLanes; };
  const auto out = [&](std::size_t g) { return granules + g * shape.group / 4 * kTile + lane; };
  const auto index = [&](std::size_t g) { return indices + g * kTile + lane; };
  if (shape.format == Format::kTq8) {
    for (std::size_t g = 0; g < groups; ++g) encode_group_tq8<S>(own(g), width(g), out(g), index(g));
    return;
  }
  Tq4Group<S> pair[2];
  for (std::size_t first = 0; first < groups; first += 2) {
    const std::size_t end = first + 2 < groups ? first + 2 : groups;
    for (std::size_t g = first; g < end; ++g) {
      const double sigma = static_cast<double>(width(g)) * 22.319 * 22.319;
      start_group_tq4<S>(own(g), width(g), static_cast<float>(1.0 / sigma), pair[g - first]);
    }
    for (std::size_t g = first; g < end; ++g) finish_group_tq4<S>(pair[g - first], shape.search != 0, out(g), index(g));
  }
}

template <class S>
void encode_tile(const CodeShape& shape, const Rotation& rotation, RowSource source, std::size_t count, RowSource next,
                 const float* subtract, float* scratch, std::uint32_t* granules, std::int32_t* indices) noexcept {
  const std::size_t padded = padded_dim(shape.dim);
  const std::uint32_t zero = shape.format == Format::kTq4 ? 0 : 0x80808080u;
  for (std::size_t g = (shape.dim + 3) / 4 * kTile; g < padded / 4 * kTile; ++g) granules[g] = zero;
  float* columns = scratch + S::kLanes * padded;
  for (std::size_t lane = 0; lane < kTile; lane += S::kLanes) {
    const std::size_t left = count > lane ? count - lane : 0;
    rotated_columns<S>(rows_from(source, lane), left < S::kLanes ? left : S::kLanes, rows_from(next, lane), rotation,
                       subtract, scratch, columns);
    encode_columns<S>(shape, columns, lane, granules, indices);
  }
}

}  // namespace
}  // namespace tq
