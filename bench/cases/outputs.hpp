// What the contenders of a case compute, to see before timing that they do the same job.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "harness/case.hpp"

namespace bench {

class Outputs {
 public:
  float* add(std::size_t count);  // of the next contender; stays where it is

  // Runs every contender once; throws if its output is far from that of the fp16 baseline: by more than `coded` of its
  // length for the library and ggml (which adds up values in f16: off by a tenth after 64k tokens), else by 2 %.
  void compare(const Plan& plan, double coded = 0.4) const;

 private:
  std::deque<std::vector<float>> outputs_;
};

// queries * log2(e) / sqrt(head_dim), as the baselines want them.
std::vector<float> scaled_queries(const std::vector<float>& queries, std::size_t head_dim);

}  // namespace bench
