// Buffers of f32, f16 or bf16 elements that tests fill and read as floats. The 16-bit conversions are written from the
// definition of the formats (round to a multiple of the quantum of the binade), not from the library's bit tricks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "turboquant/turboquant.h"

namespace tq_test {

using Bytes = std::vector<std::uint8_t>;
using Random = std::mt19937_64;

// `value` rounded to nearest even in `dtype`; overflow gives infinity.
float rounded(float value, tq_dtype dtype);

std::size_t element_bytes(tq_dtype dtype);
std::string dtype_name(tq_dtype dtype);

// Writes one element, rounded to `dtype`, to memory of any alignment, and reads it back.
void store_element(void* base, std::size_t index, tq_dtype dtype, float value);
float load_element(const void* base, std::size_t index, tq_dtype dtype);

class Elements {
 public:
  Elements(tq_dtype dtype, std::size_t size) : dtype_(dtype), size_(size), bytes_(size * element_bytes(dtype)) {}
  Elements(tq_dtype dtype, const std::vector<float>& values);

  tq_dtype dtype() const { return dtype_; }
  std::size_t size() const { return size_; }
  void* data() { return bytes_.data(); }
  const void* data() const { return bytes_.data(); }
  const Bytes& bytes() const { return bytes_; }
  float operator[](std::size_t index) const { return load_element(bytes_.data(), index, dtype_); }
  void set(std::size_t index, float value) { store_element(bytes_.data(), index, dtype_, value); }
  void fill(float value);
  std::vector<float> floats() const;

 private:
  tq_dtype dtype_;
  std::size_t size_;
  Bytes bytes_;
};

std::vector<float> gaussian(Random& random, std::size_t count, float sigma = 1.0f);

// Multiples of 1/8 up to 2 in absolute value: exact in all three dtypes.
std::vector<float> eighths(Random& random, std::size_t count);

std::size_t uniform(Random& random, std::size_t low, std::size_t high);  // both included

// |a - b|^2 / |b|^2 in double precision.
double relative_squared_error(const float* a, const float* b, std::size_t count);

// How often a random test runs its body: `full` times, fewer where every instruction costs ten (sanitizers) or where
// TQ_TEST_QUICK is set in the environment (emulators). Never zero.
std::size_t repetitions(std::size_t full);

// Whether it does: for tests that go through lists of cases, to leave out every other one.
bool quick();

}  // namespace tq_test
