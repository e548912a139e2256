// Contexts that are long enough to be cut into ranges, whose results are merged.
#include <gtest/gtest.h>

#include <cmath>

#include "attention_call.hpp"

namespace tq_test {
namespace {

struct Result {
  std::vector<float> output, log_sum_exp;
};

void expect_same_bits(const Result& a, const Result& b) {
  EXPECT_EQ(a.output, b.output);
  EXPECT_EQ(a.log_sum_exp, b.log_sum_exp);
}

// One long sequence and one new token with q_heads queries of standard deviation `sigma`.
class LongSequence : public testing::Test {
 protected:
  LongSequence(const Shape& shape, std::size_t count, std::uint32_t q_heads, std::uint32_t seed, float sigma)
      : shape_(shape), q_heads_(q_heads), cache_(layer_options(shape)), sequence_(cache_.sequence()) {
    Random random(seed);
    cache_.append(sequence_, random_tokens(random, shape, count));
    query_ = gaussian(random, q_heads * shape.key_dim, sigma);
  }

  Result attend(const std::vector<float>& query, tq_pool* pool = nullptr,
                tq_parallel_for parallel_for = nullptr) const {
    reference::Settings settings;
    settings.q_heads = q_heads_;
    tq_attend_options options = attend_options(settings);
    options.pool = pool, options.parallel_for = parallel_for;
    Result result{std::vector<float>(q_heads_ * shape_.value_dim), std::vector<float>(q_heads_)};
    tq_attend_item item;
    tq_attend_item_init(&item, sizeof item);
    item.sequence = sequence_, item.n_query = 1, item.query = query.data();
    item.output = result.output.data(), item.log_sum_exp = result.log_sum_exp.data();
    Error error;
    EXPECT_TQ_OK(tq_attend(cache_, &options, &item, 1, &error), error);
    return result;
  }

  // Compares with dense attention on the same codes; `most`: of the relative error. The codes' own error is about 0.12.
  void expect_dense(double most) const {
    const Result result = attend(query_);
    const Tokens decoded = cache_.read(sequence_);
    for (std::size_t head = 0; head < q_heads_; ++head) {
      const std::size_t kv_head = head * shape_.kv_heads / q_heads_;
      const float *query = &query_[head * shape_.key_dim], *output = &result.output[head * shape_.value_dim];
      EXPECT_LE(error_beside_dense(decoded, kv_head, query, output), most) << "head " << head;
    }
  }

  // A query that holds NaN spoils its own output and no other.
  void expect_nan_stays_in(std::size_t head) const {
    std::vector<float> query = query_;
    query[head * shape_.key_dim + 7] = NAN;
    const Result result = attend(query);
    for (std::size_t i = 0; i < result.output.size(); ++i)
      ASSERT_EQ(std::isnan(result.output[i]), i / shape_.value_dim == head) << i;
  }

  Shape shape_;
  std::uint32_t q_heads_;
  Cache cache_;
  tq_sequence sequence_;
  std::vector<float> query_;
};

class LongContext : public LongSequence {
 protected:
  static constexpr Shape kShape{1, 64, 80};
  static constexpr std::size_t kCount = 3 * 128 * 64 + 4 + 37;  // three ranges, sinks and a tail

  LongContext() : LongSequence(kShape, kCount, 5, 11, 2.0f) {}  // more heads than one kernel call takes
};

TEST_F(LongContext, AgreesWithDenseAttentionOnTheSameCodes) { expect_dense(0.02); }

TEST_F(LongContext, GivesTheSameBitsForEveryNumberOfThreads) {
  const Result alone = attend(query_);
  for (const std::uint32_t threads : {1u, 2u, 5u}) {
    SCOPED_TRACE(threads);
    expect_same_bits(attend(query_, Pool(threads)), alone);
  }
}

TEST_F(LongContext, TellsWhichQueryHoldsNan) { expect_nan_stays_in(2); }

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
class ManyHeads : public LongSequence {
 protected:
  ManyHeads() : LongSequence({9, 64, 32}, (2 * 128 + 8) * 64 + 4 + 5, 18, 12, 1.0f) {}  // two ranges
};

TEST_F(ManyHeads, AgreeWithDenseAttentionOnTheSameCodes) {
  expect_dense(0.03);  // a quarter of the codes' own error (docs/numerics.md)
}

TEST_F(ManyHeads, GiveTheSameBitsHoweverTheyAreSharedOut) {
  const Result together = attend(query_);
  expect_same_bits(attend(query_, nullptr, run_backwards), together);
  for (const std::uint32_t threads : {2u, 3u}) {
    SCOPED_TRACE(threads);
    expect_same_bits(attend(query_, Pool(threads)), together);
  }
}

TEST_F(ManyHeads, SpreadNanNoFurtherThanTheirQuery) { expect_nan_stays_in(5); }

}  // namespace
}  // namespace tq_test
