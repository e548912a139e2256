#include "distributions.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "generate.hpp"
#include "half.hpp"

namespace llama {
namespace {

TEST(Half, EveryF16ReturnsUnchanged) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = f16_to_f32(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(value)))) << bits;
    } else {
      EXPECT_EQ(f32_to_f16(value), half) << bits;
    }
  }
}

TEST(Half, RoundsToNearestEven) {
  EXPECT_EQ(f32_to_f16(1.0f + 0x1p-11f), 0x3c00);             // half way between 1 and the next: to the even one
  EXPECT_EQ(f32_to_f16(1.0f + 3 * 0x1p-11f), 0x3c02);         // half way, odd below
  EXPECT_EQ(f32_to_f16(1.0f + 0x1p-11f + 0x1p-20f), 0x3c01);  // above half way
  EXPECT_EQ(f32_to_f16(0x1p-25f), 0x0000);                    // half of the smallest subnormal
  EXPECT_EQ(f32_to_f16(0x1.8p-25f), 0x0001);
  EXPECT_EQ(f32_to_f16(65519.0f), 0x7bff);
  EXPECT_EQ(f32_to_f16(-65520.0f), 0xfc00);
  EXPECT_EQ(bf16_to_f32(0xc040), -3.0f);
}

TEST(Distributions, KlMatchesTheDefinition) {
  const std::vector<float> p = {std::log(0.5f), std::log(0.25f), std::log(0.25f)}, q = {2.0f, 2.0f, 2.0f};
  EXPECT_NEAR(kl_divergence(p, log_sum_exp(p), q, log_sum_exp(q)), std::log(3.0) - 1.5 * std::log(2.0), 1e-7);
  EXPECT_NEAR(kl_divergence(q, log_sum_exp(q), q, log_sum_exp(q)), 0.0, 1e-15);
}

TEST(Distributions, LogSumExpOfLargeLogitsIsFinite) {
  EXPECT_NEAR(log_sum_exp(std::vector<float>{3000.0f, 3000.0f}), 3000.0 + std::log(2.0), 1e-9);
}

TEST(Sampler, TemperatureZeroTakesTheMostLikely) {
  EXPECT_EQ(Sampler(0.0, 0.9, 1).draw(std::vector<float>{0.0f, 3.0f, 1.0f}), 1);
}

TEST(Sampler, DrawsOnlyFromTheNucleusAndByProbability) {
  const std::vector<float> logits = {std::log(0.2f), std::log(0.6f), std::log(0.15f), std::log(0.05f)};
  Sampler sampler(1.0, 0.75, 7);
  int counts[4] = {};
  for (int i = 0; i < 4000; ++i) ++counts[sampler.draw(logits)];
  EXPECT_EQ(counts[2] + counts[3], 0);
  EXPECT_NEAR(counts[1] / 4000.0, 0.75, 0.03);
}

TEST(Continuations, DifferenceIsTheFirstTokenOrTheShorterLength) {
  EXPECT_EQ(first_difference({1, 2, 3}, {1, 2, 4}), 2u);
  EXPECT_EQ(first_difference({1, 2}, {1, 2, 4}), 2u);
  EXPECT_EQ(first_difference({}, {}), 0u);
}

}  // namespace
}  // namespace llama
