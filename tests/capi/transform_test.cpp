#include <gtest/gtest.h>

#include <cmath>

#include "handles.hpp"
#include "reference.hpp"

namespace tq_test {
namespace {

std::vector<float> small_integers(std::size_t size) {
  std::vector<float> values(size);
  for (std::size_t i = 0; i < size; ++i) values[i] = static_cast<float>((i * 37 + 11) % 17) - 8.0f;
  return values;
}

// Integers up to 8 * 1024 are exact in f32 whatever the order; only the factor 1/sqrt(size) rounds, and the product.
TEST(Fwht, EqualsTheDefinition) {
  for (std::size_t size = 1; size <= 1024; size *= 2) {
    SCOPED_TRACE(size);
    std::vector<float> x = small_integers(size);
    const std::vector<double> expected = reference::hadamard({x.begin(), x.end()});
    Error error;
    EXPECT_TQ_OK(tq_fwht(x.data(), size, 1, &error), error);
    for (std::size_t i = 0; i < size; ++i) ASSERT_NEAR(x[i], expected[i], std::fabs(expected[i]) * 0x1p-23) << i;
  }
}

TEST(Fwht, IsExactWhereTheSquareRootIs) {
  for (const std::size_t size : {1, 4, 16, 64, 256, 1024}) {
    SCOPED_TRACE(size);
    std::vector<float> x = small_integers(size);
    const std::vector<float> before = x;
    const std::vector<double> expected = reference::hadamard({x.begin(), x.end()});
    EXPECT_EQ(tq_fwht(x.data(), size, 1, nullptr), TQ_OK);
    for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(x[i], expected[i]) << i;
    EXPECT_EQ(tq_fwht(x.data(), size, 1, nullptr), TQ_OK);
    EXPECT_EQ(x, before) << "not its own inverse";
  }
}

TEST(Fwht, TransformsEveryRowOnItsOwn) {
  for (std::size_t size = 1; size <= 1024; size *= 2)
    for (const std::size_t count : {2, 3, 7}) {
      SCOPED_TRACE(testing::Message() << "size " << size << ", count " << count);
      Random random(size * 10 + count);
      const std::vector<float> rows = gaussian(random, size * count);
      std::vector<float> together = rows, alone = rows;
      EXPECT_EQ(tq_fwht(together.data(), size, count, nullptr), TQ_OK);
      for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(tq_fwht(&alone[i * size], size, 1, nullptr), TQ_OK);
      EXPECT_EQ(together, alone);
    }
}

TEST(Fwht, AcceptsNoRows) {
  float untouched = 5.0f;
  EXPECT_EQ(tq_fwht(&untouched, 1, 0, nullptr), TQ_OK);
  EXPECT_EQ(untouched, 5.0f);
  EXPECT_EQ(tq_fwht(nullptr, 64, 0, nullptr), TQ_OK);
}

// log2(n) additions and one product, each rounded: an error of at most (log2 n + 2) units of the row's largest partial
// sum, which is at most the row's norm times sqrt(n) before the division.
double rotation_error_bound(std::size_t dim, double norm) {
  return (std::log2(static_cast<double>(dim)) + 2.0) * 0x1p-24 * norm * std::sqrt(static_cast<double>(dim));
}

TEST(Rotation, EqualsTheDefinitionForEveryBlockSize) {
  for (const std::uint32_t dim : {1, 2, 3, 33, 40, 64, 80, 96, 100, 128, 192, 256, 576, 1000, 1024})
    for (std::uint32_t block = 0; block <= dim; block = block == 0 ? 1 : block * 2) {
      if (block != 0 && dim % block != 0) break;
      SCOPED_TRACE(testing::Message() << "head_dim " << dim << ", rotation_block " << block);
      tq_codec_options options = codec_options(dim);
      options.rotation_block = block;
      options.seed = 12345 + dim;
      const Codec codec(options);
      Random random(dim);
      std::vector<float> rows = gaussian(random, 2 * dim);
      std::vector<double> expected;
      for (std::size_t r = 0; r < 2; ++r) {
        const auto row = rows.begin() + static_cast<std::ptrdiff_t>(r * dim);
        const auto rotated = reference::rotate({row, row + dim}, block, options.seed);
        expected.insert(expected.end(), rotated.begin(), rotated.end());
      }
      const double bound = rotation_error_bound(dim, 2.0 * std::sqrt(dim));
      EXPECT_EQ(tq_rotate(codec, rows.data(), 2, nullptr), TQ_OK);
      for (std::size_t i = 0; i < rows.size(); ++i) ASSERT_NEAR(rows[i], expected[i], bound) << i;
    }
}

TEST(Rotation, IsUndoneByItsInverseAndKeepsNorms) {
  for (std::uint32_t dim = 1; dim <= 1024; dim += dim < 130 ? 1 : 53) {
    SCOPED_TRACE(dim);
    const Codec codec(codec_options(dim));
    Random random(dim);
    const std::vector<float> before = gaussian(random, 3 * std::size_t{dim});
    std::vector<float> rows = before;
    EXPECT_EQ(tq_rotate(codec, rows.data(), 3, nullptr), TQ_OK);
    double norm = 0.0, rotated_norm = 0.0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      norm += double{before[i]} * before[i];
      rotated_norm += double{rows[i]} * rows[i];
    }
    EXPECT_NEAR(rotated_norm / norm, 1.0, 1e-5);
    EXPECT_EQ(tq_unrotate(codec, rows.data(), 3, nullptr), TQ_OK);
    const double bound = 2.0 * rotation_error_bound(dim, 2.0 * std::sqrt(dim));
    for (std::size_t i = 0; i < rows.size(); ++i) ASSERT_NEAR(rows[i], before[i], bound) << i;
  }
}

TEST(Rotation, AcceptsNoRows) {
  const Codec codec(codec_options(64));
  float untouched = 5.0f;
  EXPECT_EQ(tq_rotate(codec, &untouched, 0, nullptr), TQ_OK);
  EXPECT_EQ(tq_unrotate(codec, &untouched, 0, nullptr), TQ_OK);
  EXPECT_EQ(untouched, 5.0f);
}

}  // namespace
}  // namespace tq_test
