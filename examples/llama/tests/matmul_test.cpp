#include "matmul.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace llama {
namespace {

// Small whole numbers keep every sum exact, so equality is the right assertion whatever the order of additions.
std::vector<float> small_integers(std::size_t count, std::size_t step) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i * step % 17) - 8.0f;
  return values;
}

TEST(Matmul, MatchesTheDefinitionAroundPanelAndTileSizes) {
  Threads threads(2);
  for (const std::size_t rows : {1, 15, 16, 17, 130})
    for (const std::size_t columns : {1, 7, 300})
      for (const std::size_t tokens : {1, 2, 3, 5, 8, 9, 67}) {
        SCOPED_TRACE(testing::Message() << rows << " x " << columns << ", " << tokens << " tokens");
        const auto w = small_integers(rows * columns, 5), x = small_integers(tokens * columns, 3);
        std::vector<float> y(tokens * rows, -1.0f), expected(tokens * rows);
        for (std::size_t t = 0; t < tokens; ++t)
          for (std::size_t r = 0; r < rows; ++r)
            for (std::size_t k = 0; k < columns; ++k) expected[t * rows + r] += x[t * columns + k] * w[r * columns + k];
        matmul(Matrix(w, rows, columns), x.data(), tokens, y.data(), threads);
        EXPECT_EQ(y, expected);
      }
}

TEST(Matmul, RowsCanBeReadBack) {
  const auto w = small_integers(35 * 9, 5);
  const Matrix matrix(w, 35, 9);
  for (const std::size_t row : {0, 15, 16, 34}) {
    std::vector<float> values(9);
    matrix.copy_row(row, values.data());
    EXPECT_EQ(values, std::vector<float>(w.begin() + static_cast<std::ptrdiff_t>(row) * 9,
                                         w.begin() + static_cast<std::ptrdiff_t>(row + 1) * 9));
  }
}

TEST(Threads, RunEveryTaskOnce) {
  Threads threads(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::atomic<int>> calls(50);
    threads.run(calls.size(), [&](std::size_t i) { ++calls[i]; });
    for (const auto& count : calls) ASSERT_EQ(count, 1);
  }
}

}  // namespace
}  // namespace llama
