// A Llama-style transformer (Llama, Mistral, Qwen2, Qwen3) in f32 whose keys and values live in a KvCache.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "config.hpp"
#include "kv_cache.hpp"
#include "layers.hpp"
#include "matmul.hpp"
#include "tensors.hpp"
#include "threads.hpp"

namespace llama {

// Wall-clock seconds of one forward pass.
struct ForwardTime {
  double total = 0.0;
  double cache = 0.0;  // of it in the library: attention and append

  ForwardTime& operator+=(const ForwardTime& other) {
    total += other.total;
    cache += other.cache;
    return *this;
  }
};

enum class LogitsOf { kEveryToken, kLastToken };

class Model {
 public:
  Model(const std::filesystem::path& folder, Threads& threads);

  const Config& config() const { return config_; }
  CacheShape cache_shape() const { return {config_.layers, config_.q_heads, config_.kv_heads, config_.head_dim}; }

  // Runs `tokens` behind those that `cache` holds and adds them to it. `logits` gets one row of the size of the
  // vocabulary per token, or one row only.
  ForwardTime forward(std::span<const TokenId> tokens, KvCache& cache, LogitsOf wanted, std::vector<float>& logits);

 private:
  struct Layer {
    std::vector<float> attention_norm, mlp_norm;
    Matrix q, k, v, o, gate, up, down;
    std::vector<float> q_bias, k_bias, v_bias, o_bias;  // empty: the model has none
    std::vector<float> q_norm, k_norm;                  // the same
  };
  struct Buffers {  // of one forward pass; kept to be reused
    std::vector<float> residual, normed, q, k, v, attended, projected, gate, up;
    std::vector<std::uint16_t> k16, v16;
  };

  Layer load_layer(const Tensors& tensors, std::size_t index) const;
  void embed(std::span<const TokenId> tokens);
  double attention(const Layer& layer, std::size_t index, std::size_t count, std::size_t position, KvCache& cache);
  void mlp(const Layer& layer, std::size_t count);
  void project(const Matrix& w, const std::vector<float>& bias, const std::vector<float>& x, std::size_t count,
               std::vector<float>& y);

  Config config_;
  Threads& threads_;
  Rope rope_;
  Matrix embedding_, head_;  // no head_: the embedding serves as one
  std::vector<float> final_norm_;
  std::vector<Layer> layers_;
  Buffers b_;
};

}  // namespace llama
