// How much is lost and how many bytes it takes: the table of design and README, measured.
#include <gtest/gtest.h>

#include <cstdio>

#include "handles.hpp"

namespace tq_test {
namespace {

constexpr std::uint32_t kUsualDims[] = {64, 80, 96, 128, 192, 256};

struct Row {
  tq_format format;
  std::uint32_t group_size;
  double expected_error;  // relative squared error on iid Gaussian vectors
};

constexpr Row kRows[] = {{TQ_FORMAT_TQ4, 64, 0.0074}, {TQ_FORMAT_TQ4, 32, 0.0065}, {TQ_FORMAT_TQ8, 64, 5e-5}};

double measured_error(const Codec& codec, std::uint32_t dim) {
  Random random(dim);
  const std::vector<float> vectors = gaussian(random, (std::size_t{1} << 19) / dim * dim);
  const std::size_t count = vectors.size() / dim;
  const std::vector<float> decoded = codec.decode(codec.encode(vectors), 0, count);
  return relative_squared_error(decoded.data(), vectors.data(), vectors.size());
}

// Bytes of a coded block of the cache per token and kv head, keys and values together, from the statistics.
double page_bytes(std::uint32_t dim, const Row& row) {
  constexpr std::uint32_t kHeads = 8;
  tq_layer_options layer = layer_options({kHeads, dim, dim});
  layer.key_format = layer.value_format = row.format;
  layer.key_group_size = layer.value_group_size = row.group_size;
  layer.sink_tokens = 0;
  const Cache cache(layer);
  Random random(dim);
  cache.append(cache.sequence(), random_tokens(random, cache.shape(), 128));
  const tq_cache_statistics stats = cache.stats();
  EXPECT_EQ(stats.coded_tokens, 128u);
  return static_cast<double>(stats.coded_bytes) / static_cast<double>(stats.coded_tokens) / kHeads;
}

TEST(CodecError, OnGaussianVectorsIsWhatTheDocumentationSays) {
  std::printf("%-6s %5s %9s %12s %14s %16s %8s\n", "format", "group", "head_dim", "error", "bytes/vector",
              "page bytes K+V", "ratio");
  for (const Row& row : kRows)
    for (const std::uint32_t dim : kUsualDims) {
      const Codec codec(codec_options(dim, row.format, row.group_size));
      const double error = measured_error(codec, dim), page = page_bytes(dim, row);
      std::printf("%-6s %5u %9u %12.3g %14zu %16.2f %8.2f\n", row.format == TQ_FORMAT_TQ4 ? "tq4" : "tq8",
                  row.group_size, dim, error, tq_codec_vector_bytes(codec), page, 4.0 * dim / page);
      SCOPED_TRACE(testing::Message() << "format " << row.format << ", group " << row.group_size << ", dim " << dim);
      if (row.format == TQ_FORMAT_TQ8) {
        EXPECT_LT(error, row.expected_error);
      } else {
        EXPECT_LT(error, row.expected_error * 1.06);
        EXPECT_GT(error, row.expected_error * 0.90) << "too good: is the error measured at all?";
      }
    }
}

TEST(CodecError, OfSixteenBitFormatsIsTheRounding) {
  Random random(1);
  const std::vector<float> vectors = gaussian(random, 128 * 64);
  for (const auto& [format, dtype] : {std::pair{TQ_FORMAT_F16, TQ_F16}, std::pair{TQ_FORMAT_BF16, TQ_BF16}}) {
    const Codec codec(codec_options(128, static_cast<tq_format>(format)));
    const std::vector<float> decoded = codec.decode(codec.encode(vectors), 0, 64);
    for (std::size_t i = 0; i < vectors.size(); ++i)
      ASSERT_EQ(decoded[i], rounded(vectors[i], static_cast<tq_dtype>(dtype)));
  }
}

TEST(CodecError, WithoutScaleSearchIsLarger) {
  tq_codec_options options = codec_options(128);
  const Codec with(options);
  options.scale_search = 0;
  const Codec without(options);
  const double searched = measured_error(with, 128), plain = measured_error(without, 128);
  EXPECT_GT(plain, searched * 1.15);
  EXPECT_LT(plain, 0.0105);
}

// A constant vector is one Walsh function: without the signs all its energy would fall on one coordinate.
TEST(CodecError, OfStructuredVectorsIsThatOfGaussianOnes) {
  for (const std::uint32_t dim : kUsualDims) {
    SCOPED_TRACE(dim);
    const Codec codec(codec_options(dim));
    const std::vector<float> constant(dim, 1.0f);
    std::vector<float> spike(dim);
    spike[dim / 3] = 5.0f;
    for (const auto& vector : {constant, spike}) {
      const std::vector<float> decoded = codec.decode(codec.encode(vector), 0, 1);
      EXPECT_LT(relative_squared_error(decoded.data(), vector.data(), dim), 0.015);
    }
  }
}

TEST(CodecError, IsZeroForZeroVectorsAndIndependentOfPowersOfTwo) {
  const Codec codec(codec_options(96));
  const std::vector<float> zeros(96);
  EXPECT_EQ(codec.decode(codec.encode(zeros), 0, 1), zeros);

  Random random(2);
  const std::vector<float> vector = gaussian(random, 96);
  const std::vector<float> decoded = codec.decode(codec.encode(vector), 0, 1);
  for (const float factor : {0x1p-80f, 0x1p-20f, 0x1p20f, 0x1p57f}) {
    SCOPED_TRACE(factor);
    std::vector<float> scaled = vector, expected = decoded;
    for (float& value : scaled) value *= factor;
    for (float& value : expected) value *= factor;
    EXPECT_EQ(codec.decode(codec.encode(scaled), 0, 1), expected);
  }
}

TEST(CodecError, IsTheWholeVectorBelowTheSmallestScale) {
  const Codec codec(codec_options(64));
  const std::vector<float> denormal(64, 1e-40f), zeros(64);
  const std::vector<float> decoded = codec.decode(codec.encode(denormal), 0, 1);
  EXPECT_EQ(decoded, zeros);
}

TEST(CodecError, StaysFiniteAtTheLargestMagnitude) {
  for (const tq_format format : {TQ_FORMAT_TQ4, TQ_FORMAT_TQ8}) {
    const Codec codec(codec_options(1024, format));
    const std::vector<float> largest(1024, TQ_MAX_MAGNITUDE);
    const std::vector<float> decoded = codec.decode(codec.encode(largest), 0, 1);
    EXPECT_LT(relative_squared_error(decoded.data(), largest.data(), 1024), 0.015);
  }
}

}  // namespace
}  // namespace tq_test
