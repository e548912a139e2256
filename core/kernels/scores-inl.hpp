// Dot products of queries with the 64 keys of a block, one token per lane: no horizontal sums.
//   score = query scale * 2^offset * sum over groups of group scale * sum over coordinates of code * query integer
#pragma once

#include "fetch-inl.hpp"
#include "fold-inl.hpp"
#include "pack-inl.hpp"
#include "rows-inl.hpp"

namespace tq {
namespace {

// tq4 keys: one query digit, |q| <= 127; tq8 keys: two digits of 7 bits, q = 128 high + low.
inline constexpr std::int32_t kDigitRange = 127, kTwoDigitRange = 127 * 128;

// Digits of kLanes query integers, as bytes.
template <class S>
void store_digits(typename S::I q, bool one_digit, std::uint8_t* high_bytes, std::uint8_t* low_bytes) noexcept {
  const typename S::I byte = splat<S>(0xFF);
  if (one_digit) return S::store_bytes(q & byte, high_bytes);
  const typename S::I high = S::template shift_right32<7>(q + splat<S>(64 + (128 << 7))) - splat<S>(128);
  S::store_bytes(high & byte, high_bytes);
  S::store_bytes((q - (high << 7)) & byte, low_bytes);
}

template <class S>
float quantize_query(const CodeShape& shape, const float* rotated, float scale, std::int32_t* digits,
                     std::int32_t* group_sums) noexcept {
  const bool one_digit = shape.format == Format::kTq4;
  const auto range = static_cast<float>(one_digit ? kDigitRange : kTwoDigitRange);
  const std::size_t padded = padded_dim(shape.dim);
  const float largest = largest_of_row<S>(rotated, padded);
  const typename S::F factor(largest > 0 ? range / largest : 0.0f);
  auto* high_bytes = reinterpret_cast<std::uint8_t*>(digits);
  auto* low_bytes = reinterpret_cast<std::uint8_t*>(digits + padded / 4);
  for (std::size_t group = 0; group < shape.groups(); ++group) {
    typename S::I sum = splat<S>(0);
    const std::size_t first = group * shape.group;
    const std::size_t end = first + shape.group < padded ? first + shape.group : padded;
    for (std::size_t j = first; j < end; j += S::kLanes) {
      const typename S::I q = S::round(S::F::load_unaligned(rotated + j) * factor);
      store_digits<S>(q, one_digit, high_bytes + j, low_bytes + j);
      sum = sum + q;
    }
    group_sums[group] = static_cast<std::int32_t>(S::sum(S::to_float(sum)));  // exact: below 2^24
  }
  return scale * (largest / range);
}

// How many vectors of tokens to keep in flight, with `sums` accumulators each: enough to hide the latency of a dot
// product and to share the loads of query digits, and few enough that compilers do not spill.
template <class S>
constexpr int token_vectors(int sums) {
  const int budget = (S::kRegisters >= 32 ? 16 : 4) / sums;
  const int most = static_cast<int>(kBlockTokens) / S::kLanes < 4 ? static_cast<int>(kBlockTokens) / S::kLanes : 4;
  return budget < 1 ? 1 : budget > most ? most : budget == 3 ? 2 : budget;
}

// What a scores kernel needs of a query for one group of coordinates.
struct GroupQuery {
  const std::int32_t* digits;
  std::int32_t bias;  // cancels what lookup tables add to the codes
};

// From the codes that are being read to those that follow them.
struct Ahead {
  explicit Ahead(const CodedSide& side)
      : next(side.next - side.codes), later(side.later != nullptr ? side.later - side.codes : 0) {}
  std::ptrdiff_t next, later;  // later is 0 if there is nothing to ask for
};

// What a kernel reads: codes as they are stored, or tq4 codes looked up beforehand, a byte each (shared-inl.hpp).
enum class Codes { kTq4, kTq8, kWide };
template <Codes Code>
inline constexpr std::size_t kWidening = Code == Codes::kWide ? 2 : 1;  // bytes in place of one

// The codes of the low and of the high nibbles of a vector; wide ones are `apart` bytes apart.
template <class S>
struct TwoCodes {
  typename S::I low, high;
};
template <class S, Codes Code>
TQ_INLINE inline TwoCodes<S> two_codes(typename S::I table, const std::uint8_t* at, std::size_t apart) noexcept {
  if constexpr (Code == Codes::kWide) return {load_lanes<S>(at), load_lanes<S>(at + apart)};
  const typename S::I stored = load_lanes<S>(at);
  return {S::lookup_low(table, stored), S::lookup_high(table, stored)};
}

// Integer dot products of `Vectors` vectors of tq4 keys with the queries. Where sums are few and registers many, the two
// nibbles of a byte get sums of their own, to hide the latency of a dot product.
template <class S, Codes Code, int Rows, int Vectors>
TQ_INLINE inline void dot_nibbles(const std::uint8_t* codes, std::size_t cells, Ahead ahead,
                                  const GroupQuery (&queries)[Rows],
                                  typename S::I::register_type (&sum)[Rows * Vectors]) noexcept {
  using Register = typename S::I::register_type;
  static constexpr Table16 centroids = signed_centroids(S::kNibbleBias);
  constexpr int count = Rows * Vectors;
  constexpr bool split = S::kRegisters >= 32 && count < 8;
  const Register table = S::table(centroids);
  Register low_sum[count], high_sum[split ? count : 1];
  unroll<count>([&](auto i) TQ_INLINE {
    low_sum[i] = splat<S>(queries[i / Vectors].bias);
    if constexpr (split) high_sum[i] = splat<S>(0);
  });
  for (std::size_t cell = 0; cell < cells; ++cell) {
    if constexpr (Code != Codes::kWide) {
      prefetch<Vectors * S::kLanes * 4>(codes + cell * 256 + ahead.next);
      if (ahead.later != 0) prefetch_later<Vectors * S::kLanes * 4>(codes + cell * 256 + ahead.later);
    }
    Register low_digit[Rows], high_digit[Rows];
    unroll<Rows>([&](auto r) TQ_INLINE {
      low_digit[r] = splat<S>(queries[r].digits[2 * cell]);
      high_digit[r] = splat<S>(queries[r].digits[2 * cell + 1]);
    });
    unroll<Vectors>([&](auto v) TQ_INLINE {
      const std::uint8_t* at = codes + kWidening<Code> * cell * 256 + v * S::kLanes * 4;
      const auto [low, high] = two_codes<S, Code>(table, at, 256);
      unroll<Rows>([&](auto r) TQ_INLINE {
        constexpr int i = r * Vectors + v;
        low_sum[i] = S::dot(low_sum[i], low, low_digit[r]);
        if constexpr (split) {
          high_sum[i] = S::dot(high_sum[i], high, high_digit[r]);
        } else {
          low_sum[i] = S::dot(low_sum[i], high, high_digit[r]);
        }
      });
    });
  }
  unroll<count>([&](auto i) TQ_INLINE {
    sum[i] = low_sum[i];
    if constexpr (split) sum[i] = typename S::I(low_sum[i]) + typename S::I(high_sum[i]);
  });
}

// The same for tq8 keys and queries of two digits; `low_digits`: from the high digits to the low ones.
template <class S, int Rows, int Vectors>
TQ_INLINE inline void dot_bytes(const std::uint8_t* codes, std::size_t cells, Ahead ahead,
                                const GroupQuery (&queries)[Rows], std::size_t low_digits,
                                typename S::I::register_type (&sum)[Rows * Vectors]) noexcept {
  using Register = typename S::I::register_type;
  constexpr int count = Rows * Vectors;
  Register low_sum[count], high_sum[count];
  unroll<count>([&](auto i) TQ_INLINE {
    low_sum[i] = splat<S>(queries[i / Vectors].bias);
    high_sum[i] = splat<S>(0);
  });
  for (std::size_t cell = 0; cell < cells; ++cell) {
    prefetch<Vectors * S::kLanes * 4>(codes + cell * 256 + ahead.next);
    if (ahead.later != 0) prefetch_later<Vectors * S::kLanes * 4>(codes + cell * 256 + ahead.later);
    unroll<Vectors>([&](auto v) TQ_INLINE {
      const typename S::I stored = S::byte_codes(load_lanes<S>(codes + cell * 256 + v * S::kLanes * 4));
      unroll<Rows>([&](auto r) TQ_INLINE {
        constexpr int i = r * Vectors + v;
        high_sum[i] = S::dot_wide(high_sum[i], stored, splat<S>(queries[r].digits[cell]));
        low_sum[i] = S::dot_wide(low_sum[i], stored, splat<S>(queries[r].digits[low_digits + cell]));
      });
    });
  }
  unroll<count>([&](auto i) TQ_INLINE { sum[i] = (typename S::I(high_sum[i]) << 7) + typename S::I(low_sum[i]); });
}

// Scales as they are stored, or as floats without the block's 2^offset.
template <class S>
typename S::F load_scales(const std::uint8_t* scales) noexcept {
  return scales_from_bytes<S>(scales);
}
template <class S>
typename S::F load_scales(const float* scales) noexcept {
  return S::F::load_aligned(scales);
}

// scores[r][t] (+)= group scale * dot product, for the tokens of `Vectors` vectors; += except for the first group.
template <class S, Codes Code, int Rows, int Vectors, class Scale>
[[gnu::noinline]] void add_group_scores(const std::uint8_t* codes, std::size_t cells, Ahead ahead,
                                        std::size_t low_digits, const Scale* scales, const GroupQuery (&queries)[Rows],
                                        bool first, float* scores) noexcept {
  typename S::I::register_type sum[Rows * Vectors];
  if constexpr (Code != Codes::kTq8) {
    dot_nibbles<S, Code, Rows, Vectors>(codes, cells, ahead, queries, sum);
  } else {
    dot_bytes<S, Rows, Vectors>(codes, cells, ahead, queries, low_digits, sum);
  }
  unroll<Vectors>([&](auto v) TQ_INLINE {
    const typename S::F scale = load_scales<S>(scales + v * S::kLanes);
    unroll<Rows>([&](auto r) TQ_INLINE {
      float* to = scores + r * kBlockTokens + v * S::kLanes;
      const typename S::F product = S::to_float(sum[r * Vectors + v]);
      (first ? product * scale : S::multiply_add(product, scale, S::F::load_aligned(to))).store_aligned(to);
    });
  });
}

// Scores (64-byte aligned) without the factor of the query and the offset of the block; scales: [group][token].
template <class S, Codes Code, int Rows, class Scale>
void raw_scores(const CodeShape& shape, const CodedSide& keys, const Scale* scales, const CodedQuery* queries,
                float* scores) noexcept {
  constexpr bool tq4 = Code != Codes::kTq8;
  constexpr int vectors = token_vectors<S>(tq4 ? Rows : 2 * Rows);
  constexpr std::size_t cell_dims = tq4 ? 8 : 4;
  constexpr std::int32_t bias = tq4 ? S::kNibbleBias : S::kByteBias;
  const std::size_t low_digits = padded_dim(shape.dim) / 4;
  const Ahead ahead(keys);
  for (std::size_t first = 0, group = 0; first < shape.dim; first += shape.group, ++group) {
    const std::size_t end = first + shape.group < shape.dim ? first + shape.group : shape.dim;
    GroupQuery group_queries[Rows];
    for (int r = 0; r < Rows; ++r)
      group_queries[r] = {queries[r].digits + first / 4, -bias * queries[r].group_sums[group]};
    const std::size_t cells = (end - first + cell_dims - 1) / cell_dims,
                      offset = kWidening<Code> * first / cell_dims * 256;
    for (std::size_t t = 0; t < kBlockTokens; t += vectors * S::kLanes) {
      add_group_scores<S, Code, Rows, vectors>(keys.codes + offset + t * 4, cells, ahead, low_digits,
                                               scales + group * kBlockTokens + t, group_queries, group == 0,
                                               scores + t);
    }
  }
}

template <class S, Codes Code, int Rows>
void coded_scores_of(const CodeShape& shape, const CodedSide& keys, const CodedQuery* queries, float* scores,
                     std::size_t stride) noexcept {
  alignas(64) float raw[Rows * kBlockTokens];
  raw_scores<S, Code, Rows>(shape, keys, keys.scales, queries, raw);
  for (int r = 0; r < Rows; ++r) {
    prefetch_write<kBlockTokens * sizeof(float)>(scores + r * stride + kBlockTokens);  // where the next ones may go
    const typename S::F factor(queries[r].scale * keys.offset_scale);
    for (std::size_t t = 0; t < kBlockTokens; t += S::kLanes)
      (S::F::load_aligned(raw + r * kBlockTokens + t) * factor).store_unaligned(scores + r * stride + t);
  }
}

// Calls body(constant R) for the number of rows, 1..kMaxRows.
template <class Body>
void with_rows(std::size_t rows, const Body& body) noexcept {
  switch (rows) {
    case 1: return body(Size<1>{});
    case 2: return body(Size<2>{});
    case 3: return body(Size<3>{});
    default: return body(Size<4>{});
  }
}

template <class S>
void coded_scores(const CodeShape& shape, const CodedSide& keys, const CodedQuery* queries, std::size_t rows,
                  float* scores, std::size_t stride) noexcept {
  with_rows(rows, [&](auto r) {
    constexpr int Rows = decltype(r)::value;
    if (shape.format == Format::kTq4)
      return coded_scores_of<S, Codes::kTq4, Rows>(shape, keys, queries, scores, stride);
    coded_scores_of<S, Codes::kTq8, Rows>(shape, keys, queries, scores, stride);
  });
}

}  // namespace
}  // namespace tq
