// Validation of rows, and their sums in order.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/kernel_table.hpp"

namespace tq {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(Rows, TheFirstInvalidElementIsFoundWhereverItStands) {
  for (const std::size_t count : {1u, 3u, 4u, 15u, 16u, 17u, 33u, 64u, 80u}) {
    std::vector<float> row(count);
    for (std::size_t i = 0; i < count; ++i) row[i] = i % 2 == 0 ? 2.0f : -2.0f;  // the limit itself is valid
    EXPECT_EQ(kernels().find_invalid(row.data(), Element::kF32, count, 2.0f), count);
    for (std::size_t at = 0; at < count; ++at) {
      for (const float bad : {std::nanf(""), kInfinity, -kInfinity, 2.0001f, -2.0001f}) {
        SCOPED_TRACE(testing::Message() << count << " elements, " << bad << " at " << at);
        row[at] = bad;
        EXPECT_EQ(kernels().find_invalid(row.data(), Element::kF32, count, 2.0f), at);
      }
      row[at] = 2.0f;
    }
  }
}

TEST(Rows, TheFirstOfSeveralInvalidElementsIsReported) {
  std::vector<float> row(64, 0.0f);
  row[9] = kInfinity, row[8] = std::nanf(""), row[40] = 3.0f;
  EXPECT_EQ(kernels().find_invalid(row.data(), Element::kF32, 64, 1.0f), 8u);
}

TEST(Rows, SixteenBitInfinitiesAreInvalid) {
  std::vector<std::uint16_t> row(40, 0x3C00);
  row[33] = 0x7C00;
  EXPECT_EQ(kernels().find_invalid(row.data(), Element::kF16, 40, 65504.0f), 33u);
  row[33] = 0x7F80;
  EXPECT_EQ(kernels().find_invalid(row.data(), Element::kBf16, 40, 1e18f), 33u);
}

// Order matters in f32: 1e8 + 1 - 1e8 is 0, 1e8 - 1e8 + 1 is 1.
TEST(Rows, AreSummedInOrder) {
  for (const std::size_t dim : {1u, 16u, 37u}) {
    std::vector<float> rows;
    for (const float value : {1e8f, 1.0f, -1e8f}) rows.insert(rows.end(), dim, value);
    std::vector<float> sum(dim, 0.0f);
    kernels().sum_rows({rows.data(), Element::kF32, dim}, 3, dim, sum.data());
    EXPECT_EQ(sum, std::vector<float>(dim, 0.0f));
  }
}

}  // namespace
}  // namespace tq
