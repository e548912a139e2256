// What goes into a cache comes out of it, however it was cut into calls and however it lay in memory.
#include <gtest/gtest.h>

#include "handles.hpp"
#include "model.hpp"

namespace tq_test {
namespace {

const Shape kShape{2, 64, 64};

tq_layer_options options_with(std::uint32_t sink_tokens, std::uint32_t recent_blocks = 0) {
  tq_layer_options options = layer_options(kShape);
  options.sink_tokens = sink_tokens;
  options.recent_blocks = recent_blocks;
  return options;
}

// Around every edge: of sinks (0, 4, 64), of the first and of the second block behind them.
constexpr std::size_t kEdgeLengths[] = {0, 1, 3, 4, 5, 63, 64, 65, 67, 68, 69, 127, 128, 129, 131, 132, 133, 192, 200};

TEST(CacheAppend, KeepsSinksAndTailExactlyAndCodesTheRest) {
  for (const std::uint32_t sinks : {0u, 1u, 4u, 64u})
    for (const std::uint32_t recent : {0u, 1u, 2u})
      for (const std::size_t length : kEdgeLengths) {
        SCOPED_TRACE(testing::Message() << "sinks " << sinks << ", recent " << recent << ", length " << length);
        const Cache cache(options_with(sinks, recent));
        SequenceModel model(options_with(sinks, recent));
        Random random(length);
        const Tokens tokens = random_tokens(random, kShape, length);
        const tq_sequence sequence = cache.sequence();
        cache.append(sequence, tokens);
        model.append(tokens, TQ_F32);
        EXPECT_TRUE(model.matches(cache, sequence));
        EXPECT_EQ(cache.stats().coded_tokens, model.coded_end() - model.coded_begin());
      }
}

void append_in_cuts(const Cache& cache, tq_sequence sequence, const Tokens& tokens, Random& random,
                    std::size_t longest) {
  for (std::size_t first = 0; first < tokens.count();) {
    const std::size_t count = std::min(uniform(random, 0, longest), tokens.count() - first);
    cache.append(sequence, tokens.slice(first, count));
    first += count;
  }
}

TEST(CacheAppend, DoesNotDependOnHowTokensAreCutIntoCalls) {
  for (const std::uint32_t sinks : {0u, 4u, 64u})
    for (const std::uint32_t recent : {0u, 1u})
      for (const std::size_t longest : {1, 3, 70, 200}) {
        SCOPED_TRACE(testing::Message() << "sinks " << sinks << ", recent " << recent << ", calls of up to "
                                        << longest);
        const Cache cache(options_with(sinks, recent));
        Random random(sinks * 1000 + longest);
        const Tokens tokens = biased_tokens(random, kShape, 290);
        const tq_sequence at_once = cache.sequence(), in_cuts = cache.sequence();
        cache.append(at_once, tokens);
        append_in_cuts(cache, in_cuts, tokens, random, longest);
        EXPECT_TRUE(cache.read(at_once) == cache.read(in_cuts));
      }
}

TEST(CacheAppend, HandlesEveryPairOfFormats) {
  constexpr tq_format kFormats[] = {TQ_FORMAT_TQ4, TQ_FORMAT_TQ8, TQ_FORMAT_F16, TQ_FORMAT_BF16};
  for (const tq_format key_format : kFormats)
    for (const tq_format value_format : kFormats)
      for (const std::uint32_t group_size : {64u, 32u}) {
        SCOPED_TRACE(testing::Message() << "keys " << key_format << ", values " << value_format << ", group "
                                        << group_size);
        tq_layer_options options = layer_options({2, 80, 80});
        options.key_format = key_format;
        options.value_format = value_format;
        options.key_group_size = options.value_group_size = group_size;
        const Cache cache(options);
        SequenceModel model(options);
        Random random(group_size);
        const Tokens tokens = random_tokens(random, cache.shape(), 150);
        const tq_sequence sequence = cache.sequence();
        cache.append(sequence, tokens.slice(0, 70));
        cache.append(sequence, tokens.slice(70, 80));
        model.append(tokens, TQ_F32);
        EXPECT_TRUE(model.matches(cache, sequence));
      }
}

TEST(CacheAppend, HandlesKeysAndValuesOfDifferentSize) {
  for (const Shape& shape : {Shape{1, 1, 1}, Shape{1, 192, 128}, Shape{3, 33, 40}, Shape{2, 8, 256}, Shape{1, 576, 512},
                             Shape{1, 1024, 1}, Shape{1, 7, 1024}, Shape{5, 100, 12}}) {
    SCOPED_TRACE(testing::Message() << shape.kv_heads << " heads, keys " << shape.key_dim << ", values "
                                    << shape.value_dim);
    tq_layer_options options = layer_options(shape);
    options.key_format = options.value_format = TQ_FORMAT_TQ8;  // its bound holds for the smallest sizes, too
    const Cache cache(options);
    SequenceModel model(options);
    Random random(shape.key_dim);
    const Tokens tokens = random_tokens(random, shape, 135);
    const tq_sequence sequence = cache.sequence();
    cache.append(sequence, tokens);
    model.append(tokens, TQ_F32);
    EXPECT_TRUE(model.matches(cache, sequence));
  }
}

TEST(CacheAppend, CentresKeysUnlessToldNotTo) {
  const Shape shape{2, 128, 128};
  Random random(11);
  const Tokens tokens = biased_tokens(random, shape, 64);
  double errors[2];
  for (const std::uint32_t centred : {0u, 1u}) {
    tq_layer_options options = layer_options(shape);
    options.center_keys = centred;
    options.sink_tokens = 0;
    const Cache cache(options);
    SequenceModel model(options);
    const tq_sequence sequence = cache.sequence();
    cache.append(sequence, tokens);
    model.append(tokens, TQ_F32);
    EXPECT_TRUE(model.matches(cache, sequence)) << "centred " << centred;
    const Tokens decoded = cache.read(sequence);
    errors[centred] = relative_squared_error(decoded.keys.data(), tokens.keys.data(), tokens.keys.size());
  }
  // A bias of three sigma is nine tenths of the energy; what is left is coded as well as without it.
  EXPECT_LT(errors[1], errors[0] * 0.15);
}

TEST(CacheAppend, KeepsEveryLayerInItsOwnWay) {
  std::vector<tq_layer_options> layers = {layer_options({2, 64, 64}), layer_options({1, 128, 96}),
                                          layer_options({4, 40, 40})};
  layers[0].sink_tokens = 0;
  layers[1].key_format = TQ_FORMAT_TQ8;
  layers[1].exact_dtype = TQ_BF16;
  layers[2].value_format = TQ_FORMAT_F16;
  layers[2].recent_blocks = 1;
  layers[2].seed = 99;
  const Cache cache(layers);
  const tq_sequence sequence = cache.sequence();
  Random random(12);
  constexpr std::size_t kLengths[] = {150, 64, 201};
  std::vector<SequenceModel> models;
  for (std::uint32_t layer = 0; layer < 3; ++layer) {
    const Tokens tokens = random_tokens(random, cache.shape(layer), kLengths[layer]);
    cache.append(sequence, tokens, TQ_F32, layer);
    models.emplace_back(layers[layer]).append(tokens, TQ_F32);
  }
  for (std::uint32_t layer = 0; layer < 3; ++layer)
    EXPECT_TRUE(models[layer].matches(cache, sequence, layer)) << "layer " << layer;
}

TEST(CacheAppend, TakesOneDescriptionForAllLayers) {
  const tq_layer_options layer = layer_options(kShape);
  tq_cache_options options;
  tq_cache_options_init(&options, sizeof options);
  options.layer_count = 5;
  options.layers = &layer;
  options.layers_given = 1;
  tq_cache* cache = nullptr;
  Error error;
  EXPECT_TQ_OK(tq_cache_create(&options, &cache, &error), error);
  tq_sequence sequence = 0;
  EXPECT_TQ_OK(tq_sequence_create(cache, &sequence, &error), error);
  Random random(13);
  const KvInput input(random_tokens(random, kShape, 3), TQ_F32);
  for (std::uint32_t l = 0; l < 5; ++l) EXPECT_TQ_OK(tq_cache_append(cache, sequence, l, input.get(), &error), error);
  EXPECT_EQ(tq_cache_append(cache, sequence, 5, input.get(), &error), TQ_ERR_INVALID_ARGUMENT);
  tq_cache_destroy(cache);
}

// Values of 1/8 are exact in all types, so the decoded rows show whether every stride was followed.
TEST(CacheAppend, FollowsStridesAndTypes) {
  const Shape shape{3, 40, 24};
  Random random(14);
  Tokens tokens = random_tokens(random, shape, 90);
  tokens.keys = eighths(random, tokens.keys.size());
  tokens.values = eighths(random, tokens.values.size());
  const Cache cache(layer_options(shape));
  const tq_sequence expected = cache.sequence();
  cache.append(expected, tokens);
  for (const Layout layout : {Layout::kContiguous, Layout::kExplicit, Layout::kHeadMajor, Layout::kPadded})
    for (const tq_dtype dtype : {TQ_F32, TQ_F16, TQ_BF16}) {
      SCOPED_TRACE(testing::Message() << "layout " << static_cast<int>(layout) << ", " << dtype_name(dtype));
      tq_layer_options options = layer_options(shape);
      const Cache other(options);
      const tq_sequence sequence = other.sequence();
      Error error;
      const KvInput input(tokens, dtype, layout);
      EXPECT_TQ_OK(tq_cache_append(other, sequence, 0, input.get(), &error), error);
      EXPECT_TRUE(other.read(sequence) == cache.read(expected));
    }
}

TEST(CacheAppend, ChoosesTheExactTypeByTheFirstAppend) {
  for (const tq_dtype first : {TQ_F32, TQ_F16, TQ_BF16})
    for (const tq_dtype second : {TQ_F32, TQ_F16, TQ_BF16})
      for (const tq_dtype option : {TQ_DTYPE_AUTO, TQ_F16, TQ_BF16}) {
        SCOPED_TRACE(testing::Message() << dtype_name(first) << ", then " << dtype_name(second) << ", exact_dtype "
                                        << option);
        tq_layer_options options = layer_options(kShape);
        options.exact_dtype = option;
        const Cache cache(options);
        SequenceModel model(options);
        const tq_sequence sequence = cache.sequence();
        Random random(15);
        const Tokens a = random_tokens(random, kShape, 2), b = random_tokens(random, kShape, 80);
        cache.append(sequence, a, first);
        model.append(a, first);
        cache.append(sequence, b, second);
        model.append(b, second);
        EXPECT_TRUE(model.matches(cache, sequence));
      }
}

TEST(CacheAppend, OfNoTokensChangesNothing) {
  const Cache cache(layer_options(kShape));
  const tq_sequence sequence = cache.sequence();
  const Snapshot before = snapshot(cache, {sequence});
  tq_kv kv;
  tq_kv_init(&kv, sizeof kv);
  kv.dtype = TQ_F32;
  Error error;
  EXPECT_TQ_OK(tq_cache_append(cache, sequence, 0, &kv, &error), error);
  EXPECT_TRUE(same(before, snapshot(cache, {sequence})));
  EXPECT_EQ(cache.length(sequence), 0u);
}

}  // namespace
}  // namespace tq_test
