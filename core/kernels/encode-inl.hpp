// Rotated values to codes (docs/format.md section 3), sixteen tokens at a time with one token per lane: every sum over a
// vector then runs down a lane, in integers, so that there is no horizontal sum and no rounding to agree on.
#pragma once

#include "integers-inl.hpp"

namespace tq {
namespace {

inline constexpr int kCandidates[] = {-7, -5, -3, -2, -1, 1, 3};  // around the scale that the norm suggests

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

// Nibbles in the upper half of each byte: code of the magnitude, sign in bit 7. Both are 0 where the integer is: in zero
// groups, and beyond the last coordinate.
template <class S>
void store_nibbles(const IntegerGroup<S>& group, typename S::I index, std::uint32_t* granules) noexcept {
  const typename S::I m = multiplier<S>(index);
  const typename S::I sign = splat<S>(static_cast<std::int32_t>(0x80808080u));
  for (std::size_t g = 0; g < group.granules; ++g) {
    const typename S::I code = S::nearest_nibble(half_units<S>(group.magnitude[g], m));
    // The high byte of an integer of 12 bits is all sign in its upper half.
    const typename S::I signs = S::high_bytes(group.value[g].even, group.value[g].odd);
    const typename S::I nibbles = code | (signs & sign);
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
void start_group_tq4(const float* columns, std::size_t width, typename S::F most, float inverse_energy,
                     Tq4Group<S>& group) noexcept {
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

// Returns the largest magnitude of each row.
template <class S>
typename S::F encode_group_tq8(const float* columns, std::size_t width, std::uint32_t* granules,
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
  return most;
}

// Codes of kLanes rotated rows, from token `lane` of a tile on. Groups go in pairs: the square root that one waits for is
// computed while the other is rounded. Returns the sum over the groups of the largest magnitudes.
template <class S>
typename S::F encode_columns(const CodeShape& shape, const float* columns, std::size_t lane, std::uint32_t* granules,
                             std::int32_t* indices) noexcept {
  const std::size_t groups = shape.groups();
  const auto width = [&](std::size_t g) {
    const std::size_t left = shape.dim - g * shape.group;
    return left < shape.group ? left : shape.group;
  };
  const auto own = [&](std::size_t g) { return columns + g * shape.group * S::kLanes; };
  const auto out = [&](std::size_t g) { return granules + g * shape.group / 4 * kTile + lane; };
  const auto index = [&](std::size_t g) { return indices + g * kTile + lane; };
  typename S::F sum(0.0f);
  if (shape.format == Format::kTq8) {
    for (std::size_t g = 0; g < groups; ++g) sum = sum + encode_group_tq8<S>(own(g), width(g), out(g), index(g));
    return sum;
  }
  Tq4Group<S> pair[2];
  for (std::size_t first = 0; first < groups; first += 2) {
    const std::size_t end = first + 2 < groups ? first + 2 : groups;
    typename S::F most[2];
    for (std::size_t g = first; g < end; ++g) most[g - first] = largest_magnitude<S>(own(g), width(g));
    for (std::size_t g = first; g < end; ++g) {
      const double sigma = static_cast<double>(width(g)) * 22.319 * 22.319;
      start_group_tq4<S>(own(g), width(g), most[g - first], static_cast<float>(1.0 / sigma), pair[g - first]);
      sum = sum + most[g - first];
    }
    for (std::size_t g = first; g < end; ++g) finish_group_tq4<S>(pair[g - first], shape.search != 0, out(g), index(g));
  }
  return sum;
}

// 0 for rows that were finite before they were rotated: otherwise every value of a run of the transform is not.
template <class S>
typename S::F zero_if_finite(const Rotation& rotation, const float* columns) noexcept {
  typename S::F sum(0.0f);
  for (std::size_t j = 0; j < rotation.dim; j += rotation.block) {
    const typename S::F first = column_at<S>(columns, j);
    sum = sum + (first - first);
  }
  return sum;
}

template <class S>
float encode_tile(const CodeShape& shape, const Rotation& rotation, const RowSource& source, std::size_t count,
                  const RowSource& next, const float* subtract, float* scratch, std::uint32_t* granules,
                  std::int32_t* indices) noexcept {
  const std::size_t padded = padded_dim(shape.dim);
  const std::uint32_t zero = shape.format == Format::kTq4 ? 0 : 0x80808080u;
  for (std::size_t g = (shape.dim + 3) / 4 * kTile; g < padded / 4 * kTile; ++g) granules[g] = zero;
  float* columns = scratch + S::kLanes * padded;
  typename S::F bound(0.0f);
  for (std::size_t lane = 0; lane < kTile; lane += S::kLanes) {
    const std::size_t left = count > lane ? count - lane : 0;
    rotated_columns<S>(row_from(source, lane), left < S::kLanes ? left : S::kLanes, next_from(next, lane), rotation,
                       subtract, scratch, columns);
    bound = bound + encode_columns<S>(shape, columns, lane, granules, indices) + zero_if_finite<S>(rotation, columns);
  }
  return S::sum(bound);
}

}  // namespace
}  // namespace tq
