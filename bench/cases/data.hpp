// Inputs: Gaussian rows and their 16-bit versions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "baselines/table.hpp"

namespace bench {

std::uint16_t f16_of(float x);   // nearest even; |x| <= 65504
std::uint16_t bf16_of(float x);  // nearest even; finite
float float_of_f16(std::uint16_t h);

std::vector<float> gaussian(std::size_t count, unsigned seed);
std::vector<std::uint16_t> convert(const std::vector<float>& values, Type type);  // kF16 or kBf16

// 64-byte aligned memory, not initialised.
class Memory {
 public:
  explicit Memory(std::size_t bytes);
  std::size_t bytes() const { return bytes_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_.get());
  }

 private:
  struct Free {
    void operator()(void* p) const;
  };
  std::size_t bytes_;
  std::unique_ptr<void, Free> data_;
};

// Keys and values of kPoolTokens tokens, [token][kv_head][head_dim], rounded to f16. Longer sequences repeat them: the
// memory differs, the numbers need not.
struct Pool {
  static constexpr std::size_t kTokens = 1024;
  std::size_t heads, head_dim;
  std::vector<float> keys, values;
  std::vector<std::uint16_t> keys_f16, values_f16;

  Pool(std::size_t heads, std::size_t head_dim);
};

// |a - b| / |b|; NaN if there is one in a.
double difference(const std::vector<float>& a, const std::vector<float>& b);

}  // namespace bench
