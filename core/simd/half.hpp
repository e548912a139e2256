// Scalar 16-bit float conversions, exact and round to nearest even. Integer arithmetic only, so that they do not depend
// on the CPU or on a denormals-are-zero mode of the host program. The vector versions give the same bits.
#pragma once

#include <cstdint>
#include <cstring>

namespace tq {
namespace {

[[maybe_unused]] inline float float_from_bits(std::uint32_t bits) noexcept {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

[[maybe_unused]] inline std::uint32_t bits_of(float value) noexcept {
  std::uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

[[maybe_unused]] inline float f32_from_bf16(std::uint16_t h) noexcept {
  return float_from_bits(static_cast<std::uint32_t>(h) << 16);
}

// Finite and infinite values; a NaN may become infinite, callers refuse NaN before.
[[maybe_unused]] inline std::uint16_t bf16_from_f32(float value) noexcept {
  const std::uint32_t bits = bits_of(value);
  return static_cast<std::uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

[[maybe_unused]] inline float f32_from_f16(std::uint16_t h) noexcept {
  const std::uint32_t sign = static_cast<std::uint32_t>(h & 0x8000u) << 16;
  const std::uint32_t magnitude = h & 0x7FFFu;
  if (magnitude >= 0x7C00u) return float_from_bits(sign | 0x7F800000u | ((magnitude & 0x3FFu) << 13));
  if (magnitude >= 0x0400u) return float_from_bits(sign | ((magnitude << 13) + (112u << 23)));
  // Subnormal: put the fraction under an implicit one of 2^-14, then take that one away; both are normal numbers.
  const float fraction = float_from_bits((113u << 23) | (magnitude << 13)) - float_from_bits(113u << 23);
  return float_from_bits(sign | bits_of(fraction));
}

[[maybe_unused]] inline std::uint16_t f16_from_f32(float value) noexcept {
  const std::uint32_t bits = bits_of(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
  const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude >= 0x47800000u) {  // 65536 and beyond, infinity, NaN
    return static_cast<std::uint16_t>(sign | 0x7C00u | (magnitude > 0x7F800000u ? 0x0200u : 0u));
  }
  if (magnitude >= 0x38800000u) {  // normal; a carry out of the fraction may reach infinity, as it should
    const std::uint32_t rounded = magnitude + 0x0FFFu + ((magnitude >> 13) & 1u);
    return static_cast<std::uint16_t>(sign | ((rounded - (112u << 23)) >> 13));
  }
  if (magnitude < 0x33000000u) return sign;  // below half of the smallest subnormal, 2^-25
  const std::uint32_t shift = 126u - (magnitude >> 23);
  const std::uint32_t fraction = (magnitude & 0x7FFFFFu) | 0x800000u;
  const std::uint32_t half = 1u << (shift - 1);
  const std::uint32_t odd = (fraction >> shift) & 1u;
  return static_cast<std::uint16_t>(sign | ((fraction + half - 1u + odd) >> shift));
}

}  // namespace
}  // namespace tq
