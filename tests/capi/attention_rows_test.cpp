// Many query rows of a kv head in one call: they have kernels of their own, which look codes up once for all of them.
#include <gtest/gtest.h>

#include "attention_call.hpp"

namespace tq_test {
namespace {

constexpr std::size_t kSinks = 4, kRecent = 64, kExact = kSinks + kRecent;  // tokens that are not coded

// Rows in whole tiles of 16 and 32, around them, and too few for either; blocks in steps of four, and around them; head
// sizes in whole tiles, others, and one that is too large for them.
TEST(ManyRows, AgreeAtEveryEdge) {
  Random random(5);
  for (const std::uint32_t dim : {32, 64, 80, 96, 128, 192, 256, 288})
    for (const std::size_t blocks : {1, 3, 4, 5}) {
      const Shape shape{1, dim, dim == 80 ? 128 : dim};
      const tq_layer_options layer = layer_options(shape);
      const Cache cache(layer);
      SequenceModel model(layer);
      const tq_sequence sequence = cache.sequence();
      const Tokens tokens = random_tokens(random, shape, blocks * 64 + kExact);
      cache.append(sequence, tokens);
      model.append(tokens, TQ_F32);
      for (const std::uint32_t rows : {5, 15, 16, 17, 31, 32, 33, 48, 67}) {
        if (quick() && (blocks == 3 || dim == 192 || rows % 16 > 1)) continue;
        SCOPED_TRACE(testing::Message() << "head_dim " << dim << ", blocks " << blocks << ", rows " << rows);
        CallStyle style;
        style.settings.q_heads = rows;
        if (rows == 33) style.settings.softcap = 5.0f;
        const std::vector<AttendItem> items(1, AttendItem(random, shape, style, sequence, 1));
        attend(cache, style, items);
        EXPECT_TRUE(items[0].agrees(model.context(cache, sequence)));
      }
    }
}

// Groups of 32 values have other scales.
TEST(ManyRows, AgreeWithSmallGroupsAndUncentredKeys) {
  Random random(6);
  const Shape shape{2, 128, 96};
  tq_layer_options layer = layer_options(shape);
  layer.key_group_size = layer.value_group_size = 32;
  layer.center_keys = 0;
  const Cache cache(layer);
  SequenceModel model(layer);
  const tq_sequence sequence = cache.sequence();
  const Tokens tokens = random_tokens(random, shape, 6 * 64 + kExact);
  cache.append(sequence, tokens);
  model.append(tokens, TQ_F32);
  CallStyle style;
  style.settings.q_heads = 2 * 48;
  const std::vector<AttendItem> items(1, AttendItem(random, shape, style, sequence, 1));
  attend(cache, style, items);
  EXPECT_TRUE(items[0].agrees(model.context(cache, sequence)));
}

// The logits of block b rise by steps[b % 7]: weights of earlier blocks become small, or vanish, at every place of a
// step.
TEST(ManyRows, FollowTheLargestLogit) {
  constexpr std::uint32_t kRows = 48;
  constexpr std::size_t kBlocks = 12, kCount = kBlocks * 64 + kExact;
  constexpr float kSteps[] = {0, 25, 0, 18, 30, -20, 19};
  const Shape shape{1, 128, 128};
  const Cache cache(layer_options(shape));
  Random random(8);
  Tokens tokens = random_tokens(random, shape, kCount);
  const std::vector<float> one = gaussian(random, shape.key_dim, 1.0f);
  float logit = 0;
  for (std::size_t t = kSinks; t < kCount - kRecent; ++t) {
    if ((t - kSinks) % 64 == 0) logit += kSteps[(t - kSinks) / 64 % 7];
    raise_logit(&tokens.keys[t * shape.key_dim], one.data(), shape.key_dim, logit);
  }
  const tq_sequence sequence = cache.sequence();
  cache.append(sequence, tokens);
  const Tokens decoded = cache.read(sequence);

  // Row r sees the steps shrunk by r / kRows: the last ones do without rescaling.
  std::vector<float> query(kRows * shape.key_dim);
  for (std::size_t i = 0; i < query.size(); ++i)
    query[i] = one[i % shape.key_dim] * (1.0f - static_cast<float>(i / shape.key_dim) / kRows);
  const std::vector<float> output = attend_one(cache, sequence, kRows, query);
  for (std::size_t row = 0; row < kRows; ++row)
    EXPECT_LE(error_beside_dense(decoded, 0, &query[row * shape.key_dim], &output[row * shape.value_dim]), 0.03)
        << "row " << row;
}

}  // namespace
}  // namespace tq_test
