#include <gtest/gtest.h>

#include <cmath>

#include "handles.hpp"
#include "reference.hpp"

namespace tq_test {
namespace {

// Standard deviation of one component of the rotated query after rounding to 8 bits (TQ4) or 15 (TQ8).
double rounding_noise(const std::vector<float>& query, const tq_codec_options& options) {
  if (options.format != TQ_FORMAT_TQ4 && options.format != TQ_FORMAT_TQ8) return 0.0;
  double largest = 0.0;
  for (const double value : reference::rotate({query.begin(), query.end()}, options.rotation_block, options.seed))
    largest = std::max(largest, std::fabs(value));
  return largest / (options.format == TQ_FORMAT_TQ8 ? 16256.0 : 127.0) / std::sqrt(12.0);
}

// Six deviations of the query's rounding error times the vector (at most what cannot be exceeded), plus f32 sums.
double allowed(double noise, double query_norm, double vector_norm, std::uint32_t dim) {
  const double deviations = std::min(6.0, std::sqrt(3.0 * dim));
  return deviations * noise * vector_norm + 4.0 * 0x1p-24 * std::sqrt(dim) * query_norm * vector_norm;
}

double norm(const float* x, std::size_t count) {
  double sum = 0.0;
  for (std::size_t i = 0; i < count; ++i) sum += double{x[i]} * x[i];
  return std::sqrt(sum);
}

void check_scores(const tq_codec_options& options, std::size_t count, std::size_t n_query, std::uint64_t seed) {
  SCOPED_TRACE(testing::Message() << "format " << options.format << ", layout " << options.layout << ", group "
                                  << options.group_size << ", dim " << options.head_dim << ", count " << count
                                  << ", queries " << n_query << ", seed " << seed);
  const std::uint32_t dim = options.head_dim;
  const Codec codec(options);
  Random random(seed);
  const Bytes codes = codec.encode(gaussian(random, count * dim));
  const std::vector<float> decoded = codec.decode(codes, 0, count), queries = gaussian(random, n_query * dim);
  std::vector<float> scores(n_query * count + 1, -77.0f);
  Error error;
  EXPECT_TQ_OK(tq_scores(codec, codes.data(), codes.size(), count, queries.data(), n_query, scores.data(), &error),
               error);
  for (std::size_t q = 0; q < n_query; ++q) {
    const auto from = queries.begin() + static_cast<std::ptrdiff_t>(q * dim);
    const std::vector<float> query(from, from + dim);
    const double noise = rounding_noise(query, options), query_norm = norm(query.data(), dim);
    for (std::size_t i = 0; i < count; ++i) {
      double expected = 0.0;
      for (std::size_t c = 0; c < dim; ++c) expected += double{query[c]} * decoded[i * dim + c];
      ASSERT_NEAR(scores[q * count + i], expected, allowed(noise, query_norm, norm(&decoded[i * dim], dim), dim))
          << "query " << q << ", vector " << i;
    }
  }
  EXPECT_EQ(scores.back(), -77.0f) << "wrote past the end";
}

TEST(Scores, AreTheDotProductsWithTheDecodedVectors) {
  for (const tq_format format : {TQ_FORMAT_TQ4, TQ_FORMAT_TQ8, TQ_FORMAT_F16, TQ_FORMAT_BF16})
    for (const std::uint32_t layout : {TQ_LAYOUT_VECTORS, TQ_LAYOUT_BLOCKS})
      for (const std::uint32_t dim : {1u, 2u, 7u, 33u, 40u, 64u, 80u, 96u, 128u, 192u, 256u, 1024u})
        check_scores(codec_options(dim, format, 64, layout), 131, 5, dim);
}

TEST(Scores, TakeAnyNumberOfVectorsAndQueries) {
  for (const std::uint32_t layout : {TQ_LAYOUT_VECTORS, TQ_LAYOUT_BLOCKS})
    for (const std::size_t count : {1, 2, 15, 16, 17, 63, 64, 65, 128, 129})
      for (const std::size_t n_query : {1, 2, 3, 4, 5, 7, 8, 9, 16, 17})
        check_scores(codec_options(64, TQ_FORMAT_TQ4, 32, layout), count, n_query, count * 100 + n_query);
}

TEST(Scores, DoNotDependOnTheOtherQueries) {
  const Codec codec(codec_options(128, TQ_FORMAT_TQ4, 64, TQ_LAYOUT_BLOCKS));
  Random random(1);
  const Bytes codes = codec.encode(gaussian(random, 100 * 128));
  const std::vector<float> queries = gaussian(random, 7 * 128);
  std::vector<float> together(7 * 100), alone(7 * 100);
  EXPECT_EQ(tq_scores(codec, codes.data(), codes.size(), 100, queries.data(), 7, together.data(), nullptr), TQ_OK);
  for (std::size_t q = 0; q < 7; ++q)
    EXPECT_EQ(tq_scores(codec, codes.data(), codes.size(), 100, &queries[q * 128], 1, &alone[q * 100], nullptr), TQ_OK);
  for (std::size_t i = 0; i < alone.size(); ++i) ASSERT_NEAR(together[i], alone[i], 1e-4f) << i;
}

TEST(Scores, OfAZeroQueryAreZero) {
  for (const tq_format format : {TQ_FORMAT_TQ4, TQ_FORMAT_TQ8, TQ_FORMAT_F16, TQ_FORMAT_BF16}) {
    const Codec codec(codec_options(80, format));
    Random random(2);
    const Bytes codes = codec.encode(gaussian(random, 10 * 80));
    const std::vector<float> query(80), zeros(10);
    std::vector<float> scores(10, -77.0f);
    EXPECT_EQ(tq_scores(codec, codes.data(), codes.size(), 10, query.data(), 1, scores.data(), nullptr), TQ_OK);
    EXPECT_EQ(scores, zeros);
  }
}

}  // namespace
}  // namespace tq_test
