#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "handles.hpp"
#include "model.hpp"

namespace tq_test {
namespace {

const Shape kShape{2, 64, 64};

// Before the sinks are full, with an empty tail, in the middle of a tail, and with coded blocks in each case.
constexpr std::size_t kForkLengths[] = {0, 2, 4, 5, 40, 67, 68, 69, 132, 150, 200};

TEST(CacheFork, LetsBothSidesContinueDifferently) {
  for (const std::uint32_t recent : {0u, 1u})
    for (const std::size_t length : kForkLengths) {
      SCOPED_TRACE(testing::Message() << "forked at " << length << ", recent_blocks " << recent);
      tq_layer_options options = layer_options(kShape);
      options.recent_blocks = recent;
      const Cache cache(options);
      Random random(length);
      const tq_sequence a = cache.sequence();
      SequenceModel model_a(options);
      const Tokens common = random_tokens(random, kShape, length);
      cache.append(a, common);
      model_a.append(common, TQ_F32);
      const tq_sequence b = cache.fork(a);
      SequenceModel model_b = model_a;
      EXPECT_TRUE(model_b.matches(cache, b));
      for (int round = 0; round < 3; ++round) {
        const Tokens more_a = random_tokens(random, kShape, uniform(random, 1, 70));
        const Tokens more_b = random_tokens(random, kShape, uniform(random, 1, 70));
        cache.append(a, more_a);
        model_a.append(more_a, TQ_F32);
        EXPECT_TRUE(model_b.matches(cache, b));
        cache.append(b, more_b);
        model_b.append(more_b, TQ_F32);
        EXPECT_TRUE(model_a.matches(cache, a));
        EXPECT_TRUE(model_b.matches(cache, b));
      }
    }
}

TEST(CacheFork, ReadsLikeASequenceThatWasNeverForked) {
  const Cache cache(layer_options(kShape));
  Random random(1);
  const Tokens tokens = biased_tokens(random, kShape, 200);
  const tq_sequence alone = cache.sequence(), origin = cache.sequence();
  cache.append(alone, tokens);
  cache.append(origin, tokens.slice(0, 100));
  const tq_sequence fork = cache.fork(origin);
  cache.append(origin, random_tokens(random, kShape, 50));
  cache.append(fork, tokens.slice(100, 100));
  EXPECT_TRUE(cache.read(fork) == cache.read(alone));
}

TEST(CacheFork, CountsSharedBytesOnce) {
  const Cache cache(layer_options(kShape));
  Random random(2);
  empty_bytes(cache, 21);  // so that no table grows below
  const tq_sequence origin = cache.sequence();
  cache.append(origin, random_tokens(random, kShape, 4 + 5 * 64 + 30));
  const tq_cache_statistics before = cache.stats();
  std::vector<tq_sequence> forks;
  for (int i = 0; i < 20; ++i) forks.push_back(cache.fork(i % 2 == 0 ? origin : forks.back()));
  const tq_cache_statistics shared = cache.stats();
  EXPECT_EQ(shared.sequences, 21u);
  EXPECT_EQ(shared.tokens, before.tokens);
  EXPECT_EQ(shared.coded_tokens, before.coded_tokens);
  EXPECT_EQ(shared.coded_bytes, before.coded_bytes);
  EXPECT_EQ(shared.exact_bytes, before.exact_bytes);

  // Writing to a fork costs a tail of its own, but no coded block.
  cache.append(forks[7], random_tokens(random, kShape, 1));
  const tq_cache_statistics written = cache.stats();
  EXPECT_EQ(written.coded_tokens, before.coded_tokens);
  EXPECT_EQ(written.coded_bytes, before.coded_bytes);
  EXPECT_EQ(written.tokens, before.tokens + 31);

  for (const tq_sequence fork : forks) cache.destroy(fork);
  const tq_cache_statistics after = cache.stats();
  EXPECT_EQ(after.tokens, before.tokens);
  EXPECT_EQ(after.bytes, before.bytes);
}

TEST(CacheFork, MayBeForkedAgainAndDestroyedInAnyOrder) {
  std::vector<int> order = {0, 1, 2, 3};
  do {
    SCOPED_TRACE(testing::Message() << "order " << order[0] << order[1] << order[2] << order[3]);
    const tq_layer_options options = layer_options(kShape);
    const Cache cache(options);
    const std::uint64_t bytes_before = empty_bytes(cache, 4);
    Random random(3);
    std::map<int, std::pair<tq_sequence, SequenceModel>> alive;
    const auto extend = [&](int which, std::size_t count) {
      auto& [sequence, model] = alive.at(which);
      const Tokens tokens = random_tokens(random, kShape, count);
      cache.append(sequence, tokens);
      model.append(tokens, TQ_F32);
    };
    const auto fork = [&](int from, int to) {
      alive.emplace(to, std::pair{cache.fork(alive.at(from).first), alive.at(from).second});
    };
    alive.emplace(0, std::pair{cache.sequence(), SequenceModel(options)});
    extend(0, 80);
    fork(0, 1);
    extend(1, 60);
    fork(1, 2);
    fork(1, 3);
    extend(3, 10);
    for (const int which : order) {
      cache.destroy(alive.at(which).first);
      alive.erase(which);
      for (const auto& [name, entry] : alive) EXPECT_TRUE(entry.second.matches(cache, entry.first)) << name;
    }
    EXPECT_EQ(cache.stats().bytes, bytes_before);
    EXPECT_EQ(cache.stats().sequences, 0u);
  } while (std::next_permutation(order.begin(), order.end()));
}

// Rows that a cut takes from a page that is shared stay in it until the next append; then all counts are exact again.
TEST(CacheFork, CountsWhatIsLeftAfterACutAndTheEndOfTheOrigin) {
  for (const std::size_t length : {3, 30, 90}) {
    SCOPED_TRACE(length);
    const Cache cache(layer_options(kShape));
    Random random(5);
    const tq_sequence origin = cache.sequence();
    cache.append(origin, random_tokens(random, kShape, length));
    const tq_sequence fork = cache.fork(origin);
    cache.truncate(fork, length - 2);
    EXPECT_EQ(cache.stats().tokens, length);
    cache.destroy(origin);
    EXPECT_GE(cache.stats().tokens, length - 2);
    EXPECT_LE(cache.stats().tokens, length);
    cache.append(fork, random_tokens(random, kShape, 1));
    EXPECT_EQ(cache.stats().tokens, length - 1);
  }
}

TEST(CacheFork, CoversEveryLayer) {
  const std::vector<tq_layer_options> layers(3, layer_options(kShape));
  const Cache cache(layers);
  Random random(4);
  const tq_sequence origin = cache.sequence();
  std::vector<SequenceModel> models;
  for (std::uint32_t layer = 0; layer < 3; ++layer) {
    const Tokens tokens = random_tokens(random, kShape, 60 + 10 * layer);
    cache.append(origin, tokens, TQ_F32, layer);
    models.emplace_back(layers[layer]).append(tokens, TQ_F32);
  }
  const tq_sequence fork = cache.fork(origin);
  cache.destroy(origin);
  for (std::uint32_t layer = 0; layer < 3; ++layer) EXPECT_TRUE(models[layer].matches(cache, fork, layer));
}

}  // namespace
}  // namespace tq_test
