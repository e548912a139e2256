// What attention on codes adds to the error of the codes themselves: the roundings of the value weights, also beside
// attention sinks, may cost at most 1 % of the codes' own error energy, and with the 8-bit query at most 1.7 %
// (docs/numerics.md, section 5). Values have a common mean, because that shows weights that do not keep their sum.
#include <gtest/gtest.h>

#include "attention_call.hpp"

namespace tq_test {
namespace {

constexpr Shape kShape{4, 128, 128};
constexpr std::size_t kCount = 2048 + 4;  // 32 coded blocks behind the exact sinks

double distance2(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

struct Case {
  const char* name;
  tq_format keys;
  float sigma;       // of the logits
  float sink_logit;  // added to the logit of one token in every block; 0: none
  double allowed;    // of the codes' error energy
};

// Added error energy relative to that of the codes, over all heads. Each has `rows` times the same query: many rows have
// kernels of their own.
double added_error(const Case& c, std::uint32_t rows) {
  tq_layer_options layer = layer_options(kShape);
  layer.key_format = c.keys;
  const Cache cache(layer);
  Random random(7);
  Tokens tokens = random_tokens(random, kShape, kCount);
  const std::vector<float> mean = gaussian(random, kShape.value_row(), 1.0f);
  std::vector<float> query = gaussian(random, kShape.key_row(), c.sigma);
  for (std::size_t t = 0; t < kCount; ++t) {
    for (std::size_t i = 0; i < mean.size(); ++i) tokens.values[t * mean.size() + i] += mean[i];
    if (c.sink_logit == 0 || t % 64 != 20) continue;
    for (std::size_t h = 0; h < kShape.kv_heads; ++h)
      raise_logit(&tokens.keys[t * kShape.key_row() + h * kShape.key_dim], &query[h * kShape.key_dim], kShape.key_dim,
                  c.sink_logit);
  }
  const tq_sequence sequence = cache.sequence();
  cache.append(sequence, tokens);

  std::vector<float> queries;
  for (std::size_t h = 0; h < kShape.kv_heads; ++h) {
    const auto head = query.begin() + static_cast<std::ptrdiff_t>(h * kShape.key_dim);
    for (std::uint32_t r = 0; r < rows; ++r) queries.insert(queries.end(), head, head + kShape.key_dim);
  }
  const std::vector<float> output = attend_one(cache, sequence, kShape.kv_heads * rows, queries);

  const Tokens decoded = cache.read(sequence);
  double added = 0, codes = 0;
  for (std::size_t h = 0; h < kShape.kv_heads; ++h) {
    const float* q = &query[h * kShape.key_dim];
    const auto from = output.begin() + static_cast<std::ptrdiff_t>(h * rows * kShape.value_dim);
    const std::vector<double> ours(from, from + kShape.value_dim), on_codes = reference::dense(decoded, h, q);
    added += distance2(ours, on_codes);
    codes += distance2(on_codes, reference::dense(tokens, h, q));
  }
  return added / codes;
}

TEST(AttentionError, OfWeightsAndQueriesIsSmallBesideThatOfTheCodes) {
  const Case cases[] = {{"exact keys, spread weights", TQ_FORMAT_F16, 1.0f, 0.0f, 0.01},
                        {"exact keys, sharp weights", TQ_FORMAT_F16, 4.0f, 0.0f, 0.01},
                        {"exact keys, a sink in every block", TQ_FORMAT_F16, 1.0f, 8.0f, 0.01},
                        {"exact keys, a weak sink in every block", TQ_FORMAT_F16, 1.0f, 4.2f, 0.01},
                        {"4-bit keys, spread weights", TQ_FORMAT_TQ4, 1.0f, 0.0f, 0.017},
                        {"4-bit keys, sharp weights", TQ_FORMAT_TQ4, 4.0f, 0.0f, 0.017},
                        {"4-bit keys, a sink in every block", TQ_FORMAT_TQ4, 1.0f, 8.0f, 0.017}};
  for (const Case& c : cases) {
    for (const std::uint32_t rows : {1, 32}) {
      const double added = added_error(c, rows);
      std::printf("  %-40s %2u rows: %6.3f %% of the codes' error energy\n", c.name, rows, 100 * added);
      EXPECT_LE(added, c.allowed) << c.name << ", rows " << rows;
      EXPECT_GT(added, 0) << c.name << ", rows " << rows;
    }
  }
}

}  // namespace
}  // namespace tq_test
