#include "layers.hpp"

#include <cmath>
#include <numbers>

namespace llama {
namespace {

// Llama 3 stretches slow rotations by `factor`, leaves fast ones alone, and blends in between.
double llama3_frequency(double frequency, const RopeConfig& config) {
  const double wavelengths_in_context = config.original_positions * frequency / (2 * std::numbers::pi);
  if (wavelengths_in_context < config.low_frequency_factor) return frequency / config.factor;
  if (wavelengths_in_context > config.high_frequency_factor) return frequency;
  const double blend = (wavelengths_in_context - config.low_frequency_factor) /
                       (config.high_frequency_factor - config.low_frequency_factor);
  return (1 - blend) * frequency / config.factor + blend * frequency;
}

}  // namespace

void rms_norm(const float* x, std::size_t rows, const std::vector<float>& weight, float epsilon, float* out) {
  const std::size_t size = weight.size();
  for (std::size_t row = 0; row < rows; ++row, x += size, out += size) {
    float squares = 0.0f;
    for (std::size_t i = 0; i < size; ++i) squares += x[i] * x[i];
    const float factor = 1.0f / std::sqrt(squares / static_cast<float>(size) + epsilon);
    for (std::size_t i = 0; i < size; ++i) out[i] = x[i] * factor * weight[i];
  }
}

void add(const float* x, std::size_t count, float* sum) {
  for (std::size_t i = 0; i < count; ++i) sum[i] += x[i];
}

void add_to_rows(const std::vector<float>& bias, std::size_t rows, float* sum) {
  for (std::size_t row = 0; row < rows; ++row) add(bias.data(), bias.size(), sum + row * bias.size());
}

void swiglu(const float* up, std::size_t count, float* gate) {
  for (std::size_t i = 0; i < count; ++i) gate[i] *= up[i] / (1.0f + std::exp(-gate[i]));
}

Rope::Rope(const RopeConfig& config, std::size_t head_dim) : frequencies_(head_dim / 2) {
  for (std::size_t i = 0; i < frequencies_.size(); ++i) {
    double frequency = std::pow(config.theta, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim));
    if (config.scaling == RopeScaling::kLinear) frequency /= config.factor;
    if (config.scaling == RopeScaling::kLlama3) frequency = llama3_frequency(frequency, config);
    frequencies_[i] = static_cast<float>(frequency);
  }
}

void Rope::apply(float* x, std::size_t tokens, std::size_t heads, std::size_t position) const {
  const std::size_t half = frequencies_.size();
  for (std::size_t t = 0; t < tokens; ++t) {
    float* const token = x + t * heads * 2 * half;
    for (std::size_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(position + t) * frequencies_[i];
      const float cosine = std::cos(angle), sine = std::sin(angle);
      for (float* head = token; head != token + heads * 2 * half; head += 2 * half) {
        const float a = head[i], b = head[i + half];
        head[i] = a * cosine - b * sine;
        head[i + half] = b * cosine + a * sine;
      }
    }
  }
}

}  // namespace llama
