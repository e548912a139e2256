// Rows of user data: addressing, conversion, and the refusal of values that cannot be coded.
#pragma once

#include "../kernels/kernel_table.hpp"
#include "../support/error.hpp"

namespace tq {

inline constexpr float kMaxMagnitude = 1152921504606846976.0f;  // 2^60
inline constexpr float kMaxF16 = 65504.0f;

inline float largest_value(bool f16) { return f16 ? kMaxF16 : kMaxMagnitude; }

inline std::size_t find_invalid_in_row(const RowSource& source, std::size_t row, std::size_t dim, float limit) {
  return kernels().find_invalid(row_from(source, row).data, source.element, dim, limit);
}

inline float value_at(RowSource source, std::size_t row, std::size_t i) {
  source = row_from(source, row);
  source.data = static_cast<const char*>(source.data) + i * element_bytes(source.element);
  float value[kRowPadding];
  kernels().load_rows(source, 1, 1, value);
  return value[0];
}

[[noreturn]] inline void refuse_value(const char* name, std::size_t row, std::size_t coordinate, float value,
                                      float limit) {
  if (value - value == 0.0f) {
    invalid("%s[vector %zu, coordinate %zu] is %g: beyond the largest value that can be coded, %g", name, row,
            coordinate, static_cast<double>(value), static_cast<double>(limit));
  }
  invalid("%s[vector %zu, coordinate %zu] is %g: NaN and infinity cannot be coded", name, row, coordinate,
          static_cast<double>(value));
}

}  // namespace tq
