// Comparing two next-token distributions, and drawing from one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>

#include "files.hpp"

namespace llama {

TokenId most_likely(std::span<const float> logits);

// ln sum exp(logit): what turns a logit into a log-probability.
double log_sum_exp(std::span<const float> logits);

// KL(p || q) in nats of the distributions that two rows of logits stand for, given their log_sum_exp.
double kl_divergence(std::span<const float> p, double p_log_sum, std::span<const float> q, double q_log_sum);

// Draws tokens with a temperature out of the smallest set of tokens that has probability top_p. Temperature 0 takes
// the most likely token. Equal seeds draw equal numbers on every platform, one per token.
class Sampler {
 public:
  Sampler(double temperature, double top_p, std::uint64_t seed)
      : temperature_(temperature), top_p_(top_p), random_(seed) {}

  TokenId draw(std::span<const float> logits);

 private:
  double temperature_, top_p_;
  std::mt19937_64 random_;
};

}  // namespace llama
