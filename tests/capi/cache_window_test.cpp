// Sliding windows: memory behind the window is released, what the window shows is as it would be without one.
#include <gtest/gtest.h>

#include "attention_call.hpp"

namespace tq_test {
namespace {

const Shape kShape{2, 64, 64};

tq_layer_options options_with(std::uint32_t window, std::uint32_t recent_blocks = 0) {
  tq_layer_options options = layer_options(kShape);
  options.window = window;
  options.recent_blocks = recent_blocks;
  return options;
}

// A windowed cache next to one that keeps everything, fed with the same tokens.
struct Twins {
  explicit Twins(const tq_layer_options& options)
      : windowed(options),
        complete(without_window(options)),
        a(windowed.sequence()),
        b(complete.sequence()),
        model(options) {}

  static tq_layer_options without_window(tq_layer_options options) {
    options.window = 0;
    return options;
  }
  void append(std::size_t count) {
    const Tokens tokens = random_tokens(random, kShape, count);
    windowed.append(a, tokens);
    complete.append(b, tokens);
    model.append(tokens, TQ_F32);
  }
  void check_attention(bool new_tokens, std::size_t n_query) {
    CallStyle style;
    style.settings.q_heads = 4;
    style.new_tokens = new_tokens;
    std::vector<AttendItem> items;
    items.emplace_back(random, kShape, style, a, n_query);
    attend(windowed, style, items);
    EXPECT_TRUE(items[0].agrees(model.context(complete, b)));
  }

  Cache windowed, complete;
  tq_sequence a, b;
  SequenceModel model;
  Random random{1};
};

TEST(CacheWindow, ShowsTheSameTokensWhileItSlides) {
  for (const std::uint32_t window : {1u, 5u, 64u, 65u, 128u, 200u, 4096u})
    for (const std::uint32_t recent : {0u, 1u}) {
      if (quick() && recent != window % 2) continue;
      Twins twins(options_with(window, recent));
      for (const std::size_t count : {1, 3, 60, 4, 65, 1, 130, 30, 1, 64}) {
        twins.append(count);
        SCOPED_TRACE(testing::Message() << "window " << window << ", recent " << recent << ", length "
                                        << twins.model.length() << ", last append " << count);
        twins.check_attention(false, 1);
        twins.check_attention(false, std::min<std::size_t>(count, 40));  // the queries of the last append
        twins.check_attention(true, 1);
        twins.check_attention(true, 7);
      }
    }
}

TEST(CacheWindow, ReleasesWhatNoQueryCanSeeAnyMore) {
  const Cache cache(options_with(256));
  const tq_sequence sequence = cache.sequence();
  Random random(2);
  for (int i = 0; i < 30; ++i) cache.append(sequence, random_tokens(random, kShape, 64));
  const tq_cache_statistics after_30 = cache.stats();
  for (int i = 0; i < 300; ++i) cache.append(sequence, random_tokens(random, kShape, 64));
  const tq_cache_statistics after_330 = cache.stats();
  EXPECT_EQ(cache.length(sequence), 330u * 64u);
  EXPECT_EQ(after_330.tokens, after_30.tokens);
  EXPECT_EQ(after_330.coded_bytes, after_30.coded_bytes);
  // The window, one block at either end, the append itself, and the sinks.
  EXPECT_LE(after_330.tokens, 256u + 2 * 64u + 64u + 4u);
  // Only tables may grow: a few bytes per block of 64 tokens.
  EXPECT_LE(after_330.bytes, after_30.bytes + 300 * 64);
  EXPECT_EQ(after_330.bytes, after_330.code_bytes + after_330.scale_bytes + after_330.mean_bytes +
                                 after_330.exact_bytes + after_330.overhead_bytes);
  cache.destroy(sequence);
  EXPECT_EQ(cache.stats().tokens, 0u);
}

TEST(CacheWindow, RefusesToReadWhatIsGone) {
  Twins twins(options_with(100));
  for (int i = 0; i < 10; ++i) twins.append(64);
  const std::size_t length = twins.model.length();
  KvOutput output(kShape, length, TQ_F32);
  Error error;
  EXPECT_TRUE(refused(tq_cache_read(twins.windowed, twins.a, 0, 0, length, output.get(), &error), error,
                      TQ_ERR_INVALID_ARGUMENT, "first", "0"));
  const Tokens visible = twins.windowed.read(twins.a, length - 99, 99);
  EXPECT_TRUE(visible == twins.complete.read(twins.b, length - 99, 99));
}

TEST(CacheWindow, RefusesQueriesThatWouldSeeWhatIsGone) {
  Twins twins(options_with(100));
  for (int i = 0; i < 10; ++i) twins.append(64);
  const std::size_t n_query = 400;
  std::vector<float> query(n_query * 2 * 64, 1.0f), output(n_query * 2 * 64, -77.0f);
  const std::vector<float> untouched = output;
  const tq_attend_options options = attend_options({2, true, 0.0f, 0.0f, {}});
  tq_attend_item item;
  tq_attend_item_init(&item, sizeof item);
  item.sequence = twins.a;
  item.n_query = n_query;
  item.query = query.data();
  item.output = output.data();
  Error error;
  EXPECT_TRUE(refused(tq_attend(twins.windowed, &options, &item, 1, &error), error, TQ_ERR_INVALID_ARGUMENT, "window"));
  EXPECT_EQ(output, untouched);
}

TEST(CacheWindow, RefusesCutsThatWouldNeedWhatIsGone) {
  Twins twins(options_with(100));
  for (int i = 0; i < 10; ++i) twins.append(64);
  const Snapshot before{twins.windowed.stats(), {}};
  Error error;
  EXPECT_TRUE(refused(tq_sequence_truncate(twins.windowed, twins.a, 200, &error), error, TQ_ERR_INVALID_ARGUMENT,
                      "length", "200"));
  EXPECT_TRUE(same(before, {twins.windowed.stats(), {}}));
  twins.check_attention(true, 3);

  // A short cut is possible, and so is a cut to nothing.
  const std::size_t length = twins.model.length() - 10;
  const Tokens decoded = twins.complete.read(twins.b);
  twins.windowed.truncate(twins.a, length);
  twins.complete.truncate(twins.b, length);
  twins.model.truncate(length, decoded);
  twins.check_attention(false, 1);
  twins.check_attention(true, 3);
  twins.append(150);
  twins.check_attention(false, 150);
  twins.windowed.truncate(twins.a, 0);
  EXPECT_EQ(twins.windowed.length(twins.a), 0u);
  EXPECT_EQ(twins.windowed.stats().tokens, 0u);
}

TEST(CacheWindow, ReleasesForEveryForkOnItsOwn) {
  Twins twins(options_with(64));
  twins.append(300);
  const tq_sequence fork = twins.windowed.fork(twins.a);
  const Tokens visible = twins.windowed.read(fork, 300 - 63, 63);
  for (int i = 0; i < 10; ++i) twins.append(64);
  EXPECT_TRUE(twins.windowed.read(fork, 300 - 63, 63) == visible);
  twins.check_attention(false, 5);
  const std::uint64_t with_fork = twins.windowed.stats().coded_tokens;
  twins.windowed.destroy(fork);
  EXPECT_LT(twins.windowed.stats().coded_tokens, with_fork);
}

}  // namespace
}  // namespace tq_test
