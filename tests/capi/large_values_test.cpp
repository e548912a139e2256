// Values at the edges of what 16 bits and codes can hold.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "handles.hpp"

namespace tq_test {
namespace {

// f16 sinks and tails hold no more than 65504, bf16 ones everything up to 2^60.
TEST(LargeValues, AreRefusedOnlyWhereTheyWouldNotFit) {
  const Shape shape{1, 8, 8};
  const auto append = [&](tq_dtype exact, tq_format key_format, float value, tq_dtype dtype) {
    tq_layer_options layer = layer_options(shape);
    layer.exact_dtype = exact;
    layer.key_format = key_format;
    const Cache cache(layer);
    const tq_sequence sequence = cache.sequence();
    Tokens tokens{shape, std::vector<float>(70 * 8, value), std::vector<float>(70 * 8, 1.0f)};
    const KvInput input(tokens, dtype);
    const tq_status status = tq_cache_append(cache, sequence, 0, input.get(), nullptr);
    const Tokens read = cache.read(sequence);
    const auto finite = [](float x) { return std::isfinite(x); };
    EXPECT_TRUE(std::all_of(read.keys.begin(), read.keys.end(), finite))
        << value << " as " << dtype_name(dtype) << " in format " << key_format << ", exact_dtype " << exact;
    return status;
  };
  EXPECT_EQ(append(TQ_DTYPE_AUTO, TQ_FORMAT_TQ4, 65504.0f, TQ_F32), TQ_OK);
  EXPECT_EQ(append(TQ_DTYPE_AUTO, TQ_FORMAT_TQ4, 65505.0f, TQ_F32), TQ_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(append(TQ_DTYPE_AUTO, TQ_FORMAT_TQ4, 1e9f, TQ_BF16), TQ_OK);
  EXPECT_EQ(append(TQ_F16, TQ_FORMAT_TQ4, 1e9f, TQ_BF16), TQ_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(append(TQ_BF16, TQ_FORMAT_TQ4, 0x1p60f, TQ_F32), TQ_OK);
  EXPECT_EQ(append(TQ_BF16, TQ_FORMAT_TQ8, 0x1.01p60f, TQ_F32), TQ_ERR_INVALID_ARGUMENT);
  EXPECT_EQ(append(TQ_BF16, TQ_FORMAT_F16, 1e6f, TQ_F32), TQ_ERR_INVALID_ARGUMENT);  // its blocks could not hold it
  EXPECT_EQ(append(TQ_BF16, TQ_FORMAT_BF16, 1e6f, TQ_F32), TQ_OK);
  EXPECT_EQ(append(TQ_BF16, TQ_FORMAT_F16, 65504.0f, TQ_F32), TQ_ERR_INVALID_ARGUMENT);  // 65536 in bf16
}

// Codes may overshoot what f16 holds; rows that a cut puts back into an f16 tail must not become infinite.
TEST(LargeValues, StayFiniteWhenACutDecodesThemIntoTheTail) {
  for (const tq_format format : {TQ_FORMAT_TQ4, TQ_FORMAT_TQ8}) {
    const Shape shape{1, 64, 64};
    tq_layer_options layer = layer_options(shape);
    layer.key_format = layer.value_format = format;
    layer.sink_tokens = 0;
    const Cache cache(layer);
    const tq_sequence sequence = cache.sequence();
    Random random(3);
    Tokens tokens = random_tokens(random, shape, 64);
    for (float& value : tokens.keys) value = value > 0 ? 65504.0f : -65504.0f;
    for (float& value : tokens.values) value = value > 0 ? 65504.0f : -65504.0f;
    cache.append(sequence, tokens);
    cache.truncate(sequence, 63);
    for (const float value : cache.read(sequence).keys) ASSERT_TRUE(std::isfinite(value)) << "format " << format;
    for (const float value : cache.read(sequence).values) ASSERT_TRUE(std::isfinite(value)) << "format " << format;
  }
}

}  // namespace
}  // namespace tq_test
