// The byte budget: an append that does not fit changes nothing, and works once there is room.
#include <gtest/gtest.h>

#include "handles.hpp"

namespace tq_test {
namespace {

const Shape kShape{2, 64, 64};

TEST(Budget, IsNeverExceededAndRefusalsChangeNothing) {
  const std::vector<tq_layer_options> layers(3, layer_options(kShape));
  constexpr std::uint64_t kBudget = 300000;
  const Cache cache(layers, kBudget);
  EXPECT_EQ(cache.stats().budget_bytes, kBudget);
  Random random(1);
  std::vector<tq_sequence> sequences = {cache.sequence(), cache.sequence()};
  int refusals = 0;
  for (int round = 0; round < 60; ++round) {
    const auto layer = static_cast<std::uint32_t>(round % 3);
    const tq_sequence sequence = sequences[uniform(random, 0, 1)];
    const Snapshot before = snapshot(cache, sequences, 3);
    const KvInput input(random_tokens(random, kShape, uniform(random, 1, 200)), TQ_F32);
    Error error;
    const tq_status status = tq_cache_append(cache, sequence, layer, input.get(), &error);
    EXPECT_LE(cache.stats().bytes, kBudget);
    EXPECT_LE(cache.stats().peak_bytes, kBudget);
    if (status == TQ_OK) continue;
    ++refusals;
    EXPECT_TRUE(refused(status, error, TQ_ERR_OUT_OF_MEMORY, "byte_budget", std::to_string(kBudget)));
    EXPECT_TRUE(same(before, snapshot(cache, sequences, 3)));
  }
  EXPECT_GT(refusals, 5) << "the budget was never reached";
  EXPECT_LT(refusals, 55) << "nothing ever fitted";
}

TEST(Budget, ThatRanOutInTheMiddleOfAnAppendIsFreedByDestroying) {
  const Cache cache({layer_options(kShape)}, 200000);
  Random random(2);
  const tq_sequence full = cache.sequence(), waiting = cache.sequence();
  cache.append(full, random_tokens(random, kShape, 700));
  cache.append(waiting, random_tokens(random, kShape, 30));
  const Snapshot before = snapshot(cache, {full, waiting});
  const Tokens many = random_tokens(random, kShape, 500);  // eight blocks, of which some would still fit
  const KvInput input(many, TQ_F32);
  Error error;
  EXPECT_TRUE(refused(tq_cache_append(cache, waiting, 0, input.get(), &error), error, TQ_ERR_OUT_OF_MEMORY,
                      "byte_budget", "200000"));
  EXPECT_TRUE(same(before, snapshot(cache, {full, waiting})));
  cache.destroy(full);
  EXPECT_TQ_OK(tq_cache_append(cache, waiting, 0, input.get(), &error), error);
  EXPECT_EQ(cache.length(waiting), 530u);
}

TEST(Budget, CoversForksAndTruncation) {
  const Cache cache({layer_options(kShape)}, 100000);
  Random random(3);
  const tq_sequence origin = cache.sequence();
  cache.append(origin, random_tokens(random, kShape, 4 + 64 + 30));
  std::vector<tq_sequence> forks = {origin};
  tq_status status = TQ_OK;
  Error error;
  // Every fork that writes needs a tail of its own.
  for (int i = 0; i < 100 && status == TQ_OK; ++i) {
    tq_sequence fork = 0;
    status = tq_sequence_fork(cache, origin, &fork, &error);
    if (status != TQ_OK) break;
    forks.push_back(fork);
    const Snapshot before = snapshot(cache, forks);
    const KvInput input(random_tokens(random, kShape, 1), TQ_F32);
    status = tq_cache_append(cache, fork, 0, input.get(), &error);
    EXPECT_TRUE(status == TQ_OK || same(before, snapshot(cache, forks)));
  }
  EXPECT_TRUE(refused(status, error, TQ_ERR_OUT_OF_MEMORY, "byte_budget", "100000"));

  // A cut into a coded block needs a tail, too.
  const Snapshot before = snapshot(cache, forks);
  EXPECT_TRUE(
      refused(tq_sequence_truncate(cache, forks.back(), 40, &error), error, TQ_ERR_OUT_OF_MEMORY, "byte_budget"));
  EXPECT_TRUE(same(before, snapshot(cache, forks)));
  for (const tq_sequence fork : forks)
    if (fork != forks.back()) cache.destroy(fork);
  EXPECT_TQ_OK(tq_sequence_truncate(cache, forks.back(), 40, &error), error);
}

TEST(Budget, TooSmallForTheFirstTokenIsRefusedThere) {
  const Cache cache({layer_options(kShape)}, 2000);
  Error error;
  tq_sequence sequence = 0;
  if (tq_sequence_create(cache, &sequence, &error) == TQ_OK) {
    Random random(4);
    const KvInput input(random_tokens(random, kShape, 1), TQ_F32);
    EXPECT_TRUE(refused(tq_cache_append(cache, sequence, 0, input.get(), &error), error, TQ_ERR_OUT_OF_MEMORY,
                        "byte_budget", "2000"));
    EXPECT_EQ(cache.length(sequence), 0u);
  }
}

}  // namespace
}  // namespace tq_test
