// What attention keeps for a tile of query rows while it walks over the tokens.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "attend.hpp"

namespace tq {

// Floats of a tile that need no allocation: kMaxRows rows of head_dim 128.
inline constexpr std::size_t kInline = 2560;
inline constexpr std::size_t kScoredRows = 32;  // rows whose scores are kept at once

class RowTile {
 public:
  RowTile(const Allocator& allocator, const Layer& layer, std::size_t rows)
      : rows_(rows),
        key_padded_(padded_dim(layer.options().keys.dim)),
        value_padded_(padded_dim(layer.options().values.dim)),
        groups_(layer.key_coder().shape().groups()),
        allocated_(allocator, total_count() > kInline ? total_count() : 0),
        memory_(total_count() > kInline ? allocated_.data() : inline_) {
    std::fill(memory_, memory_ + float_count(), 0.0f);
    for (std::size_t row = 0; row < rows; ++row) maximum(row) = -std::numeric_limits<float>::infinity();
  }

  RowTile(const RowTile&) = delete;
  RowTile& operator=(const RowTile&) = delete;

  std::size_t rows() const { return rows_; }
  float* query(std::size_t row) { return memory_ + row * key_padded_; }
  float* rotated(std::size_t row) { return query(rows_) + row * key_padded_; }
  float* exact_sums(std::size_t row) { return rotated(rows_) + row * value_padded_; }
  float* rotated_sums(std::size_t row) { return exact_sums(rows_) + row * value_padded_; }
  float* mean() { return rotated_sums(rows_); }
  float& maximum(std::size_t row) { return mean()[key_padded_ + row]; }
  float& sum(std::size_t row) { return mean()[key_padded_ + rows_ + row]; }
  bool& broken(std::size_t row) { return broken_[row]; }  // holds NaN or infinity
  const CodedQuery* coded(std::size_t row) const { return coded_ + row; }
  float* scores(std::size_t row) { return scores_ + row % kScoredRows * kBlockTokens; }

  // Up to 64 tokens as floats, one after another; only in tiles of more than kMaxRows rows.
  RowSource expand_keys(const RowSource& keys, std::size_t count, std::size_t dim) {
    kernels().load_rows(keys, count, dim, tokens());
    return {tokens(), Element::kF32, key_padded_};
  }
  // The expanded keys by columns; only in tiles of kScoredRows rows or more.
  const float* key_columns(std::size_t count, std::size_t dim) {
    float *keys = tokens(), *columns = keys + kBlockTokens * (key_padded_ + value_padded_);
    std::fill(keys + count * key_padded_, keys + kBlockTokens * key_padded_, 0.0f);
    kernels().transpose_rows(keys, count, dim, columns);
    return columns;
  }
  RowSource expand_values(const RowSource& values, std::size_t count, std::size_t dim) {
    float* to = tokens() + kBlockTokens * key_padded_;
    kernels().load_rows(values, count, dim, to);
    return {to, Element::kF32, value_padded_};
  }

  // Memory of the attend_shared kernel; only in tiles of more than kMaxRows rows.
  std::uint8_t* shared_memory() { return reinterpret_cast<std::uint8_t*>(tokens()); }

  // Rotates and quantizes a loaded query.
  void prepare(const Layer& layer, std::size_t row) {
    if (!layer.keys_coded()) return;
    const SideCoder& coder = layer.key_coder();
    const std::size_t dim = coder.shape().dim;
    kernels().rotate_rows({query(row), Element::kF32, dim}, 1, coder.rotation(), nullptr, rotated(row));
    std::int32_t* digits = integers() + row * (key_padded_ / 2 + groups_);
    std::int32_t* sums = digits + key_padded_ / 2;
    const float inverse = 1.0f / static_cast<float>(coder.rotation().block);
    coded_[row] = {digits, sums, kernels().quantize_query(coder.shape(), rotated(row), inverse, digits, sums)};
  }

  void rescale(std::size_t row, float factor) {
    kernels().scale_floats(exact_sums(row), value_padded_, factor);
    kernels().scale_floats(rotated_sums(row), value_padded_, factor);
  }

  // What one row leaves behind when a range of the context is done: maximum, sum, both sums of values.
  static std::size_t row_floats(const Layer& layer) { return 2 + 2 * padded_dim(layer.options().values.dim); }

  void save(float* to) {
    for (std::size_t row = 0; row < rows_; ++row) {
      *to++ = maximum(row);
      *to++ = sum(row);
      to = std::copy_n(exact_sums(row), value_padded_, to);
      to = std::copy_n(rotated_sums(row), value_padded_, to);
    }
  }

  // Adds what another tile of the same rows saved: flash-decoding's merge, by reference and sum.
  void merge(const float* from) {
    for (std::size_t row = 0; row < rows_; ++row, from += 2 + 2 * value_padded_) {
      const float nothing = -std::numeric_limits<float>::infinity();
      if (from[0] == nothing) continue;
      const float before = maximum(row), after = std::max(before, from[0]), change = std::exp2(from[0] - after);
      const float own = before == nothing ? 0.0f : std::exp2(before - after);
      rescale(row, own);
      maximum(row) = after;
      sum(row) = sum(row) * own + from[1] * change;
      add_scaled(exact_sums(row), from + 2, change);
      add_scaled(rotated_sums(row), from + 2 + value_padded_, change);
    }
  }

 private:
  // One piece of memory: the floats of all rows, their integers, tokens expanded to floats, the keys of these by columns.
  std::size_t float_count() const {
    return round_up(rows_ * (2 * key_padded_ + 2 * value_padded_ + 2) + key_padded_, kAlignment / sizeof(float));
  }
  std::size_t integer_count() const { return round_up(rows_ * (key_padded_ / 2 + groups_), kAlignment / 4); }
  std::size_t token_count() const {
    if (rows_ <= kMaxRows) return 0;
    const std::size_t floats = kBlockTokens * (key_padded_ + value_padded_ + (rows_ >= kScoredRows ? key_padded_ : 0));
    return std::max(floats, (kSharedState + kBlockTokens * (key_padded_ + value_padded_ + 1)) / sizeof(float));
  }
  std::size_t total_count() const { return float_count() + integer_count() + token_count(); }
  std::int32_t* integers() { return reinterpret_cast<std::int32_t*>(memory_ + float_count()); }
  float* tokens() { return memory_ + float_count() + integer_count(); }

  void add_scaled(float* to, const float* from, float factor) const {
    for (std::size_t i = 0; i < value_padded_; ++i) to[i] += from[i] * factor;
  }

  std::size_t rows_, key_padded_, value_padded_, groups_;
  Buffer<float> allocated_;
  float* memory_;
  alignas(kAlignment) float inline_[kInline];
  CodedQuery coded_[kTaskRows];
  bool broken_[kTaskRows];
  alignas(kAlignment) float scores_[kScoredRows * kBlockTokens];
};

}  // namespace tq
