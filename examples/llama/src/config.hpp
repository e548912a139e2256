// What config.json says about the shape of a model, checked so far that no later code has to doubt it.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "files.hpp"

namespace llama {

enum class RopeScaling { kNone, kLinear, kLlama3 };

struct RopeConfig {
  float theta = 10000.0f;
  RopeScaling scaling = RopeScaling::kNone;
  float factor = 1.0f;
  float low_frequency_factor = 1.0f, high_frequency_factor = 4.0f;  // kLlama3 only, like the next
  float original_positions = 8192.0f;
};

struct Config {
  std::string architecture;
  std::size_t vocabulary = 0, hidden = 0, intermediate = 0, layers = 0;
  std::size_t q_heads = 0, kv_heads = 0, head_dim = 0;
  std::size_t max_positions = 0;
  float norm_epsilon = 0.0f;
  RopeConfig rope;
  bool tied_embeddings = false;  // the embedding also makes the logits; else lm_head.weight does
  TokenId bos = 0;
  TokenId eos = -1;  // -1: none
};

Config read_config(const std::filesystem::path& model_folder);

}  // namespace llama
