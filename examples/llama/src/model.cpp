#include "model.hpp"

#include <chrono>

#include "error.hpp"
#include "half.hpp"

namespace llama {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

Matrix load_matrix(const Tensors& tensors, const std::string& name, std::size_t rows, std::size_t columns) {
  return Matrix(tensors.load(name, {rows, columns}), rows, columns);
}

std::vector<float> load_if_there(const Tensors& tensors, const std::string& name, std::size_t size) {
  return tensors.contains(name) ? tensors.load(name, {size}) : std::vector<float>();
}

void round_to_f16(const std::vector<float>& values, std::vector<std::uint16_t>& halves) {
  halves.resize(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) halves[i] = f32_to_f16(values[i]);
}

}  // namespace

Model::Model(const std::filesystem::path& folder, Threads& threads)
    : config_(read_config(folder)), threads_(threads), rope_(config_.rope, config_.head_dim) {
  const Tensors tensors(folder);
  embedding_ = load_matrix(tensors, "model.embed_tokens.weight", config_.vocabulary, config_.hidden);
  if (!config_.tied_embeddings) head_ = load_matrix(tensors, "lm_head.weight", config_.vocabulary, config_.hidden);
  final_norm_ = tensors.load("model.norm.weight", {config_.hidden});
  for (std::size_t i = 0; i < config_.layers; ++i) layers_.push_back(load_layer(tensors, i));
}

Model::Layer Model::load_layer(const Tensors& tensors, std::size_t index) const {
  const std::string layer = "model.layers." + std::to_string(index) + ".", attention = layer + "self_attn.";
  const std::size_t hidden = config_.hidden, inner = config_.intermediate;
  const std::size_t q_width = config_.q_heads * config_.head_dim, kv_width = config_.kv_heads * config_.head_dim;
  Layer l;
  l.attention_norm = tensors.load(layer + "input_layernorm.weight", {hidden});
  l.mlp_norm = tensors.load(layer + "post_attention_layernorm.weight", {hidden});
  l.q = load_matrix(tensors, attention + "q_proj.weight", q_width, hidden);
  l.k = load_matrix(tensors, attention + "k_proj.weight", kv_width, hidden);
  l.v = load_matrix(tensors, attention + "v_proj.weight", kv_width, hidden);
  l.o = load_matrix(tensors, attention + "o_proj.weight", hidden, q_width);
  l.q_bias = load_if_there(tensors, attention + "q_proj.bias", q_width);
  l.k_bias = load_if_there(tensors, attention + "k_proj.bias", kv_width);
  l.v_bias = load_if_there(tensors, attention + "v_proj.bias", kv_width);
  l.o_bias = load_if_there(tensors, attention + "o_proj.bias", hidden);
  l.q_norm = load_if_there(tensors, attention + "q_norm.weight", config_.head_dim);
  l.k_norm = load_if_there(tensors, attention + "k_norm.weight", config_.head_dim);
  l.gate = load_matrix(tensors, layer + "mlp.gate_proj.weight", inner, hidden);
  l.up = load_matrix(tensors, layer + "mlp.up_proj.weight", inner, hidden);
  l.down = load_matrix(tensors, layer + "mlp.down_proj.weight", hidden, inner);
  return l;
}

ForwardTime Model::forward(std::span<const TokenId> tokens, KvCache& cache, LogitsOf wanted,
                           std::vector<float>& logits) {
  const auto start = Clock::now();
  const std::size_t count = tokens.size(), position = cache.length();
  if (position + count > config_.max_positions)
    refuse("the model has ", config_.max_positions, " positions, and ", position + count,
           " would be used: give a smaller --context or fewer --tokens");

  ForwardTime time;
  embed(tokens);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    time.cache += attention(layers_[i], i, count, position, cache);
    mlp(layers_[i], count);
  }
  const std::size_t first = wanted == LogitsOf::kLastToken ? count - 1 : 0;
  const Matrix& head = head_.rows() != 0 ? head_ : embedding_;
  rms_norm(b_.residual.data(), count, final_norm_, config_.norm_epsilon, b_.normed.data());
  logits.resize((count - first) * head.rows());
  matmul(head, b_.normed.data() + first * config_.hidden, count - first, logits.data(), threads_);
  time.total = seconds_since(start);
  return time;
}

void Model::embed(std::span<const TokenId> tokens) {
  b_.residual.resize(tokens.size() * config_.hidden);
  b_.normed.resize(b_.residual.size());
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    const auto id = static_cast<std::size_t>(tokens[t]);
    if (id >= config_.vocabulary)
      refuse("token ", id, " is beyond the model's vocabulary of ", config_.vocabulary,
             ": use the tokenizer.json that belongs to the weights");
    embedding_.copy_row(id, b_.residual.data() + t * config_.hidden);
  }
}

// Returns the seconds spent in the library.
double Model::attention(const Layer& layer, std::size_t index, std::size_t count, std::size_t position,
                        KvCache& cache) {
  rms_norm(b_.residual.data(), count, layer.attention_norm, config_.norm_epsilon, b_.normed.data());
  project(layer.q, layer.q_bias, b_.normed, count, b_.q);
  project(layer.k, layer.k_bias, b_.normed, count, b_.k);
  project(layer.v, layer.v_bias, b_.normed, count, b_.v);
  if (!layer.q_norm.empty()) {
    rms_norm(b_.q.data(), count * config_.q_heads, layer.q_norm, config_.norm_epsilon, b_.q.data());
    rms_norm(b_.k.data(), count * config_.kv_heads, layer.k_norm, config_.norm_epsilon, b_.k.data());
  }
  rope_.apply(b_.q.data(), count, config_.q_heads, position);
  rope_.apply(b_.k.data(), count, config_.kv_heads, position);
  round_to_f16(b_.k, b_.k16);
  round_to_f16(b_.v, b_.v16);
  b_.attended.resize(b_.q.size());

  const auto start = Clock::now();
  const NewTokens new_tokens{count, b_.k16.data(), b_.v16.data()};
  cache.extend(index, new_tokens, b_.q.data(), b_.attended.data());
  const double seconds = seconds_since(start);

  project(layer.o, layer.o_bias, b_.attended, count, b_.projected);
  add(b_.projected.data(), b_.projected.size(), b_.residual.data());
  return seconds;
}

void Model::mlp(const Layer& layer, std::size_t count) {
  rms_norm(b_.residual.data(), count, layer.mlp_norm, config_.norm_epsilon, b_.normed.data());
  project(layer.gate, {}, b_.normed, count, b_.gate);
  project(layer.up, {}, b_.normed, count, b_.up);
  swiglu(b_.up.data(), b_.gate.size(), b_.gate.data());
  project(layer.down, {}, b_.gate, count, b_.projected);
  add(b_.projected.data(), b_.projected.size(), b_.residual.data());
}

void Model::project(const Matrix& w, const std::vector<float>& bias, const std::vector<float>& x, std::size_t count,
                    std::vector<float>& y) {
  y.resize(count * w.rows());
  matmul(w, x.data(), count, y.data(), threads_);
  add_to_rows(bias, count, y.data());
}

}  // namespace llama
