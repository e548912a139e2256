// The transform against its definition. Integer inputs keep every partial sum exact, so equality is the assertion.
#include <gtest/gtest.h>

#include <bit>
#include <vector>

#include "kernels/kernel_table.hpp"

namespace tq {
namespace {

std::vector<float> small_integers(std::size_t count) {
  std::vector<float> x(count);
  for (std::size_t i = 0; i < count; ++i) x[i] = static_cast<float>(static_cast<int>(i * 37 % 101) - 50);
  return x;
}

// O(size^2), from the sign matrix: (-1)^(number of common bits).
std::vector<float> by_definition(const std::vector<float>& x, std::size_t size) {
  std::vector<float> y(x.size(), 0.0f);
  for (std::size_t i = 0; i < x.size(); ++i)
    for (std::size_t j = 0; j < size; ++j)
      y[i] += (std::popcount((i % size) & j) % 2 == 0 ? 1.0f : -1.0f) * x[i / size * size + j];
  return y;
}

TEST(Transform, MatchesTheDefinitionInEverySizeAndNumberOfRuns) {
  for (std::size_t size = 1; size <= 1024; size *= 2) {
    for (const std::size_t runs : {1u, 2u, 3u, 5u}) {
      SCOPED_TRACE(testing::Message() << runs << " runs of " << size);
      std::vector<float> x = small_integers(size * runs);
      const std::vector<float> expected = by_definition(x, size);
      kernels().fwht(x.data(), x.size(), size, 1.0f);
      EXPECT_EQ(x, expected);
    }
  }
}

TEST(Transform, WritesNothingBehindItsRuns) {
  std::vector<float> x(3 * 4 + 20, 7.0f);
  kernels().fwht(x.data(), 3 * 4, 4, 1.0f);
  for (std::size_t i = 12; i < x.size(); ++i) EXPECT_EQ(x[i], 7.0f) << i;
}

TEST(Transform, UnrotateUndoesRotateForEveryHeadSize) {
  for (std::uint32_t dim = 1; dim <= 1024; dim += dim < 70 ? 1 : 19) {
    SCOPED_TRACE(dim);
    std::vector<std::uint32_t> signs(padded_dim(dim), 0);
    for (std::uint32_t j = 0; j < dim; ++j) signs[j] = j % 3 == 0 ? 0x80000000u : 0;
    const Rotation rotation{signs.data(), dim, dim & (~dim + 1), nullptr};
    const std::vector<float> x = small_integers(dim);
    std::vector<float> row(padded_dim(dim), 99.0f);
    kernels().rotate_rows({x.data(), Element::kF32, dim}, 1, rotation, nullptr, row.data());
    for (std::size_t j = dim; j < row.size(); ++j) EXPECT_EQ(row[j], 0.0f) << "padding " << j;
    kernels().unrotate_rows(row.data(), 1, rotation, nullptr);
    EXPECT_EQ(std::vector<float>(row.begin(), row.begin() + dim), x);
  }
}

}  // namespace
}  // namespace tq
