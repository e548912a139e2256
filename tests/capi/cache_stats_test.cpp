#include <gtest/gtest.h>

#include <cstdio>

#include "handles.hpp"

namespace tq_test {
namespace {

std::uint64_t sum_of_parts(const tq_cache_statistics& stats) {
  return stats.code_bytes + stats.scale_bytes + stats.mean_bytes + stats.exact_bytes + stats.overhead_bytes;
}

TEST(CacheStats, OfAnEmptyCacheAreZeroButForTables) {
  const Cache cache(layer_options({2, 64, 64}));
  const tq_cache_statistics stats = cache.stats();
  EXPECT_EQ(stats.sequences, 0u);
  EXPECT_EQ(stats.tokens, 0u);
  EXPECT_EQ(stats.coded_tokens, 0u);
  EXPECT_EQ(stats.code_bytes + stats.scale_bytes + stats.mean_bytes + stats.exact_bytes, 0u);
  EXPECT_EQ(stats.bytes, stats.overhead_bytes);
  EXPECT_EQ(stats.coded_bytes + stats.bytes_16bit + stats.coded_bytes_16bit, 0u);
  EXPECT_EQ(stats.ratio, 0.0);
  EXPECT_EQ(stats.ratio_coded, 0.0);
  EXPECT_EQ(stats.budget_bytes, 0u);
}

// What sequences leave behind is a table of slots, and the next ones use it again.
TEST(CacheStats, TablesDoNotGrowWithUse) {
  const Cache cache(layer_options({1, 64, 64}));
  const std::uint64_t after_one = empty_bytes(cache, 1);
  EXPECT_LT(after_one, 4096u);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(empty_bytes(cache, 1), after_one);
}

TEST(CacheStats, AddUpAfterEveryCall) {
  std::vector<tq_layer_options> layers = {layer_options({2, 64, 96}), layer_options({1, 128, 128})};
  layers[1].value_format = TQ_FORMAT_F16;
  layers[1].recent_blocks = 1;
  const Cache cache(layers);
  const std::uint64_t bytes_before = empty_bytes(cache, 2);
  Random random(1);
  std::vector<tq_sequence> sequences = {cache.sequence(), cache.sequence()};
  std::uint64_t tokens = 0, row_bytes = 0;
  for (const std::size_t count : {1, 3, 60, 5, 64, 128, 300}) {
    for (std::uint32_t layer = 0; layer < 2; ++layer) {
      cache.append(sequences[count % 2], random_tokens(random, cache.shape(layer), count), TQ_F32, layer);
      tokens += count;
      row_bytes += count * 2 * (cache.shape(layer).key_row() + cache.shape(layer).value_row());
    }
    const tq_cache_statistics stats = cache.stats();
    EXPECT_EQ(stats.bytes, sum_of_parts(stats));
    EXPECT_EQ(stats.tokens, tokens);
    EXPECT_EQ(stats.bytes_16bit, row_bytes);
    EXPECT_GE(stats.peak_bytes, stats.bytes);
    EXPECT_LE(stats.coded_bytes, stats.bytes);
    EXPECT_DOUBLE_EQ(stats.ratio, static_cast<double>(row_bytes) / static_cast<double>(stats.bytes));
  }
  const std::uint64_t full_bytes = cache.stats().bytes;
  for (const tq_sequence sequence : sequences) cache.destroy(sequence);
  EXPECT_EQ(cache.stats().bytes, bytes_before);
  EXPECT_GE(cache.stats().peak_bytes, full_bytes);
  EXPECT_EQ(cache.stats().tokens, 0u);
}

// docs/format.md section 5, header included.
std::size_t page_bytes(const tq_layer_options& layer) {
  const auto round_up = [](std::size_t n) { return (n + 63) / 64 * 64; };
  const auto is_coded = [](tq_format format) { return format == TQ_FORMAT_TQ4 || format == TQ_FORMAT_TQ8; };
  const std::size_t dk = layer.key_dim, dv = layer.value_dim;
  std::size_t head = 0;
  if (is_coded(layer.key_format)) head += 64 * ((dk + layer.key_group_size - 1) / layer.key_group_size);
  if (is_coded(layer.value_format)) head += 64 * ((dv + layer.value_group_size - 1) / layer.value_group_size);
  if (is_coded(layer.key_format) && layer.center_keys != 0) head += round_up(dk);
  if (layer.key_format == TQ_FORMAT_TQ4) head += 256 * ((dk + 7) / 8);
  if (layer.key_format == TQ_FORMAT_TQ8) head += 256 * ((dk + 3) / 4);
  if (!is_coded(layer.key_format)) head += 128 * dk;
  const auto lanes = [](std::size_t n) { return (n + 3) / 4 * 4; };
  if (layer.value_format == TQ_FORMAT_TQ4) head += 64 * (dv / 32 * 16 + lanes((dv % 32 + 1) / 2));
  if (layer.value_format == TQ_FORMAT_TQ8) head += 64 * (dv / 16 * 16 + lanes(dv % 16));
  if (!is_coded(layer.value_format)) head += 128 * dv;
  const bool header = is_coded(layer.key_format) || is_coded(layer.value_format);
  return layer.kv_heads * head + (header ? round_up(layer.kv_heads * std::size_t{8}) : 0);
}

TEST(CacheStats, CountCompleteBlocksAsTheFormatSays) {
  for (const tq_format key_format : {TQ_FORMAT_TQ4, TQ_FORMAT_TQ8, TQ_FORMAT_F16})
    for (const tq_format value_format : {TQ_FORMAT_TQ4, TQ_FORMAT_TQ8, TQ_FORMAT_BF16})
      for (const Shape& shape :
           {Shape{1, 64, 64}, Shape{9, 16, 16}, Shape{2, 80, 96}, Shape{3, 33, 21}, Shape{1, 1, 1}})
        for (const std::uint32_t group_size : {64u, 32u}) {
          SCOPED_TRACE(testing::Message()
                       << "formats " << key_format << '/' << value_format << ", " << shape.kv_heads << " heads of "
                       << shape.key_dim << " and " << shape.value_dim << ", group " << group_size);
          tq_layer_options layer = layer_options(shape);
          layer.key_format = key_format;
          layer.value_format = value_format;
          layer.key_group_size = layer.value_group_size = group_size;
          const Cache cache(layer);
          Random random(1);
          cache.append(cache.sequence(), random_tokens(random, shape, 4 + 2 * 64));
          const tq_cache_statistics stats = cache.stats();
          EXPECT_EQ(stats.coded_tokens, 128u);
          EXPECT_EQ(stats.coded_bytes, 2 * page_bytes(layer));
          EXPECT_EQ(stats.bytes, sum_of_parts(stats));
          EXPECT_EQ(stats.coded_bytes_16bit, 128 * 2 * (shape.key_row() + shape.value_row()));
          EXPECT_DOUBLE_EQ(stats.ratio_coded,
                           static_cast<double>(stats.coded_bytes_16bit) / static_cast<double>(stats.coded_bytes));
        }
}

TEST(CacheStats, RatioApproachesThatOfTheBlocks) {
  const Cache cache(layer_options({8, 128, 128}));
  const tq_sequence sequence = cache.sequence();
  Random random(2);
  const Tokens tokens = random_tokens(random, cache.shape(), 1024);
  std::printf("%8s %8s %12s\n", "tokens", "ratio", "ratio_coded");
  double last = 0.0;
  for (std::size_t length = 1024; length <= repetitions(32) * 1024; length += 1024) {
    cache.append(sequence, tokens);
    const tq_cache_statistics stats = cache.stats();
    if ((length & (length - 1)) == 0) std::printf("%8zu %8.3f %12.3f\n", length, stats.ratio, stats.ratio_coded);
    // 8 heads: 134 bytes of 512 per token and head, and a header line of 64 bytes per 64 tokens of 8 heads.
    EXPECT_NEAR(stats.ratio_coded, 512.0 / (134.0 + 64.0 / (64 * 8)), 1e-9);
    EXPECT_LT(stats.ratio, stats.ratio_coded);
    last = stats.ratio;
  }
  // Sinks, a tail of up to 64 tokens and tables: 68 tokens * 512 bytes beside 134 per token, and under 2 % of tables.
  const double length = static_cast<double>(repetitions(32)) * 1024.0;
  EXPECT_GT(last, 0.98 * 512.0 * length / (134.125 * length + 68.0 * 512.0));
  EXPECT_GT(last, repetitions(32) == 32 ? 3.75 : 3.4);
}

TEST(CacheStats, SinksAndTailsAreExactBytes) {
  const Shape shape{2, 64, 32};
  const Cache cache(layer_options(shape));
  const tq_sequence sequence = cache.sequence();
  Random random(3);
  constexpr std::uint64_t kTokenBytes = 2 * (2 * 64 + 2 * 32);
  std::uint64_t exact = 0;
  for (std::uint64_t length = 1; length < 140; ++length) {
    cache.append(sequence, random_tokens(random, shape, 1));
    exact = length <= 4 ? length : 4 + (length - 4) % 64;
    ASSERT_EQ(cache.stats().exact_bytes, exact * kTokenBytes) << "length " << length;
  }
}

TEST(CacheStats, RecentBlocksAreExactBytes) {
  const Shape shape{1, 64, 64};
  tq_layer_options layer = layer_options(shape);
  layer.recent_blocks = 2;
  const Cache cache(layer);
  Random random(4);
  cache.append(cache.sequence(), random_tokens(random, shape, 4 + 3 * 64 + 10));
  EXPECT_EQ(cache.stats().coded_tokens, 64u);
  EXPECT_EQ(cache.stats().exact_bytes, (4 + 2 * 64 + 10) * std::uint64_t{256});
}

}  // namespace
}  // namespace tq_test
