// The parts of a transformer block that are not matrix products or attention. Rows are tokens.
#pragma once

#include <cstddef>
#include <vector>

#include "config.hpp"

namespace llama {

// out = x / rms(x) * weight, for `rows` rows of weight.size() values. out may be x.
void rms_norm(const float* x, std::size_t rows, const std::vector<float>& weight, float epsilon, float* out);

void add(const float* x, std::size_t count, float* sum);                         // sum += x
void add_to_rows(const std::vector<float>& bias, std::size_t rows, float* sum);  // an empty bias is none

// gate = silu(gate) * up, with silu(x) = x / (1 + exp(-x)).
void swiglu(const float* up, std::size_t count, float* gate);

// Rotary position embedding in the convention of Hugging Face: coordinate i is paired with i + head_dim / 2.
class Rope {
 public:
  Rope() = default;
  Rope(const RopeConfig& config, std::size_t head_dim);

  // Rotates `heads` heads of each of `tokens` tokens, of which the first stands at `position`.
  void apply(float* x, std::size_t tokens, std::size_t heads, std::size_t position) const;

 private:
  std::vector<float> frequencies_;  // radians per position, head_dim / 2 of them
};

}  // namespace llama
