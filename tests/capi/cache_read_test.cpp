#include <gtest/gtest.h>

#include "handles.hpp"

namespace tq_test {
namespace {

const Shape kShape{2, 40, 24};

class CacheRead : public testing::Test {
 protected:
  CacheRead() : cache_(layer_options(kShape)), sequence_(cache_.sequence()) {
    Random random(21);
    cache_.append(sequence_, random_tokens(random, kShape, 150));
    all_ = cache_.read(sequence_);
  }
  Cache cache_;
  tq_sequence sequence_;
  Tokens all_;
};

TEST_F(CacheRead, GivesAnyRange) {
  for (const std::size_t first : {0, 1, 3, 4, 5, 60, 67, 68, 69, 131, 132, 149, 150})
    for (const std::size_t count : {0, 1, 2, 4, 63, 64, 65, 100, 150}) {
      if (first + count > 150) continue;
      SCOPED_TRACE(testing::Message() << first << " + " << count);
      EXPECT_TRUE(cache_.read(sequence_, first, count) == all_.slice(first, count));
    }
}

TEST_F(CacheRead, WritesEveryTypeAndLayoutAndNothingBetween) {
  for (const Layout layout : {Layout::kContiguous, Layout::kExplicit, Layout::kHeadMajor, Layout::kPadded})
    for (const tq_dtype dtype : {TQ_F32, TQ_F16, TQ_BF16}) {
      SCOPED_TRACE(testing::Message() << "layout " << static_cast<int>(layout) << ", " << dtype_name(dtype));
      KvOutput output(kShape, 149, dtype, layout);
      Error error;
      EXPECT_TQ_OK(tq_cache_read(cache_, sequence_, 0, 1, 149, output.get(), &error), error);
      EXPECT_TRUE(output.tokens() == rounded(all_.slice(1, 149), dtype));
      EXPECT_TRUE(output.gaps_untouched());
    }
}

TEST_F(CacheRead, LeavesOutWhatIsNotWanted) {
  KvOutput only_keys(kShape, 150, TQ_F32), only_values(kShape, 150, TQ_F32), neither(kShape, 150, TQ_F32);
  only_keys.kv().values = nullptr;
  only_values.kv().keys = nullptr;
  neither.kv().keys = neither.kv().values = nullptr;
  Error error;
  EXPECT_TQ_OK(tq_cache_read(cache_, sequence_, 0, 0, 150, only_keys.get(), &error), error);
  EXPECT_TQ_OK(tq_cache_read(cache_, sequence_, 0, 0, 150, only_values.get(), &error), error);
  EXPECT_TQ_OK(tq_cache_read(cache_, sequence_, 0, 0, 150, neither.get(), &error), error);
  EXPECT_EQ(only_keys.tokens().keys, all_.keys);
  EXPECT_EQ(only_values.tokens().values, all_.values);
}

TEST_F(CacheRead, IsTheSameForEverySequenceWithTheSameTokens) {
  const tq_sequence other = cache_.sequence();
  Random random(21);
  cache_.append(other, random_tokens(random, kShape, 150));
  EXPECT_TRUE(cache_.read(other) == all_);
}

// docs/format.md section 7: a cache without centring decodes as the codec of the same options does.
TEST(CacheReadOfCodedBlocks, AgreesWithTheCodec) {
  for (const tq_format format : {TQ_FORMAT_TQ4, TQ_FORMAT_TQ8})
    for (const std::uint32_t dim : {33u, 64u, 80u, 128u}) {
      SCOPED_TRACE(testing::Message() << "format " << format << ", dim " << dim);
      tq_layer_options options = layer_options({1, dim, dim});
      options.key_format = options.value_format = format;
      options.center_keys = options.sink_tokens = 0;
      const Cache cache(options);
      const Codec codec(codec_options(dim, format, 64, TQ_LAYOUT_BLOCKS));
      const tq_sequence sequence = cache.sequence();
      Random random(dim);
      Tokens tokens = random_tokens(random, cache.shape(), 64);
      cache.append(sequence, tokens);
      const Tokens read = cache.read(sequence);
      tokens = rounded(tokens, TQ_F16);
      EXPECT_EQ(read.keys, codec.decode(codec.encode(tokens.keys), 0, 64));
      EXPECT_EQ(read.values, codec.decode(codec.encode(tokens.values), 0, 64));
    }
}

}  // namespace
}  // namespace tq_test
