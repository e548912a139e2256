#include "cases/outputs.hpp"

#include <cmath>
#include <stdexcept>
#include <string>

#include "cases/data.hpp"

namespace bench {

float* Outputs::add(std::size_t count) { return outputs_.emplace_back(count).data(); }

void Outputs::compare(const Plan& plan, double coded) const {
  for (const Contender& c : plan.contenders) c.run();
  std::size_t reference = 0;
  while (!plan.contenders.at(reference).name.starts_with("fp")) ++reference;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    const std::string& name = plan.contenders[i].name;
    const double error = difference(outputs_[i], outputs_[reference]);
    const double allowed = name.starts_with("tq") || name.starts_with("ggml") ? coded : 0.02;
    if (error < allowed) continue;  // not if it is NaN
    throw std::runtime_error(name + " differs from " + plan.contenders[reference].name + " by " +
                             std::to_string(error) + " of its length");
  }
}

std::vector<float> scaled_queries(const std::vector<float>& queries, std::size_t head_dim) {
  std::vector<float> scaled = queries;
  const float factor = 1.4426950409f / std::sqrt(static_cast<float>(head_dim));
  for (float& q : scaled) q *= factor;
  return scaled;
}

}  // namespace bench
