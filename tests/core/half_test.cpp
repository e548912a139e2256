// 16-bit floats: all patterns, and the rounding of every f32 in between.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/kernel_table.hpp"

namespace tq {
namespace {

// Value of a 16-bit pattern from its definition.
double f16_value(std::uint32_t bits) {
  const double sign = (bits & 0x8000) ? -1.0 : 1.0;
  const int exponent = static_cast<int>(bits >> 10 & 31);
  const double fraction = bits & 1023;
  return sign * (exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25));
}

std::vector<std::uint16_t> finite_patterns(std::uint32_t exponent_mask) {
  std::vector<std::uint16_t> patterns;
  for (std::uint32_t bits = 0; bits < 65536; ++bits)
    if ((bits & exponent_mask) != exponent_mask) patterns.push_back(static_cast<std::uint16_t>(bits));
  while (patterns.size() % 64 != 0) patterns.push_back(0);
  return patterns;
}

// Through the row kernels, 64 values at a time.
std::vector<float> loaded(const std::vector<std::uint16_t>& patterns, Element element) {
  std::vector<float> values(patterns.size());
  kernels().load_rows({patterns.data(), element, 64}, patterns.size() / 64, 64, values.data());
  return values;
}
std::vector<std::uint16_t> stored(const std::vector<float>& values, Element element) {
  std::vector<std::uint16_t> patterns(values.size());
  kernels().store_rows(values.data(), 64, values.size() / 64, 64, {patterns.data(), element, 64});
  return patterns;
}

TEST(Half, EveryF16PatternLoadsAsItsValue) {
  const std::vector<std::uint16_t> patterns = finite_patterns(0x7C00);
  const std::vector<float> values = loaded(patterns, Element::kF16);
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    ASSERT_EQ(static_cast<double>(values[i]), f16_value(patterns[i])) << patterns[i];
    ASSERT_EQ(std::signbit(values[i]), (patterns[i] & 0x8000) != 0) << patterns[i];
  }
}

TEST(Half, EveryFinitePatternSurvivesTheRoundTrip) {
  for (const auto& [element, mask] : {std::pair{Element::kF16, 0x7C00u}, std::pair{Element::kBf16, 0x7F80u}}) {
    const std::vector<std::uint16_t> patterns = finite_patterns(mask);
    EXPECT_EQ(stored(loaded(patterns, element), element), patterns);
  }
}

// Between two neighbours: just below the middle rounds down, the middle to the even one, just above up.
TEST(Half, StoresRoundToNearestEven) {
  for (const Element element : {Element::kF16, Element::kBf16}) {
    const std::uint32_t last = element == Element::kF16 ? 0x7BFF : 0x7F7F;
    std::vector<float> values;
    std::vector<std::uint16_t> expected;
    for (std::uint32_t bits = 1; bits < last; ++bits) {
      const std::vector<std::uint16_t> pair{static_cast<std::uint16_t>(bits), static_cast<std::uint16_t>(bits + 1)};
      float neighbour[2][32];
      for (int i = 0; i < 2; ++i) kernels().load_rows({&pair[i], element, 1}, 1, 1, neighbour[i]);
      const float middle = neighbour[0][0] / 2 + neighbour[1][0] / 2;
      const float infinity = std::numeric_limits<float>::infinity();
      values.insert(values.end(), {std::nextafter(middle, 0.0f), middle, std::nextafter(middle, infinity)});
      expected.insert(expected.end(), {pair[0], bits % 2 == 0 ? pair[0] : pair[1], pair[1]});
    }
    while (values.size() % 64 != 0) values.push_back(0), expected.push_back(0);
    EXPECT_EQ(stored(values, element), expected);
  }
}

TEST(Half, F16SaturatesAndKeepsNaN) {
  const float huge = std::numeric_limits<float>::infinity();
  std::vector<float> values(64, 65519.0f);
  values[1] = 65520.0f, values[2] = -1e30f, values[3] = huge, values[4] = std::nanf("");
  const std::vector<std::uint16_t> patterns = stored(values, Element::kF16);
  EXPECT_EQ(patterns[0], 0x7BFF);
  EXPECT_EQ(patterns[1], 0x7BFF);
  EXPECT_EQ(patterns[2], 0xFBFF);
  EXPECT_EQ(patterns[3], 0x7BFF);
  EXPECT_GT(patterns[4] & 0x7FFF, 0x7C00);
}

}  // namespace
}  // namespace tq
