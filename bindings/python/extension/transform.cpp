// fwht, and what it shares with Codec.rotate and Codec.unrotate.
#include "transform.hpp"

#include "handles.hpp"

namespace tqpy {
namespace {

constexpr const char* kFwht = R"(fwht(rows, *, out=None)
--

Orthonormal Walsh-Hadamard transform of every row: ``H x / sqrt(size)``. Its own inverse.

Parameters
----------
rows : array, shape (..., size), float32, C-contiguous
    `size` is a power of two from 1 to 1024.
out : array like rows, optional
    Gets the result; ``out=rows`` transforms in place. A new NumPy array by default.

Returns
-------
array
    `out`, or the new array. The same bits on every CPU.

Raises
------
InvalidArgument
    If `size` is not such a power of two, an array is not C-contiguous, or shapes differ.
TypeError
    If an array is not float32 in the CPU's memory.)";

py::object fwht(py::handle rows, py::handle out) {
  return transform_rows(rows, out, 0,
                        [](const Rows& to, tq_error* err) { return tq_fwht(to.data, to.size, to.count, err); });
}

}  // namespace

Rows rows_of(const Array& array, std::size_t size) {
  array.require_element(Element::f32);
  if (array.ndim() == 0) raise_invalid("%s has no dimensions; expected (.., size)", array.name());
  array.require_contiguous();
  const std::size_t last = array.shape(array.ndim() - 1);
  if (size != 0 && last != size)
    raise_invalid("%s has the shape %s; expected (.., %zu)", array.name(), array.shape_text().c_str(), size);
  return {static_cast<float*>(array.data()), last, last == 0 ? 0 : array.size() / last};
}

py::object target_of(const Array& rows, py::handle given, py::handle out) {
  if (!out.is_none()) return py::reinterpret_borrow<py::object>(out.is(given) ? given : out);
  std::vector<py::ssize_t> shape;
  for (int axis = 0; axis < rows.ndim(); ++axis) shape.push_back(static_cast<py::ssize_t>(rows.shape(axis)));
  return py::array(numpy_dtype(Element::f32), std::move(shape));
}

void register_transform(py::module_& module) {
  module.def("fwht", &fwht, py::arg("rows"), py::kw_only(), py::arg("out") = py::none(), kFwht);
}

}  // namespace tqpy
