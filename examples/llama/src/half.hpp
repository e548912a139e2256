// The 16-bit floating-point types of model files and of the KV cache, converted without help from the CPU.
#pragma once

#include <bit>
#include <cstdint>

namespace llama {

inline float bf16_to_f32(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

inline float f16_to_f32(std::uint16_t bits) {
  // The exponent of f16 is biased by 15, that of f32 by 127: scaling by 2^112 corrects it, for subnormal numbers too.
  const float magnitude = std::bit_cast<float>((bits & 0x7fffu) << 13) * 0x1p112f;
  std::uint32_t result = std::bit_cast<std::uint32_t>(magnitude) | (bits & 0x8000u) << 16;
  if ((bits & 0x7c00u) == 0x7c00u) result |= 0x7f800000u;  // infinity and NaN
  return std::bit_cast<float>(result);
}

// Rounds to nearest, ties to even. Values beyond 65504 become infinity, which the cache refuses by name.
inline std::uint16_t f32_to_f16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = bits >> 16 & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  std::uint32_t result;
  if (magnitude > 0x7f800000u) {
    result = 0x7e00u;  // NaN
  } else if (magnitude >= 0x477ff000u) {
    result = 0x7c00u;  // infinity, or rounds to it
  } else if (magnitude < 0x38800000u) {
    // Subnormal in f16. The last place of 0.5f is 2^-24, that of such a number: the addition rounds it.
    result = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
  } else {
    const std::uint32_t last_kept_bit = magnitude >> 13 & 1u;
    result = (magnitude - 0x38000000u + 0xfffu + last_kept_bit) >> 13;
  }
  return static_cast<std::uint16_t>(sign | result);
}

}  // namespace llama
