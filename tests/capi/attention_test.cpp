#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "attention_call.hpp"

namespace tq_test {
namespace {

const Shape kShape{2, 64, 64};

CallStyle style_with(std::uint32_t q_heads) {
  CallStyle style;
  style.settings.q_heads = q_heads;
  return style;
}

// A cache with one filled sequence and its model.
struct Filled {
  Filled(const tq_layer_options& options, std::size_t length, std::uint64_t seed = 1)
      : cache(options), sequence(cache.sequence()), model(options), random(seed) {
    const Tokens tokens = random_tokens(random, cache.shape(), length);
    cache.append(sequence, tokens);
    model.append(tokens, TQ_F32);
  }
  reference::Context context() const { return model.context(cache, sequence); }

  Cache cache;
  tq_sequence sequence;
  SequenceModel model;
  Random random;
};

// One call for the newest n_query positions, compared with dense attention.
void expect_agreement(Filled& filled, const CallStyle& style, std::size_t n_query) {
  std::vector<AttendItem> items;
  items.emplace_back(filled.random, kShape, style, filled.sequence, n_query);
  attend(filled.cache, style, items);
  EXPECT_TRUE(items[0].agrees(filled.context()));
}

TEST(Attention, AgreesAtEveryLengthAroundTheEdges) {
  for (const std::size_t length : {1, 2, 3, 4, 5, 66, 67, 68, 69, 131, 132, 133, 196, 197})
    for (const bool new_tokens : {false, true}) {
      SCOPED_TRACE(testing::Message() << "length " << length << ", new_tokens " << new_tokens);
      Filled filled(layer_options(kShape), length);
      CallStyle style = style_with(4);
      style.new_tokens = new_tokens;
      expect_agreement(filled, style, 1);
    }
}

TEST(Attention, OfManyQueriesMasksEachAtItsOwnPosition) {
  for (const bool causal : {true, false})
    for (const bool new_tokens : {false, true})
      for (const std::size_t n_query : {2, 3, 8, 17, 64, 70}) {
        SCOPED_TRACE(testing::Message() << "causal " << causal << ", new_tokens " << new_tokens << ", queries "
                                        << n_query);
        Filled filled(layer_options(kShape), 150);
        CallStyle style = style_with(2);
        style.settings.causal = causal;
        style.new_tokens = new_tokens;
        expect_agreement(filled, style, n_query);
      }
}

// 4128 rows of each kv head: tiles of 256, and one of 32.
TEST(Attention, OfThousandsOfRowsAgrees) {
  Filled filled(layer_options(kShape), 150);
  CallStyle style = style_with(32);
  style.new_tokens = true;
  expect_agreement(filled, style, 258);
}

TEST(Attention, OfNothingIsZeroAndMinusInfinity) {
  const Cache cache(layer_options(kShape));
  const tq_sequence empty = cache.sequence();
  CallStyle style = style_with(4);
  style.settings.causal = false;
  Random random(2);
  std::vector<AttendItem> items;
  items.emplace_back(random, kShape, style, empty, 1);
  attend(cache, style, items);
  for (const float value : items[0].output()) EXPECT_EQ(value, 0.0f);
  for (const float value : items[0].log_sum_exp()) EXPECT_EQ(value, -std::numeric_limits<float>::infinity());
}

TEST(Attention, OfNothingButSinkLogitsIsZeroAndTheLogit) {
  const Cache cache(layer_options(kShape));
  const tq_sequence empty = cache.sequence();
  CallStyle style = style_with(4);
  style.settings.causal = false;
  style.settings.sink_logits = {0.5f, -3.0f, 7.0f, 0.0f};
  Random random(2);
  std::vector<AttendItem> items;
  items.emplace_back(random, kShape, style, empty, 1);
  attend(cache, style, items);
  for (const float value : items[0].output()) EXPECT_EQ(value, 0.0f);
  for (std::size_t h = 0; h < 4; ++h) EXPECT_NEAR(items[0].log_sum_exp()[h], style.settings.sink_logits[h], 1e-5f);
}

TEST(Attention, BatchesSequencesOfAnyLength) {
  const tq_layer_options options = layer_options(kShape);
  const Cache cache(options);
  Random random(3);
  CallStyle style = style_with(4);
  style.new_tokens = true;
  std::vector<SequenceModel> models;
  std::vector<tq_sequence> sequences;
  std::vector<AttendItem> items;
  for (const std::size_t length : {0, 1, 300, 4, 0, 68, 131}) {
    const Tokens tokens = random_tokens(random, kShape, length);
    sequences.push_back(cache.sequence());
    cache.append(sequences.back(), tokens);
    models.emplace_back(options).append(tokens, TQ_F32);
    items.emplace_back(random, kShape, style, sequences.back(), 1 + length % 3);
  }
  attend(cache, style, items);
  for (std::size_t i = 0; i < items.size(); ++i)
    EXPECT_TRUE(items[i].agrees(models[i].context(cache, sequences[i]))) << "item " << i;
}

TEST(Attention, AcceptsNoItemsAndNoQueries) {
  Filled filled(layer_options(kShape), 10);
  const CallStyle style = style_with(4);
  attend(filled.cache, style, {});
  std::vector<AttendItem> items;
  items.emplace_back(filled.random, kShape, style, filled.sequence, 0);
  items.emplace_back(filled.random, kShape, style, filled.sequence, 1);
  attend(filled.cache, style, items);
  EXPECT_TRUE(items[1].agrees(filled.context()));
}

TEST(Attention, NeverChangesTheCache) {
  Filled filled(layer_options(kShape), 150);
  const Snapshot before = snapshot(filled.cache, {filled.sequence});
  for (const bool new_tokens : {false, true}) {
    CallStyle style = style_with(2);
    style.new_tokens = new_tokens;
    std::vector<AttendItem> items;
    items.emplace_back(filled.random, kShape, style, filled.sequence, 5);
    attend(filled.cache, style, items);
  }
  EXPECT_TRUE(same(before, snapshot(filled.cache, {filled.sequence})));
}

// docs/numerics.md section 6: equal bits for one instruction set, whatever the threads.
TEST(Attention, GivesTheSameBitsOnAnyThreads) {
  Filled filled(layer_options(kShape), 330);
  CallStyle style = style_with(8);
  std::vector<AttendItem> items;
  for (const std::size_t n_query : {3, 1, 20})
    items.emplace_back(filled.random, kShape, style, filled.sequence, n_query);
  attend(filled.cache, style, items);
  std::vector<std::vector<float>> expected;
  for (const AttendItem& item : items) {
    expected.push_back(item.output());
    expected.push_back(item.log_sum_exp());
  }
  const Pool two(2), four(4);
  for (int again = 0; again < 5; ++again)
    for (int threads = 0; threads < 5; ++threads) {
      SCOPED_TRACE(testing::Message() << "threads " << threads << ", call " << again);
      style.pool = threads == 1 ? static_cast<tq_pool*>(two) : threads == 2 ? static_cast<tq_pool*>(four) : nullptr;
      style.parallel_for = threads == 3 ? run_on_threads : threads == 4 ? run_backwards : nullptr;
      attend(filled.cache, style, items);
      for (std::size_t i = 0; i < items.size(); ++i) {
        EXPECT_EQ(items[i].output(), expected[2 * i]);
        EXPECT_EQ(items[i].log_sum_exp(), expected[2 * i + 1]);
      }
    }
}

TEST(Attention, OfANaNQueryIsNaNForThatQueryAlone) {
  for (const tq_dtype dtype : {TQ_F32, TQ_F16, TQ_BF16})
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      Filled filled(layer_options(kShape), 150);
      Elements query(dtype, gaussian(filled.random, 3 * 2 * 64));
      query.set(1 * 128 + 64 + 5, bad);  // query 1, head 1
      std::vector<float> output(3 * 2 * 64), lse(3 * 2);
      tq_attend_options options = attend_options(style_with(2).settings);
      options.query_dtype = dtype;
      tq_attend_item item;
      tq_attend_item_init(&item, sizeof item);
      item.sequence = filled.sequence;
      item.n_query = 3;
      item.query = query.data();
      item.output = output.data();
      item.log_sum_exp = lse.data();
      Error error;
      EXPECT_TQ_OK(tq_attend(filled.cache, &options, &item, 1, &error), error);
      for (std::size_t i = 0; i < output.size(); ++i)
        ASSERT_EQ(std::isnan(output[i]), i / 64 == 3) << bad << " in " << dtype_name(dtype) << ", element " << i;
    }
}

TEST(Attention, StaysFiniteWithHugeLogits) {
  for (const tq_format format : {TQ_FORMAT_TQ4, TQ_FORMAT_TQ8, TQ_FORMAT_BF16}) {
    tq_layer_options options = layer_options(kShape);
    options.key_format = options.value_format = format;
    options.exact_dtype = TQ_BF16;
    const Cache cache(options);
    const tq_sequence sequence = cache.sequence();
    Random random(4);
    Tokens tokens = random_tokens(random, kShape, 150);
    for (float& value : tokens.keys) value *= 0x1p50f;
    cache.append(sequence, tokens);
    const CallStyle style = style_with(4);
    std::vector<AttendItem> items;
    items.emplace_back(random, kShape, style, sequence, 2, 100.0f);
    attend(cache, style, items);
    for (const float value : items[0].output()) ASSERT_TRUE(std::isfinite(value)) << "format " << format;
    for (const float value : items[0].log_sum_exp()) ASSERT_TRUE(std::isfinite(value)) << "format " << format;
  }
}

}  // namespace
}  // namespace tq_test
