// What attention keeps for a tile of query rows while it walks over the tokens.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "attend.hpp"

namespace tq {

inline constexpr std::size_t kScoredRows = 32;  // rows whose scores are kept at once

// Where the parts of a tile's memory are, in floats from its start.
struct TileLayout {
  TileLayout(const Layer& layer, std::size_t rows)
      : key_padded(padded_dim(layer.options().keys.dim)),
        value_padded(padded_dim(layer.options().values.dim)),
        digits(key_padded / 2 + layer.key_coder().shape().groups()),
        rotated(rows * key_padded),
        exact_sums(rotated + rows * key_padded),
        rotated_sums(exact_sums + rows * value_padded),
        mean(rotated_sums + rows * value_padded),
        maxima(mean + key_padded),
        sums(maxima + rows),
        integers(aligned(sums + rows)),
        coded(aligned(integers + rows * digits)),
        broken(aligned(coded + rows * sizeof(CodedQuery) / sizeof(float))),
        kept(aligned(broken + (rows + sizeof(float) - 1) / sizeof(float))),
        tokens(std::min(rows, kScoredRows) * kBlockTokens),
        scratch(tokens + token_count(layer, rows)) {}

  std::size_t key_padded, value_padded;
  std::size_t digits;  // of a query, and sums of its groups
  std::size_t rotated, exact_sums, rotated_sums, mean, maxima, sums, integers, coded, broken, kept;
  // What need not outlast a step, and starts with scores, has a place of its own.
  std::size_t tokens, scratch;

 private:
  static constexpr std::size_t aligned(std::size_t floats) { return round_up(floats, kAlignment / sizeof(float)); }

  // What kernels need for coded blocks; or tokens expanded to floats, and the keys of these by columns.
  std::size_t token_count(const Layer& layer, std::size_t rows) const {
    const std::size_t groups = layer.value_coder().shape().groups();
    if (rows <= kMaxRows) return run_memory(rows, groups) / sizeof(float);
    const std::size_t floats = kBlockTokens * (key_padded + value_padded + (rows >= kScoredRows ? key_padded : 0));
    const std::size_t bytes = kernels().shared_memory(layer.key_coder().shape(), layer.value_coder().shape(), rows);
    return std::max(floats, bytes / sizeof(float));
  }
};

class RowTile {
 public:
  // Both aligned to kAlignment: `memory` for TileLayout(layer, rows).kept floats; `scratch`, which several tiles may have in
  // common, for its .scratch floats.
  RowTile(const Layer& layer, std::size_t rows, float* memory, float* scratch)
      : rows_(rows), at_(layer, rows), memory_(memory), scratch_(scratch) {
    std::fill(memory_, memory_ + at_.integers, 0.0f);
    for (std::size_t row = 0; row < rows; ++row) maximum(row) = -std::numeric_limits<float>::infinity();
  }

  RowTile(const RowTile&) = delete;
  RowTile& operator=(const RowTile&) = delete;

  std::size_t rows() const { return rows_; }
  float* query(std::size_t row) { return memory_ + row * at_.key_padded; }
  float* rotated(std::size_t row) { return memory_ + at_.rotated + row * at_.key_padded; }
  float* exact_sums(std::size_t row) { return memory_ + at_.exact_sums + row * at_.value_padded; }
  float* rotated_sums(std::size_t row) { return memory_ + at_.rotated_sums + row * at_.value_padded; }
  float* mean() { return memory_ + at_.mean; }
  float& maximum(std::size_t row) { return memory_[at_.maxima + row]; }
  float& sum(std::size_t row) { return memory_[at_.sums + row]; }
  bool& broken(std::size_t row) { return reinterpret_cast<bool*>(memory_ + at_.broken)[row]; }  // holds NaN or infinity
  CodedQuery* coded(std::size_t row) { return reinterpret_cast<CodedQuery*>(memory_ + at_.coded) + row; }
  float* scores(std::size_t row) { return scratch_ + row % kScoredRows * kBlockTokens; }

