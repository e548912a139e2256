#include <gtest/gtest.h>

#include "handles.hpp"
#include "model.hpp"

namespace tq_test {
namespace {

const Shape kShape{2, 64, 64};

// Cuts a sequence of `from` tokens to `to`, appends on, and compares with the model at each step.
void check_truncation(const tq_layer_options& options, std::size_t from, std::size_t to, std::size_t then) {
  SCOPED_TRACE(testing::Message() << "sinks " << options.sink_tokens << ", recent " << options.recent_blocks
                                  << ", formats " << options.key_format << '/' << options.value_format << ": " << from
                                  << " -> " << to << ", then " << then << " more");
  const Cache cache(options);
  SequenceModel model(options);
  Random random(from * 1000 + to);
  const tq_sequence sequence = cache.sequence();
  const Tokens tokens = random_tokens(random, cache.shape(), from), more = random_tokens(random, cache.shape(), then);
  cache.append(sequence, tokens);
  model.append(tokens, TQ_F32);
  const Tokens decoded = cache.read(sequence);
  cache.truncate(sequence, to);
  model.truncate(to, decoded);
  EXPECT_TRUE(model.matches(cache, sequence)) << "after the cut";
  EXPECT_EQ(cache.stats().coded_tokens, model.coded_end() - model.coded_begin());
  cache.append(sequence, more);
  model.append(more, TQ_F32);
  EXPECT_TRUE(model.matches(cache, sequence)) << "after appending again";
}

TEST(CacheTruncate, CutsTailsBlocksAndSinksAnywhere) {
  for (const std::uint32_t sinks : {0u, 4u, 64u})
    for (const std::uint32_t recent : {0u, 1u})
      for (const std::size_t to :
           {0, 1, 3, 4, 5, 63, 64, 65, 67, 68, 69, 100, 127, 128, 132, 133, 195, 196, 197, 210}) {
        tq_layer_options options = layer_options(kShape);
        options.sink_tokens = sinks;
        options.recent_blocks = recent;
        check_truncation(options, 210, to, 130);
      }
}

TEST(CacheTruncate, WorksInEveryFormat) {
  for (const tq_format key_format : {TQ_FORMAT_TQ4, TQ_FORMAT_TQ8, TQ_FORMAT_F16, TQ_FORMAT_BF16})
    for (const tq_format value_format : {TQ_FORMAT_TQ4, TQ_FORMAT_TQ8, TQ_FORMAT_F16})
      for (const std::uint32_t centred : {0u, 1u}) {
        tq_layer_options options = layer_options({2, 80, 64});
        options.key_format = key_format;
        options.value_format = value_format;
        options.center_keys = centred;
        check_truncation(options, 150, 90, 100);
      }
}

TEST(CacheTruncate, ToItsLengthChangesNothing) {
  const Cache cache(layer_options(kShape));
  const tq_sequence sequence = cache.sequence();
  Random random(1);
  for (const std::size_t more : {2, 2, 64, 20}) {
    cache.append(sequence, random_tokens(random, kShape, more));
    const Snapshot before = snapshot(cache, {sequence});
    cache.truncate(sequence, cache.length(sequence));
    EXPECT_TRUE(same(before, snapshot(cache, {sequence})));
  }
}

TEST(CacheTruncate, IsRefusedBeyondTheLength) {
  const Cache cache(layer_options(kShape));
  const tq_sequence sequence = cache.sequence();
  Random random(2);
  cache.append(sequence, random_tokens(random, kShape, 150));
  const Snapshot before = snapshot(cache, {sequence});
  Error error;
  EXPECT_TRUE(
      refused(tq_sequence_truncate(cache, sequence, 151, &error), error, TQ_ERR_INVALID_ARGUMENT, "length", "151"));
  EXPECT_TRUE(refused(tq_sequence_truncate(cache, sequence, SIZE_MAX, &error), error, TQ_ERR_INVALID_ARGUMENT, "length",
                      std::to_string(SIZE_MAX)));
  EXPECT_EQ(tq_sequence_truncate(cache, sequence, 151, nullptr), TQ_ERR_INVALID_ARGUMENT);
  EXPECT_TRUE(same(before, snapshot(cache, {sequence})));
}

TEST(CacheTruncate, CutsEveryLayerToAtMostTheLength) {
  const std::vector<tq_layer_options> layers(3, layer_options(kShape));
  const Cache cache(layers);
  const tq_sequence sequence = cache.sequence();
  Random random(3);
  constexpr std::size_t kLengths[] = {150, 70, 0};
  for (std::uint32_t layer = 0; layer < 3; ++layer)
    cache.append(sequence, random_tokens(random, kShape, kLengths[layer]), TQ_F32, layer);
  cache.truncate(sequence, 100);
  EXPECT_EQ(cache.length(sequence, 0), 100u);
  EXPECT_EQ(cache.length(sequence, 1), 70u);
  EXPECT_EQ(cache.length(sequence, 2), 0u);
  EXPECT_EQ(tq_sequence_truncate(cache, sequence, 101, nullptr), TQ_ERR_INVALID_ARGUMENT);
  cache.truncate(sequence, 0);
  for (std::uint32_t layer = 0; layer < 3; ++layer) EXPECT_EQ(cache.length(sequence, layer), 0u);
}

TEST(CacheTruncate, DoesNotTouchForks) {
  const tq_layer_options options = layer_options(kShape);
  const Cache cache(options);
  Random random(4);
  for (const std::size_t to : {0, 2, 50, 68, 100, 140, 190}) {
    SCOPED_TRACE(to);
    const tq_sequence a = cache.sequence();
    SequenceModel model_a(options);
    const Tokens tokens = random_tokens(random, kShape, 200);
    cache.append(a, tokens);
    model_a.append(tokens, TQ_F32);
    const tq_sequence b = cache.fork(a);
    SequenceModel model_b = model_a;
    model_b.truncate(to, cache.read(b));
    cache.truncate(b, to);
    EXPECT_TRUE(model_a.matches(cache, a));
    EXPECT_TRUE(model_b.matches(cache, b));
    const Tokens more = random_tokens(random, kShape, 90);
    cache.append(b, more);
    model_b.append(more, TQ_F32);
    EXPECT_TRUE(model_a.matches(cache, a));
    EXPECT_TRUE(model_b.matches(cache, b));
  }
}

TEST(CacheTruncate, GivesMemoryBack) {
  const Cache cache(layer_options(kShape));
  const tq_sequence sequence = cache.sequence();
  Random random(5);
  cache.append(sequence, random_tokens(random, kShape, 100));
  const tq_cache_statistics before = cache.stats();
  cache.append(sequence, random_tokens(random, kShape, 6400));
  cache.truncate(sequence, 68);
  const tq_cache_statistics after = cache.stats();
  EXPECT_EQ(after.coded_tokens, 64u);
  EXPECT_EQ(after.tokens, 68u);
  EXPECT_LE(after.code_bytes, before.code_bytes);
  EXPECT_LE(after.exact_bytes, before.exact_bytes);
  cache.truncate(sequence, 0);
  EXPECT_EQ(cache.stats().tokens, 0u);
  EXPECT_EQ(cache.stats().coded_bytes, 0u);
}

}  // namespace
}  // namespace tq_test
