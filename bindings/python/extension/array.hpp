// Arrays that come from Python: NumPy, DLPack or the buffer protocol. Nothing is ever copied or converted; what the
// library cannot take as it lies in memory is refused with an error that names the argument.
#pragma once

#include <pybind11/numpy.h>

#include <memory>
#include <optional>
#include <string>

#include "dlpack.hpp"
#include "elements.hpp"

namespace tqpy {

enum class Access { read, write };

// A view that keeps what it looks at alive.
class Array {
 public:
  static constexpr int kMaxDims = 8;

  static Array of(py::handle object, const char* name, Access access);

  const char* name() const { return name_; }
  void* data() const { return data_; }
  Element element() const { return element_; }
  int ndim() const { return ndim_; }
  std::size_t shape(int axis) const { return static_cast<std::size_t>(shape_[axis]); }
  Py_ssize_t stride(int axis) const { return strides_[axis]; }  // bytes
  std::size_t item_bytes() const { return static_cast<std::size_t>(item_bytes_); }
  std::size_t size() const;
  std::string shape_text() const;  // "(4, 8, 128)"
  std::string dtype_text() const;  // as its own library calls it

  // What the elements are, or a TypeError. uint16 holds whatever `declared` says; where other arrays are something
  // else than declared, that is an error.
  Element real_element(std::optional<Element> declared) const;

  // The same for arrays to write to; `declared` concerns uint16 only.
  Element output_element(Element declared) const;
  Element output_element(std::optional<Element> declared) const;

  void require_ndim(int ndim, const char* meaning) const;
  void require_rows_contiguous() const;  // along the last axis
  void require_step(Py_ssize_t step, Py_ssize_t row) const;
  void require_contiguous() const;
  void require_element(Element wanted) const;

 private:
  struct ReleaseBuffer {
    void operator()(Py_buffer* buffer) const;
  };

  void view_numpy(py::handle object, Access access);
  void view_buffer(py::handle object, Access access);
  void view_dlpack(py::handle object, Access access);
  void require_writable(bool writable, Access access) const;
  void require_aligned() const;
  void set_dims(int ndim);

  const char* name_ = "";
  void* data_ = nullptr;
  Element element_ = Element::other;
  int ndim_ = 0;
  Py_ssize_t item_bytes_ = 0;
  Py_ssize_t shape_[kMaxDims];
  Py_ssize_t strides_[kMaxDims];
  py::object object_;
  std::unique_ptr<Py_buffer, ReleaseBuffer> buffer_;
  DLPackTensor tensor_;
};

// [rows][heads][dim] data as the library takes it: strides in elements, never 0.
struct Strides {
  std::size_t token, head;
};

// The array must have the shape [any][heads][dim], whose last axis is contiguous and whose axes do not overlap.
Strides strides_of(const Array& array, std::size_t heads, std::size_t dim);

// A new C-contiguous NumPy array.
py::array new_array(Element element, std::initializer_list<std::size_t> shape);

}  // namespace tqpy