  // Up to 64 tokens as floats, one after another; only in tiles of more than kMaxRows rows.
  RowSource expand_keys(const RowSource& keys, std::size_t count, std::size_t dim) {
    kernels().load_rows(keys, count, dim, tokens());
    return {tokens(), Element::kF32, at_.key_padded};
  }
  // The expanded keys by columns; only in tiles of kScoredRows rows or more.
  const float* key_columns(std::size_t count, std::size_t dim) {
    float *keys = tokens(), *columns = keys + kBlockTokens * (at_.key_padded + at_.value_padded);
    std::fill(keys + count * at_.key_padded, keys + kBlockTokens * at_.key_padded, 0.0f);
    kernels().transpose_rows(keys, count, dim, columns);
    return columns;
  }
  RowSource expand_values(const RowSource& values, std::size_t count, std::size_t dim) {
    float* to = tokens() + kBlockTokens * at_.key_padded;
    kernels().load_rows(values, count, dim, to);
    return {to, Element::kF32, at_.value_padded};
  }

  // Memory of the kernels that read coded blocks; of attend_shared only in tiles of more than kMaxRows rows.
  std::uint8_t* kernel_memory() { return reinterpret_cast<std::uint8_t*>(tokens()); }

  // Rotates and quantizes a loaded query.
  void prepare(const Layer& layer, std::size_t row) {
    if (!layer.keys_coded()) return;
    const SideCoder& coder = layer.key_coder();
    const std::size_t dim = coder.shape().dim;
    kernels().rotate_rows({query(row), Element::kF32, dim}, 1, coder.rotation(), nullptr, rotated(row));
    std::int32_t* digits = reinterpret_cast<std::int32_t*>(memory_ + at_.integers) + row * at_.digits;
    std::int32_t* sums = digits + at_.key_padded / 2;
    const float inverse = 1.0f / static_cast<float>(coder.rotation().block);
    *coded(row) = {digits, sums, kernels().quantize_query(coder.shape(), rotated(row), inverse, digits, sums)};
  }

  void rescale(std::size_t row, float factor) {
    kernels().scale_floats(exact_sums(row), at_.value_padded, factor);
    kernels().scale_floats(rotated_sums(row), at_.value_padded, factor);
  }

  // What one row leaves behind when a range of the context is done: maximum, sum, both sums of values.
  static std::size_t row_floats(const Layer& layer) { return 2 + 2 * padded_dim(layer.options().values.dim); }

  void save(float* to) {
    for (std::size_t row = 0; row < rows_; ++row) {
      *to++ = maximum(row);
      *to++ = sum(row);
      to = std::copy_n(exact_sums(row), at_.value_padded, to);
      to = std::copy_n(rotated_sums(row), at_.value_padded, to);
    }
  }

  // Adds what another tile of the same rows saved: flash-decoding's merge, by reference and sum.
  void merge(const float* from) {
    for (std::size_t row = 0; row < rows_; ++row, from += 2 + 2 * at_.value_padded) {
      const float nothing = -std::numeric_limits<float>::infinity();
      if (from[0] == nothing) continue;
      const float before = maximum(row), after = std::max(before, from[0]), change = std::exp2(from[0] - after);
      const float own = before == nothing ? 0.0f : std::exp2(before - after);
      rescale(row, own);
      maximum(row) = after;
      sum(row) = sum(row) * own + from[1] * change;
      add_scaled(exact_sums(row), from + 2, change);
      add_scaled(rotated_sums(row), from + 2 + at_.value_padded, change);
    }
  }

 private:
  float* tokens() { return scratch_ + at_.tokens; }

  void add_scaled(float* to, const float* from, float factor) const {
    for (std::size_t i = 0; i < at_.value_padded; ++i) to[i] += from[i] * factor;
  }

  std::size_t rows_;
  const TileLayout at_;
  float *memory_, *scratch_;
};

}  // namespace tq
