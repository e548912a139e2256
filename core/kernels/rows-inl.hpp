// Rows of user data (f32, f16, bf16) to floats and back, summed, and rotated.
#pragma once

#include "fwht-inl.hpp"

namespace tq {
namespace {

template <Element E>
struct Elements;

template <>
struct Elements<Element::kF32> {
  using Type = float;
  template <class S>
  static typename S::F load(const float* p) noexcept {
    return S::F::load_unaligned(p);
  }
  template <class S>
  static void store(typename S::F v, float* p) noexcept {
    v.store_unaligned(p);
  }
  template <class S>
  static void store_small(typename S::F v, float* p) noexcept {
    v.store_unaligned(p);
  }
  static float to_float(float v) noexcept { return v; }
  static float from_float(float v) noexcept { return v; }
};

// Decoded values may exceed what was encoded; f16 saturates instead of becoming infinite.
inline constexpr float kLargestF16 = 65504.0f;

template <>
struct Elements<Element::kF16> {
  using Type = std::uint16_t;
  template <class S>
  static typename S::F load(const std::uint16_t* p) noexcept {
    return S::load_f16(p);
  }
  template <class S>
  static void store(typename S::F v, std::uint16_t* p) noexcept {
    S::store_f16(S::limit(v, typename S::F(kLargestF16)), p);
  }
  template <class S>  // of values that f16 holds
  static void store_small(typename S::F v, std::uint16_t* p) noexcept {
    S::store_f16(v, p);
  }
  template <class S>
  static void split(typename S::I pairs, typename S::F& even, typename S::F& odd) noexcept {
    S::split_f16(pairs, even, odd);
  }
  static float to_float(std::uint16_t v) noexcept { return f32_from_f16(v); }
  static std::uint16_t from_float(float v) noexcept {
    return f16_from_f32(v > kLargestF16 ? kLargestF16 : v < -kLargestF16 ? -kLargestF16 : v);
  }
};

template <>
struct Elements<Element::kBf16> {
  using Type = std::uint16_t;
  template <class S>
  static typename S::F load(const std::uint16_t* p) noexcept {
    return S::load_bf16(p);
  }
  template <class S>
  static void store(typename S::F v, std::uint16_t* p) noexcept {
    S::store_bf16(v, p);
  }
  template <class S>
  static void store_small(typename S::F v, std::uint16_t* p) noexcept {
    S::store_bf16(v, p);
  }
  template <class S>
  static void split(typename S::I pairs, typename S::F& even, typename S::F& odd) noexcept {
    even = S::from_bits(pairs << 16);
    odd = S::from_bits(pairs & splat<S>(static_cast<std::int32_t>(0xFFFF0000u)));
  }
  static float to_float(std::uint16_t v) noexcept { return f32_from_bf16(v); }
  static std::uint16_t from_float(float v) noexcept { return bf16_from_f32(v); }
};

template <class Body>
auto with_element(Element element, const Body& body) noexcept {
  switch (element) {
    case Element::kF16: return body(Elements<Element::kF16>{});
    case Element::kBf16: return body(Elements<Element::kBf16>{});
    default: return body(Elements<Element::kF32>{});
  }
}

// Unaligned user pointers: elements are read with memcpy semantics through the simd loads and this.
template <class E>
float read_element(const void* row, std::size_t i) noexcept {
  typename E::Type value;
  std::memcpy(&value, static_cast<const char*>(row) + i * sizeof value, sizeof value);
  return E::to_float(value);
}
template <class E>
void write_element(void* row, std::size_t i, float v) noexcept {
  const typename E::Type value = E::from_float(v);
  std::memcpy(static_cast<char*>(row) + i * sizeof value, &value, sizeof value);
}
template <class E>
const typename E::Type* elements_at(const void* row, std::size_t i) noexcept {
  return reinterpret_cast<const typename E::Type*>(static_cast<const char*>(row) + i * sizeof(typename E::Type));
}
template <class E>
typename E::Type* elements_at(void* row, std::size_t i) noexcept {
  return reinterpret_cast<typename E::Type*>(static_cast<char*>(row) + i * sizeof(typename E::Type));
}
template <class E>
const void* row_at(const RowSource& source, std::size_t row) noexcept {
  return elements_at<E>(source.data, row * source.stride);
}

template <class S, class E>
void load_row(const void* row, std::size_t dim, float* out) noexcept {
  std::size_t i = 0;
  for (; i + S::kLanes <= dim; i += S::kLanes) E::template load<S>(elements_at<E>(row, i)).store_unaligned(out + i);
  for (; i < dim; ++i) out[i] = read_element<E>(row, i);
  for (const std::size_t end = padded_dim(dim); i < end; ++i) out[i] = 0;
}

template <class S>
void load_rows(const RowSource& source, std::size_t count, std::size_t dim, float* rows) noexcept {
  with_element(source.element, [&](auto e) {
    using E = decltype(e);
    for (std::size_t r = 0; r < count; ++r) load_row<S, E>(row_at<E>(source, r), dim, rows + r * padded_dim(dim));
  });
}

template <class S>
void store_rows(const float* rows, std::size_t row_stride, std::size_t count, std::size_t dim,
                const RowTarget& target) noexcept {
  with_element(target.element, [&](auto e) {
    using E = decltype(e);
    for (std::size_t r = 0; r < count; ++r) {
      void* out = elements_at<E>(target.data, r * target.stride);
      const float* row = rows + r * row_stride;
      std::size_t i = 0;
      for (; i + S::kLanes <= dim; i += S::kLanes)
        E::template store<S>(S::F::load_unaligned(row + i), elements_at<E>(out, i));
      for (; i < dim; ++i) write_element<E>(out, i, row[i]);
    }
  });
}

template <class S>
void convert_rows(const RowSource& source, std::size_t count, std::size_t dim, const RowTarget& target) noexcept {
  with_element(source.element, [&](auto from) {
    using From = decltype(from);
    with_element(target.element, [&](auto to) {
      using To = decltype(to);
      for (std::size_t r = 0; r < count; ++r) {
        const void* row = row_at<From>(source, r);
        void* out = elements_at<To>(target.data, r * target.stride);
        std::size_t i = 0;
        for (; i + S::kLanes <= dim; i += S::kLanes)
          To::template store<S>(From::template load<S>(elements_at<From>(row, i)), elements_at<To>(out, i));
        for (; i < dim; ++i) write_element<To>(out, i, read_element<From>(row, i));
      }
    });
  });
}

// sum[0 .. Count * kLanes - 1] += those elements of the rows from coordinate j on.
template <class S, class E, int Count>
void sum_part(const RowSource& source, std::size_t count, std::size_t j, float* sum) noexcept {
  typename S::F::register_type total[Count];
  unroll<Count>([&](auto i) TQ_INLINE { total[i] = S::F::load_unaligned(sum + i * S::kLanes); });
  for (std::size_t r = 0; r < count; ++r) {
    const auto* row = elements_at<E>(source.data, r * source.stride + j);
    unroll<Count>([&](auto i) TQ_INLINE { total[i] = total[i] + E::template load<S>(row + i * S::kLanes); });
  }
  unroll<Count>([&](auto i) TQ_INLINE { typename S::F(total[i]).store_unaligned(sum + i * S::kLanes); });
}

template <class S>
void sum_rows(const RowSource& source, std::size_t count, std::size_t dim, float* sum) noexcept {
  constexpr std::size_t lanes = S::kLanes;
  with_element(source.element, [&](auto e) {
    using E = decltype(e);
    std::size_t j = 0;
    for (; j + 8 * lanes <= dim; j += 8 * lanes) sum_part<S, E, 8>(source, count, j, sum + j);
    for (; j + lanes <= dim; j += lanes) sum_part<S, E, 1>(source, count, j, sum + j);
    for (; j < dim; ++j)
      for (std::size_t r = 0; r < count; ++r) sum[j] += read_element<E>(row_at<E>(source, r), j);
  });
}

template <class S>
typename S::F flip_signs(typename S::F v, const std::uint32_t* signs) noexcept {
  return S::from_bits(S::bits(v) ^ S::I::load_unaligned(reinterpret_cast<const std::int32_t*>(signs)));
}

struct Subtract {
  const float* row;
  template <class F>
  F operator()(F v, std::size_t i) const noexcept {
    return v - F::load_unaligned(row + i);
  }
};

template <class S, class E, int N, class Finish>
void rotate_row(const void* row, const Rotation& rotation, Finish finish, float* out) noexcept {
  const std::size_t dim = rotation.dim, padded = padded_dim(dim);
  const std::uint32_t* signs = rotation.signs;
  if (dim % S::kLanes == 0) {  // straight from the source
    const auto load = [row, signs](std::size_t i) {
      return flip_signs<S>(E::template load<S>(elements_at<E>(row, i)), signs + i);
    };
    fwht_runs<S, N>(out, dim, Loaded<S, decltype(load)>{load}, finish);
    for (std::size_t i = dim; i < padded; i += S::kLanes) finish(typename S::F(0.0f), i).store_unaligned(out + i);
  } else {  // runs are shorter than a register, and zero padding does not mix with them
    load_row<S, E>(row, dim, out);
    const auto load = [out, signs](std::size_t i) { return flip_signs<S>(S::F::load_unaligned(out + i), signs + i); };
    fwht_runs<S, N>(out, padded, Loaded<S, decltype(load)>{load}, finish);
  }
}

template <class S>
void rotate_rows(const RowSource& source, std::size_t count, const Rotation& rotation, const float* subtract,
                 float* rows) noexcept {
  with_element(source.element, [&](auto e) {
    using E = decltype(e);
    with_size(rotation.block, [&](auto n) {
      constexpr int N = decltype(n)::value;
      for (std::size_t r = 0; r < count; ++r) {
        const void* row = row_at<E>(source, r);
        float* out = rows + r * padded_dim(rotation.dim);
        if (subtract == nullptr) {
          rotate_row<S, E, N>(row, rotation, Unscaled{}, out);
        } else {
          rotate_row<S, E, N>(row, rotation, Subtract{subtract}, out);
        }
      }
    });
  });
}

// Undoes the factor of the transform and the signs; adds a row unless it is NULL.
template <class S>
struct Unrotated {
  float inverse;
  const std::uint32_t* signs;
  const float* add;
  typename S::F operator()(typename S::F v, std::size_t i) const noexcept {
    v = flip_signs<S>(v * typename S::F(inverse), signs + i);
    return add != nullptr ? v + S::F::load_unaligned(add + i) : v;
  }
};

template <class S>
void unrotate_rows(float* rows, std::size_t count, const Rotation& rotation, const float* add) noexcept {
  const std::size_t padded = padded_dim(rotation.dim);
  const std::size_t transformed = rotation.dim % S::kLanes == 0 ? rotation.dim : padded;
  const Unrotated<S> finish{1.0f / static_cast<float>(rotation.block), rotation.signs, add};
  with_size(rotation.block, [&](auto n) {
    for (float* row = rows; row < rows + count * padded; row += padded) {
      fwht_runs<S, decltype(n)::value>(row, transformed, Floats<S>{row}, finish);
      for (std::size_t i = transformed; i < padded; i += S::kLanes)
        finish(S::F::load_unaligned(row + i), i).store_unaligned(row + i);
    }
  });
}

}  // namespace
}  // namespace tq
