// log_sum_exp lets callers split a context over several calls, caches or machines and put the parts together.
#include <gtest/gtest.h>

#include <cmath>

#include "attention_call.hpp"

namespace tq_test {
namespace {

struct Part {
  std::vector<float> output, log_sum_exp;
};

Part attend_part(const Cache& cache, tq_sequence sequence, const reference::Settings& settings,
                 const std::vector<float>& query) {
  const std::size_t rows = query.size() / cache.shape().key_dim;
  Part part{std::vector<float>(rows * cache.shape().value_dim), std::vector<float>(rows)};
  const tq_attend_options options = attend_options(settings);
  tq_attend_item item;
  tq_attend_item_init(&item, sizeof item);
  item.sequence = sequence;
  item.n_query = rows / settings.q_heads;
  item.query = query.data();
  item.output = part.output.data();
  item.log_sum_exp = part.log_sum_exp.data();
  Error error;
  EXPECT_TQ_OK(tq_attend(cache, &options, &item, 1, &error), error);
  return part;
}

TEST(AttentionMerge, OfTwoHalvesByLogSumExpEqualsTheWhole) {
  constexpr std::size_t kRows = 2 * 4;
  const Shape shape{2, 64, 80};
  for (const tq_format format : {TQ_FORMAT_F16, TQ_FORMAT_TQ8, TQ_FORMAT_TQ4}) {
    SCOPED_TRACE(testing::Message() << "format " << format);
    tq_layer_options layer = layer_options(shape);
    layer.key_format = layer.value_format = format;
    layer.sink_tokens = 0;  // so that both halves and the whole code the same blocks
    const Cache cache(layer);
    Random random(5);
    const Tokens tokens = random_tokens(random, shape, 256);
    const tq_sequence whole = cache.sequence(), first = cache.sequence(), second = cache.sequence();
    cache.append(whole, tokens);
    cache.append(first, tokens.slice(0, 128));
    cache.append(second, tokens.slice(128, 128));
    SequenceModel model(layer);
    model.append(tokens, TQ_F32);

    reference::Settings settings;
    settings.q_heads = 4;
    settings.causal = false;
    const std::vector<float> query = gaussian(random, kRows * shape.key_dim);
    const Part a = attend_part(cache, first, settings, query), b = attend_part(cache, second, settings, query);
    const Part c = attend_part(cache, whole, settings, query);
    const reference::Answer expected = reference::attend(model.context(cache, whole), settings, query, 0);
    for (std::size_t row = 0; row < kRows; ++row) {
      const double lse = std::log(std::exp(double{a.log_sum_exp[row]}) + std::exp(double{b.log_sum_exp[row]}));
      const double wa = std::exp(a.log_sum_exp[row] - lse), wb = std::exp(b.log_sum_exp[row] - lse);
      double error = 0.0, difference = 0.0;
      for (std::size_t i = row * shape.value_dim; i < (row + 1) * shape.value_dim; ++i) {
        const double merged = wa * a.output[i] + wb * b.output[i];
        error += (merged - expected.output[i]) * (merged - expected.output[i]);
        difference += (merged - c.output[i]) * (merged - c.output[i]);
      }
      // Both halves round the same query in the same way, so the whole is as far off as its parts together.
      EXPECT_LE(std::sqrt(error), expected.allowed[row]) << "row " << row;
      EXPECT_LE(std::sqrt(difference), expected.allowed[row]) << "row " << row;
      EXPECT_NEAR(lse, expected.log_sum_exp[row], expected.allowed_lse[row]) << "row " << row;
      EXPECT_NEAR(lse, c.log_sum_exp[row], expected.allowed_lse[row]) << "row " << row;
    }
  }
}

}  // namespace
}  // namespace tq_test
