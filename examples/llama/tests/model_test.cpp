// The model that comes with the example, against the losses its makers published.
#include "model.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "check_values.hpp"
#include "evaluate.hpp"
#include "expect_refusal.hpp"
#include "generate.hpp"

namespace llama {
namespace {

class EmbeddedModel : public testing::Test {
 protected:
  std::vector<TokenId> ids_ =
      read_token_ids(std::filesystem::path(LLAMA_TEST_MODEL) / "tok_valid.npy", CheckValues::kTokensNeeded);
  Threads threads_{2};
  Model model_{LLAMA_TEST_MODEL, threads_};
  KvCache exact_{model_.cache_shape(), CacheChoice::exact_16bit(), threads_};
};

// Minutes under an emulator, which therefore leaves these out (CMakeLists.txt).
using EmbeddedModelAtLength = EmbeddedModel;

TEST_F(EmbeddedModel, ReproducesThePublishedLossOf512Tokens) {
  EXPECT_NEAR(loss_of_pieces(model_, ids_, 1, 512, exact_), 2.70947, 0.002 * 2.70947);
}

TEST_F(EmbeddedModelAtLength, ReproducesBothPublishedCheckValues) {
  const CheckValues values = check_values(model_, ids_, exact_);
  EXPECT_NEAR(values.first_512, 2.70947, 0.002 * 2.70947);
  EXPECT_NEAR(values.four_times_1024, 2.62840, 0.002 * 2.62840);
}

TEST_F(EmbeddedModel, TwoEqualCachesGiveEqualDistributions) {
  KvCache other(model_.cache_shape(), CacheChoice::exact_16bit(), threads_);
  const Evaluation e = evaluate(model_, threads_, ids_, {1, 200}, exact_, other, [](std::size_t, std::size_t) {});
  EXPECT_NEAR(e.kl_mean, 0.0, 1e-12);
  EXPECT_EQ(e.top1, 1.0);
  EXPECT_EQ(e.exact.loss, e.coded.loss);
}

// 0.0012 and 98 % are what the project promises for this model.
TEST_F(EmbeddedModelAtLength, FourBitCacheIsSmallAndClose) {
  KvCache coded(model_.cache_shape(), CacheChoice(), threads_);
  const Evaluation e = evaluate(model_, threads_, ids_, {4, 1024}, exact_, coded, [](std::size_t, std::size_t) {});
  EXPECT_GT(e.kl_mean, 0.0);
  EXPECT_LE(e.kl_mean, 0.0012);
  EXPECT_GE(e.top1, 0.98);
  EXPECT_GT(e.coded.statistics.ratio, 3.0);
  EXPECT_GT(e.coded.statistics.ratio_coded, 3.7);
  EXPECT_EQ(e.coded.statistics.tokens, 1024u * model_.config().layers);
}

TEST_F(EmbeddedModel, WithoutTailEveryTokenButTheSinksIsReadFromCodes) {
  CacheChoice choice;
  choice.no_tail = true;
  KvCache with_tail(model_.cache_shape(), CacheChoice(), threads_), without(model_.cache_shape(), choice, threads_);
  const auto ignore = [](std::size_t, std::size_t) {};
  const Evaluation usual = evaluate(model_, threads_, ids_, {1, 196}, exact_, with_tail, ignore);
  const Evaluation worst = evaluate(model_, threads_, ids_, {1, 196}, exact_, without, ignore);  // 4 sinks, 3 blocks
  EXPECT_GT(worst.kl_mean, 3 * usual.kl_mean);
  EXPECT_EQ(worst.coded.statistics.coded_tokens, 192u * model_.config().layers);
}

TEST_F(EmbeddedModel, ChunksDoNotChangeTheLogitsOfA16BitCache) {
  std::vector<float> whole, parts;
  const std::span<const TokenId> tokens = std::span(ids_).first(150);
  model_.forward(tokens, exact_, LogitsOf::kLastToken, whole);
  exact_.clear();
  model_.forward(tokens.first(64), exact_, LogitsOf::kLastToken, parts);
  model_.forward(tokens.subspan(64, 1), exact_, LogitsOf::kLastToken, parts);
  model_.forward(tokens.subspan(65), exact_, LogitsOf::kLastToken, parts);
  ASSERT_EQ(whole.size(), parts.size());
  // Another order of additions may round a key or value to the next f16, 2^-11 of it away.
  for (std::size_t i = 0; i < whole.size(); ++i) ASSERT_NEAR(whole[i], parts[i], 0.02);
}

TEST_F(EmbeddedModel, GeneratesTheSameTextTwice) {
  const std::vector<TokenId> prompt(ids_.begin(), ids_.begin() + 70);
  const auto write = [&] { return generate(model_, exact_, prompt, 20, Sampler(0.8, 0.9, 5), [](TokenId) {}).tokens; };
  const auto first = write();
  EXPECT_EQ(first.size(), 20u);
  EXPECT_EQ(first, write());
}

TEST_F(EmbeddedModel, RefusesPositionsAndTokensItDoesNotHave) {
  std::vector<float> logits;
  const std::vector<TokenId> too_many(1025, 0), unknown = {5, 1024};
  EXPECT_REFUSAL(model_.forward(too_many, exact_, LogitsOf::kLastToken, logits), "1024 positions");
  EXPECT_REFUSAL(model_.forward(unknown, exact_, LogitsOf::kLastToken, logits), "vocabulary of 1024");
}

TEST(Rope, RotatesHalfSplitPairsByPosition) {
  const Rope rope(RopeConfig{}, 4);  // frequencies 1 and 1/100
  std::vector<float> x = {1.0f, 2.0f, 0.0f, 0.0f};
  rope.apply(x.data(), 1, 1, 3);
  EXPECT_FLOAT_EQ(x[0], std::cos(3.0f));
  EXPECT_FLOAT_EQ(x[2], std::sin(3.0f));
  EXPECT_FLOAT_EQ(x[1], 2 * std::cos(0.03f));
  EXPECT_FLOAT_EQ(x[3], 2 * std::sin(0.03f));
}

TEST(Rope, Llama3ScalingLeavesFastRotationsAndStretchesSlowOnes) {
  RopeConfig config{.theta = 10000.0f, .scaling = RopeScaling::kLlama3, .factor = 8.0f, .original_positions = 64.0f};
  const Rope rope(config, 4);  // wavelengths 6.3 (fast: 10 in 64 positions) and 628 (slow: 0.1)
  std::vector<float> x = {1.0f, 1.0f, 0.0f, 0.0f};
  rope.apply(x.data(), 1, 1, 2);
  EXPECT_FLOAT_EQ(x[0], std::cos(2.0f));
  EXPECT_FLOAT_EQ(x[1], std::cos(0.02f / 8));
}

}  // namespace
}  // namespace llama
