// Scores of exact keys: one row after another, and by columns, against sums in double precision.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "kernels/kernel_table.hpp"

namespace tq {
namespace {

struct ExactKeys {
  std::size_t dim, padded;
  std::vector<float> keys, queries;  // 64 and kMaxRows rows

  explicit ExactKeys(std::size_t d) : dim(d), padded(padded_dim(d)), keys(64 * padded), queries(kMaxRows * padded) {
    std::mt19937 random(static_cast<unsigned>(dim));
    std::normal_distribution<float> normal;
    for (std::vector<float>* rows : {&keys, &queries})
      for (std::size_t i = 0; i < rows->size(); ++i) (*rows)[i] = i % padded < dim ? normal(random) : 0.0f;
  }

  double score(std::size_t row, std::size_t token) const {
    double sum = 0;
    for (std::size_t j = 0; j < dim; ++j) sum += double{queries[row * padded + j]} * keys[token * padded + j];
    return sum;
  }

  void expect(const std::vector<float>& scores, std::size_t rows, std::size_t count) const {
    const double tolerance = 1e-6 * std::sqrt(static_cast<double>(dim)) * 8;
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t t = 0; t < count; ++t)
        ASSERT_NEAR(scores[r * 64 + t], score(r, t), tolerance)
            << "row " << r << " of " << rows << ", token " << t << " of " << count << ", dim " << dim;
  }
};

TEST(Exact, ScoresByRowsAndByColumnsAreDotProducts) {
  for (const std::size_t dim : {1u, 7u, 64u, 80u, 96u, 128u, 192u, 256u}) {
    const ExactKeys exact(dim);
    for (const std::size_t count : {1u, 3u, 4u, 15u, 16u, 17u, 31u, 33u, 63u, 64u}) {
      std::vector<float> columns(64 * round_up(dim, 4), std::nanf(""));
      kernels().transpose_rows(exact.keys.data(), count, dim, columns.data());
      for (std::size_t rows = 1; rows <= kMaxRows; ++rows) {
        std::vector<float> by_rows(kMaxRows * 64, std::nanf("")), by_columns = by_rows;
        const RowSource keys{exact.keys.data(), Element::kF32, exact.padded};
        kernels().row_scores(keys, count, dim, exact.queries.data(), rows, by_rows.data());
        kernels().column_scores(columns.data(), count, dim, exact.queries.data(), rows, by_columns.data());
        exact.expect(by_rows, rows, count);
        exact.expect(by_columns, rows, count);
      }
    }
  }
}

}  // namespace
}  // namespace tq
