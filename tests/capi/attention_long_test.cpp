// Contexts that are long enough to be cut into ranges, whose results are merged.
#include <gtest/gtest.h>

#include <cmath>

#include "attention_call.hpp"

namespace tq_test {
namespace {

constexpr Shape kShape{1, 64, 80};
constexpr std::size_t kCount = 3 * 128 * 64 + 4 + 37;  // three ranges, sinks and a tail
constexpr std::uint32_t kHeads = 5;                    // more than one kernel call takes

struct Result {
  std::vector<float> output = std::vector<float>(kHeads * kShape.value_dim), log_sum_exp = std::vector<float>(kHeads);
};

class LongContext : public testing::Test {
 protected:
  LongContext() : cache_(layer_options(kShape)), sequence_(cache_.sequence()) {
    Random random(11);
    cache_.append(sequence_, random_tokens(random, kShape, kCount));
    query_ = gaussian(random, kHeads * kShape.key_dim, 2.0f);
  }

  Result attend(const std::vector<float>& query, tq_pool* pool = nullptr) const {
    reference::Settings settings;
    settings.q_heads = kHeads;
    tq_attend_options options = attend_options(settings);
    options.pool = pool;
    Result result;
    tq_attend_item item;
    tq_attend_item_init(&item, sizeof item);
    item.sequence = sequence_, item.n_query = 1, item.query = query.data();
    item.output = result.output.data(), item.log_sum_exp = result.log_sum_exp.data();
    Error error;
    EXPECT_TQ_OK(tq_attend(cache_, &options, &item, 1, &error), error);
    return result;
  }

  Cache cache_;
  tq_sequence sequence_;
  std::vector<float> query_;
};

TEST_F(LongContext, AgreesWithDenseAttentionOnTheSameCodes) {
  const Result result = attend(query_);
  const Tokens decoded = cache_.read(sequence_);
  for (std::size_t head = 0; head < kHeads; ++head) {
    const std::vector<double> expected = reference::dense(decoded, 0, &query_[head * kShape.key_dim]);
    double error = 0, norm = 0;
    for (std::size_t j = 0; j < expected.size(); ++j) {
      const double difference = expected[j] - double{result.output[head * kShape.value_dim + j]};
      error += difference * difference, norm += expected[j] * expected[j];
    }
    EXPECT_LE(std::sqrt(error / norm), 0.02) << "head " << head;  // the codes' own error is about 0.12
  }
}

TEST_F(LongContext, GivesTheSameBitsForEveryNumberOfThreads) {
  const Result alone = attend(query_);
  for (const std::uint32_t threads : {1u, 2u, 5u}) {
    const Pool pool(threads);
    const Result shared = attend(query_, pool);
    EXPECT_EQ(shared.output, alone.output) << threads;
    EXPECT_EQ(shared.log_sum_exp, alone.log_sum_exp) << threads;
  }
}

TEST_F(LongContext, TellsWhichQueryHoldsNan) {
  std::vector<float> query = query_;
  query[2 * kShape.key_dim + 7] = NAN;
  const Result result = attend(query);
  for (std::size_t i = 0; i < result.output.size(); ++i)
    ASSERT_EQ(std::isnan(result.output[i]), i / kShape.value_dim == 2) << i;
}

TEST_F(LongContext, CountsItsCalls) {
  const tq_cache_statistics before = cache_.stats();
  EXPECT_EQ(before.append_calls, 1u);
  EXPECT_EQ(before.append_bytes, kCount * (kShape.key_dim + kShape.value_dim) * sizeof(float));
  EXPECT_GT(before.append_ns, 0u);
  EXPECT_EQ(before.attend_calls, 0u);
  attend(query_);
  const tq_cache_statistics after = cache_.stats();
  EXPECT_EQ(after.attend_calls, 1u);
  EXPECT_GT(after.merge_ns, 0u);
  EXPECT_GT(after.attend_ns, after.merge_ns);
  EXPECT_GE(after.attend_bytes, after.coded_bytes);
  EXPECT_LE(after.attend_bytes, after.bytes);
}

// Without other threads up to eight kv heads go through the context together; with a parallel-for each on its own.
class ManyHeads : public testing::Test {
 protected:
  static constexpr Shape kShape{9, 64, 32};
  static constexpr std::size_t kCount = (2 * 128 + 8) * 64 + 4 + 5;  // two ranges
  static constexpr std::size_t kQueryHeads = 2 * kShape.kv_heads;

  ManyHeads() : cache_(layer_options(kShape)), sequence_(cache_.sequence()) {
    Random random(12);
    cache_.append(sequence_, random_tokens(random, kShape, kCount));
    query_ = gaussian(random, kQueryHeads * kShape.key_dim, 1.0f);
  }

  std::vector<float> attend(tq_parallel_for parallel_for, tq_pool* pool = nullptr) const {
    reference::Settings settings;
    settings.q_heads = kQueryHeads;
    tq_attend_options options = attend_options(settings);
    options.pool = pool, options.parallel_for = parallel_for;
    std::vector<float> output(kQueryHeads * kShape.value_dim);
    tq_attend_item item;
    tq_attend_item_init(&item, sizeof item);
    item.sequence = sequence_, item.n_query = 1, item.query = query_.data(), item.output = output.data();
    Error error;
    EXPECT_TQ_OK(tq_attend(cache_, &options, &item, 1, &error), error);
    return output;
  }

  Cache cache_;
  tq_sequence sequence_;
  std::vector<float> query_;
};

TEST_F(ManyHeads, AgreeWithDenseAttentionOnTheSameCodes) {
  const std::vector<float> result = attend(nullptr);
  const Tokens decoded = cache_.read(sequence_);
  for (std::size_t head = 0; head < kQueryHeads; ++head) {
    const std::vector<double> expected = reference::dense(decoded, head / 2, &query_[head * kShape.key_dim]);
    double error = 0, norm = 0;
    for (std::size_t j = 0; j < expected.size(); ++j) {
      const double difference = expected[j] - double{result[head * kShape.value_dim + j]};
      error += difference * difference, norm += expected[j] * expected[j];
    }
    EXPECT_LE(std::sqrt(error / norm), 0.03)
        << "head " << head;  // a quarter of the codes' own error (docs/numerics.md)
  }
}

TEST_F(ManyHeads, GiveTheSameBitsHoweverTheyAreSharedOut) {
  const std::vector<float> together = attend(nullptr);
  const auto backwards = [](void*, size_t count, void (*task)(void*, size_t), void* context) {
    while (count-- != 0) task(context, count);
  };
  EXPECT_EQ(attend(backwards), together);
  for (const std::uint32_t threads : {2u, 3u}) {
    const Pool pool(threads);
    EXPECT_EQ(attend(nullptr, pool), together) << threads;
  }
}

TEST_F(ManyHeads, SpreadNanNoFurtherThanTheirQuery) {
  query_[5 * kShape.key_dim + 7] = NAN;
  const std::vector<float> result = attend(nullptr);
  for (std::size_t i = 0; i < result.size(); ++i) ASSERT_EQ(std::isnan(result[i]), i / kShape.value_dim == 5) << i;
}

}  // namespace
}  // namespace tq_test
