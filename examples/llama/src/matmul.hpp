// Products of activations with a weight matrix, in f32.
#pragma once

#include <cstddef>
#include <vector>

#include "threads.hpp"

namespace llama {

// A weight matrix of `rows` outputs and `columns` inputs, kept in panels of 16 rows: element (r, k) of panel p is at
// k * 16 + r. One load then gets the weights of 16 outputs for one input, and no sum runs across a register.
class Matrix {
 public:
  static constexpr std::size_t kPanelRows = 16;

  Matrix() = default;
  Matrix(const std::vector<float>& row_major, std::size_t rows, std::size_t columns);

  std::size_t rows() const { return rows_; }
  std::size_t columns() const { return columns_; }
  const float* panel(std::size_t index) const { return data_.data() + index * kPanelRows * columns_; }
  void copy_row(std::size_t row, float* out) const;  // an embedding is a row of the matrix that also makes the logits

 private:
  std::size_t rows_ = 0, columns_ = 0;
  std::vector<float> data_;  // the last panel is filled up with zeros
};

// y[t][r] = sum over k of x[t][k] w[r][k], for `tokens` rows of x. Row-major; y must not overlap x.
void matmul(const Matrix& w, const float* x, std::size_t tokens, float* y, Threads& threads);

const char* matmul_target();  // the instruction set matmul uses on this machine

}  // namespace llama
