// The softmax beside the products of prefill_tiles-inl.hpp: scores of 32 rows and 32 tokens at a time become weights in
// one pass. Products by tiles are so fast that the softmax counts.
#pragma once

#include "panel-inl.hpp"
#include "tiles-inl.hpp"

namespace {

constexpr std::size_t kUnitRows = 2 * kTileRows, kStepTokens = 256;  // what is worked on at a time

// Left factors are kept tile by tile: [row / 16][column / 32][row % 16][column % 32].
constexpr std::size_t left_index(std::size_t row, std::size_t column, std::size_t columns) {
  return ((row / kTileRows * (columns / 32) + column / 32) * kTileRows + row % kTileRows) * 32;
}

// Weights are relative to 2^maximum, a whole number, so that every rescaling is exact. A score may exceed the maximum
// by kSlack before it is moved up: weights of 2^7 do no harm, and most rows never move again.
constexpr float kSlack = 7.0f;

struct SoftmaxRow {
  F total = splat(0);         // of the weights, lane by lane
  float maximum = -0x1p127f;  // finite: a hidden score of -infinity minus it must not be NaN
  std::size_t visible = 0;    // tokens
};

// 2^(x - maximum), to 1e-4: it will be rounded to bf16.
inline F weight_of(F x, F above_maximum) {
  const F f = (F)_mm512_reduce_ps((__m512)x, 1);  // x - floor(x)
  F p = splat(7.8024523e-2f);
  p = p * f + splat(2.2606716e-1f);
  p = p * f + splat(6.9583354e-1f);
  p = p * f + splat(9.9992518e-1f);
  return (F)_mm512_scalef_ps((__m512)p, (__m512)above_maximum);  // p * 2^floor(above_maximum)
}

// What 32 rows need for one step of 256 tokens.
struct UnitMemory {
  alignas(64) float scores[2][kUnitRows * 32];  // of the last two times 32 tokens
  alignas(64) std::uint16_t weights[kUnitRows * kStepTokens];
  float factors[kUnitRows];  // by which older sums have to be multiplied before these weights count
};

// Works off 32 rows in small portions, because they are called between tile instructions: the processor overlaps only
// what is close together.
class Softmax {
 public:
  // `portion`: rows at a time, an even number.
  Softmax(UnitMemory& unit, SoftmaxRow* rows, std::size_t portion) : unit_(unit), rows_(rows), portion_(portion) {
    for (float& factor : unit.factors) factor = 1.0f;
  }
  // The next scores to work on, those of tokens first + offset .. + 31.
  void take(float* scores, std::size_t first, std::size_t offset) {
    scores_ = scores, offset_ = offset, row_ = 0;
    if (rows_[0].visible < first + offset + 32) hide(first + offset);
  }
  void a_bit() {
    if (row_ == kUnitRows) return;
    const std::size_t end = row_ + portion_;
    for (std::size_t row = row_; row < end; row += 2) weigh_two(row);
    row_ = end;
  }
  void rest() {
    for (; row_ < kUnitRows; row_ += 2) weigh_two(row_);
  }

 private:
  void hide(std::size_t first) {
    for (std::size_t row = 0; row < kUnitRows; ++row) {
      const std::size_t visible = rows_[row].visible;
      for (std::size_t t = visible > first ? visible - first : 0; t < 32; ++t)
        scores_[row * 32 + t] = -__builtin_inff();
    }
  }
  void weigh_two(std::size_t r) {
    SoftmaxRow *a = rows_ + r, *b = a + 1;
    const float* s = scores_ + r * 32;
    const F x[4] = {load(s), load(s + 16), load(s + 32), load(s + 48)};
    F ya[2] = {x[0] - splat(a->maximum), x[1] - splat(a->maximum)};
    F yb[2] = {x[2] - splat(b->maximum), x[3] - splat(b->maximum)};
    if ((above(max(ya[0], ya[1])) | above(max(yb[0], yb[1]))) != 0) [[unlikely]] {
      raise(r, max_of(max(x[0], x[1]))), raise(r + 1, max_of(max(x[2], x[3])));
      for (int i = 0; i < 2; ++i) ya[i] = x[i] - splat(a->maximum), yb[i] = x[2 + i] - splat(b->maximum);
    }
    std::uint16_t* weights = unit_.weights + left_index(r, offset_, kStepTokens);
    put(weights, *a, weight_of(x[0], ya[0]), weight_of(x[1], ya[1]));
    put(weights + 32, *b, weight_of(x[2], yb[0]), weight_of(x[3], yb[1]));
  }
  static std::uint16_t above(F y) { return _mm512_cmp_ps_mask((__m512)y, (__m512)splat(kSlack), _CMP_GT_OQ); }
  static void put(std::uint16_t* to, SoftmaxRow& row, F low, F high) {
    row.total += low + high;
    store_left(to, low, high);
  }
  // Also rescales the weights of this step that are there already.
  [[gnu::noinline]] void raise(std::size_t r, float top) {
    SoftmaxRow& row = rows_[r];
    if (!(top - row.maximum > kSlack)) return;
    const F factor = exp2_of(splat(row.maximum - __builtin_ceilf(top)));
    row.maximum = __builtin_ceilf(top);
    row.total *= factor;
    unit_.factors[r] *= factor[0];
    for (std::size_t t = 0; t < offset_; t += 32) {
      std::uint16_t* at = unit_.weights + left_index(r, t, kStepTokens);
      const U pairs = load_as<U>(at);
      const F even = (F)(pairs << 16) * factor, odd = (F)(pairs & 0xFFFF0000u) * factor;
      const U scaled = ((U)even >> 16) | ((U)odd & 0xFFFF0000u);  // exact: a power of two
      std::memcpy(at, &scaled, sizeof scaled);
    }
  }

  UnitMemory& unit_;
  SoftmaxRow* rows_;
  float* scores_ = nullptr;
  std::size_t portion_, offset_ = 0, row_ = kUnitRows;
};

}  // namespace
