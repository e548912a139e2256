#include "elements.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

namespace tq_test {
namespace {

struct Format16 {
  int fraction_bits;
  int least_exponent;  // of a normal number
  int exponent_bias;
  double largest;
};

constexpr Format16 kF16{10, -14, 15, 65504.0};
constexpr Format16 kBf16{7, -126, 127, 3.3895313892515355e38};

double round_to(double value, const Format16& format) {
  if (value == 0.0 || !std::isfinite(value)) return value;
  const int exponent = std::max(std::ilogb(value), format.least_exponent);
  const double quantum = std::ldexp(1.0, exponent - format.fraction_bits);
  const double result = std::nearbyint(value / quantum) * quantum;
  return std::fabs(result) > format.largest ? std::copysign(std::numeric_limits<double>::infinity(), value) : result;
}

std::uint16_t pack(double exact, const Format16& format) {
  const int infinity_exponent = 2 * format.exponent_bias + 1;
  const unsigned sign = std::signbit(exact) ? 0x8000u : 0u;
  const double magnitude = std::fabs(exact);
  if (std::isnan(exact)) return static_cast<std::uint16_t>(0x7FFFu);
  if (std::isinf(exact)) return static_cast<std::uint16_t>(sign | (infinity_exponent << format.fraction_bits));
  const double least_normal = std::ldexp(1.0, format.least_exponent);
  const int exponent = magnitude < least_normal ? format.least_exponent : std::ilogb(magnitude);
  const auto steps = static_cast<unsigned>(std::ldexp(magnitude, format.fraction_bits - exponent));
  const unsigned one = 1u << format.fraction_bits;
  if (steps < one) return static_cast<std::uint16_t>(sign | steps);  // zero and subnormal numbers
  const auto biased = static_cast<unsigned>(exponent + format.exponent_bias);
  return static_cast<std::uint16_t>(sign | (biased << format.fraction_bits) | (steps - one));
}

double unpack(std::uint16_t bits, const Format16& format) {
  const int biased = (bits & 0x7FFF) >> format.fraction_bits;
  const int fraction = bits & ((1 << format.fraction_bits) - 1);
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  if (biased == 2 * format.exponent_bias + 1)
    return fraction != 0 ? std::numeric_limits<double>::quiet_NaN() : sign * std::numeric_limits<double>::infinity();
  const int steps = biased == 0 ? fraction : fraction + (1 << format.fraction_bits);
  const int exponent = (biased == 0 ? 1 : biased) - format.exponent_bias;
  return sign * std::ldexp(steps, exponent - format.fraction_bits);
}

const Format16& format_of(tq_dtype dtype) { return dtype == TQ_F16 ? kF16 : kBf16; }

bool under_sanitizer() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
  return true;
#else
  return false;
#endif
#else
  return false;
#endif
}

}  // namespace

float rounded(float value, tq_dtype dtype) {
  return dtype == TQ_F32 ? value : static_cast<float>(round_to(value, format_of(dtype)));
}

std::size_t element_bytes(tq_dtype dtype) { return dtype == TQ_F32 ? 4 : 2; }

std::string dtype_name(tq_dtype dtype) {
  if (dtype == TQ_F32) return "f32";
  if (dtype == TQ_F16) return "f16";
  return dtype == TQ_BF16 ? "bf16" : "dtype " + std::to_string(dtype);
}

void store_element(void* base, std::size_t index, tq_dtype dtype, float value) {
  auto* bytes = static_cast<std::uint8_t*>(base) + index * element_bytes(dtype);
  if (dtype == TQ_F32) {
    std::memcpy(bytes, &value, sizeof value);
    return;
  }
  const std::uint16_t bits = pack(round_to(value, format_of(dtype)), format_of(dtype));
  std::memcpy(bytes, &bits, sizeof bits);
}

float load_element(const void* base, std::size_t index, tq_dtype dtype) {
  const auto* bytes = static_cast<const std::uint8_t*>(base) + index * element_bytes(dtype);
  if (dtype == TQ_F32) {
    float value;
    std::memcpy(&value, bytes, sizeof value);
    return value;
  }
  std::uint16_t bits;
  std::memcpy(&bits, bytes, sizeof bits);
  return static_cast<float>(unpack(bits, format_of(dtype)));
}

Elements::Elements(tq_dtype dtype, const std::vector<float>& values) : Elements(dtype, values.size()) {
  for (std::size_t i = 0; i < values.size(); ++i) set(i, values[i]);
}

void Elements::fill(float value) {
  for (std::size_t i = 0; i < size_; ++i) set(i, value);
}

std::vector<float> Elements::floats() const {
  std::vector<float> result(size_);
  for (std::size_t i = 0; i < size_; ++i) result[i] = (*this)[i];
  return result;
}

std::vector<float> gaussian(Random& random, std::size_t count, float sigma) {
  std::normal_distribution<float> normal(0.0f, sigma);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

std::vector<float> eighths(Random& random, std::size_t count) {
  std::vector<float> values(count);
  for (float& value : values) value = (static_cast<float>(uniform(random, 0, 32)) - 16.0f) / 8.0f;
  return values;
}

std::size_t uniform(Random& random, std::size_t low, std::size_t high) {
  return std::uniform_int_distribution<std::size_t>(low, high)(random);
}

double relative_squared_error(const float* a, const float* b, std::size_t count) {
  double error = 0.0, energy = 0.0;
  for (std::size_t i = 0; i < count; ++i) {
    error += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
    energy += double{b[i]} * b[i];
  }
  return energy == 0.0 ? error : error / energy;
}

bool quick() {
  static const bool result = under_sanitizer() || std::getenv("TQ_TEST_QUICK") != nullptr;
  return result;
}

std::size_t repetitions(std::size_t full) { return quick() ? std::max<std::size_t>(1, full / 8) : full; }

}  // namespace tq_test
