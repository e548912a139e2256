#include "distributions.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace llama {

TokenId most_likely(std::span<const float> logits) {
  return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

double log_sum_exp(std::span<const float> logits) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  return largest + std::log(sum);
}

double kl_divergence(std::span<const float> p, double p_log_sum, std::span<const float> q, double q_log_sum) {
  double sum = 0.0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double p_log = p[i] - p_log_sum, q_log = q[i] - q_log_sum;
    sum += std::exp(p_log) * (p_log - q_log);
  }
  return sum;
}

TokenId Sampler::draw(std::span<const float> logits) {
  if (temperature_ == 0.0) return most_likely(logits);
  const double largest = *std::max_element(logits.begin(), logits.end());
  std::vector<std::pair<double, TokenId>> weights;
  double total = 0.0;
  for (const float logit : logits) {
    weights.emplace_back(std::exp((logit - largest) / temperature_), static_cast<TokenId>(weights.size()));
    total += weights.back().first;
  }
  std::stable_sort(weights.begin(), weights.end(), [](const auto& a, const auto& b) { return a.first > b.first; });

  std::size_t kept = 0;
  double kept_weight = 0.0;
  while (kept < weights.size() && (kept == 0 || kept_weight < top_p_ * total)) kept_weight += weights[kept++].first;
  double point = static_cast<double>(random_() >> 11) * 0x1p-53 * kept_weight;
  std::size_t chosen = 0;
  while (chosen + 1 < kept && (point -= weights[chosen].first) >= 0.0) ++chosen;
  return weights[chosen].second;
}

}  // namespace llama
