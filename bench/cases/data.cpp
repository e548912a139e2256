#include "cases/data.hpp"

#ifdef __linux__
#include <sys/mman.h>
#endif

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <random>

namespace bench {

std::uint16_t f16_of(float x) {
  const float magnitude = std::fabs(x);
  // Adding and taking away a power of two rounds to the ten fraction bits that f16 keeps at this size.
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  const float step = std::ldexp(1.0f, std::max(exponent - 11, -24));
  const float rounded = std::nearbyint(magnitude / step) * step;
  std::frexp(rounded, &exponent);
  std::uint32_t bits = 0;
  if (rounded >= std::ldexp(1.0f, -14)) {
    const auto fraction = static_cast<std::uint32_t>(std::ldexp(rounded, 11 - exponent)) & 0x3FFu;
    bits = (static_cast<std::uint32_t>(exponent + 14) << 10) | fraction;
  } else {
    bits = static_cast<std::uint32_t>(std::ldexp(rounded, 24));
  }
  return static_cast<std::uint16_t>(bits | (std::signbit(x) ? 0x8000u : 0u));
}

float float_of_f16(std::uint16_t h) {
  const int exponent = (h >> 10) & 31;
  const int fraction = h & 0x3FF;
  const float magnitude = exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                        : std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  return (h & 0x8000u) != 0 ? -magnitude : magnitude;
}

std::uint16_t bf16_of(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return static_cast<std::uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

std::vector<float> gaussian(std::size_t count, unsigned seed) {
  std::mt19937 bits(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& v : values) v = normal(bits);
  return values;
}

std::vector<std::uint16_t> convert(const std::vector<float>& values, Type type) {
  std::vector<std::uint16_t> out(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) out[i] = type == Type::kF16 ? f16_of(values[i]) : bf16_of(values[i]);
  return out;
}

// The library keeps long caches in huge pages, so the others get them, too.
Memory::Memory(std::size_t bytes) : bytes_(bytes) {
  constexpr std::size_t huge = std::size_t{2} << 20;
  const std::size_t alignment = bytes >= 8 * huge ? huge : 64, size = (bytes + alignment - 1) / alignment * alignment;
  data_.reset(std::aligned_alloc(alignment, size));
  if (data_ == nullptr) throw std::bad_alloc();
#ifdef __linux__
  if (alignment == huge) madvise(data_.get(), size, MADV_HUGEPAGE);
#endif
}
void Memory::Free::operator()(void* p) const { std::free(p); }

Pool::Pool(std::size_t heads_wanted, std::size_t dim)
    : heads(heads_wanted),
      head_dim(dim),
      keys(gaussian(kTokens * heads * dim, 1)),
      values(gaussian(kTokens * heads * dim, 2)),
      keys_f16(convert(keys, Type::kF16)),
      values_f16(convert(values, Type::kF16)) {
  for (std::size_t i = 0; i < keys.size(); ++i) {
    keys[i] = float_of_f16(keys_f16[i]);
    values[i] = float_of_f16(values_f16[i]);
  }
}

double difference(const std::vector<float>& a, const std::vector<float>& b) {
  double error = 0, energy = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    const double off = static_cast<double>(a[i]) - b[i];
    error += off * off;
    energy += static_cast<double>(b[i]) * b[i];
  }
  return std::sqrt(error / energy);
}

}  // namespace bench
