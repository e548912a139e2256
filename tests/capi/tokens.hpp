// Tokens of one layer as a test sees them, and the buffers in which they travel through the C ABI.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "elements.hpp"
#include "turboquant/turboquant.h"

namespace tq_test {

struct Shape {
  std::uint32_t kv_heads = 1, key_dim = 64, value_dim = 64;
  std::size_t key_row() const { return std::size_t{kv_heads} * key_dim; }  // elements of one token
  std::size_t value_row() const { return std::size_t{kv_heads} * value_dim; }
};

// Contiguous [token][head][dim], whatever the buffers of a call look like.
struct Tokens {
  Shape shape;
  std::vector<float> keys, values;

  std::size_t count() const { return keys.size() / shape.key_row(); }
  Tokens slice(std::size_t first, std::size_t n) const;
  void push(const Tokens& more);
  void resize(std::size_t n);
};

bool operator==(const Tokens& a, const Tokens& b);  // bit for bit

Tokens random_tokens(Random& random, const Shape& shape, std::size_t count);

// Keys with a common vector added, three times as long as the rest: what key biases of real models look like.
Tokens biased_tokens(Random& random, const Shape& shape, std::size_t count);

Tokens rounded(const Tokens& tokens, tq_dtype dtype);

enum class Layout {
  kContiguous,  // strides of 0
  kExplicit,    // the same memory with its strides spelled out
  kHeadMajor,   // [head][token][dim]
  kPadded       // [token][head][dim] with gaps after every head and every token
};

// The tq_kv of some tokens together with its memory.
class KvInput {
 public:
  KvInput(const Tokens& tokens, tq_dtype dtype, Layout layout = Layout::kContiguous);
  const tq_kv* get() const { return &kv_; }
  tq_kv& kv() { return kv_; }
  Elements& keys() { return keys_; }
  Elements& values() { return values_; }

 private:
  Elements keys_, values_;
  tq_kv kv_;
};

// The same for tq_cache_read. Elements that the call must not touch hold a sentinel, tested by gaps_untouched().
class KvOutput {
 public:
  KvOutput(const Shape& shape, std::size_t count, tq_dtype dtype, Layout layout = Layout::kContiguous);
  const tq_kv_out* get() const { return &kv_; }
  tq_kv_out& kv() { return kv_; }
  Tokens tokens() const;
  bool gaps_untouched() const;

 private:
  Shape shape_;
  std::size_t count_;
  Elements keys_, values_;
  tq_kv_out kv_;
  std::size_t key_strides_[2], value_strides_[2];
};

}  // namespace tq_test
