// Calls that change rows of floats: out gets a copy of the input first, unless it is the input.
#pragma once

#include "array.hpp"

namespace tqpy {

// Rows of an array whose last axis holds `size` values.
struct Rows {
  float* data;
  std::size_t size, count;
};

// Returns `out`, or a new array of the same shape, after `apply(rows)` has been called on it without the GIL.
// size == 0: any.
template <class Apply>
py::object transform_rows(py::handle given, py::handle out, std::size_t size, Apply apply);

Rows rows_of(const Array& array, std::size_t size);
py::object target_of(const Array& rows, py::handle given, py::handle out);

template <class Apply>
py::object transform_rows(py::handle given, py::handle out, std::size_t size, Apply apply) {
  const Array input = Array::of(given, "rows", Access::read);
  const Rows from = rows_of(input, size);
  py::object result = target_of(input, given, out);
  const Array output = Array::of(result, out.is_none() ? "rows" : "out", Access::write);
  const Rows to = rows_of(output, size);
  if (to.size != from.size || to.count != from.count) {
    raise_invalid("out has the shape %s; expected that of rows, %s", output.shape_text().c_str(),
                  input.shape_text().c_str());
  }
  call_library([&](tq_error* err) {
    if (to.data != from.data) std::memmove(to.data, from.data, from.count * from.size * sizeof(float));
    return apply(to, err);
  });
  return result;
}

}  // namespace tqpy
