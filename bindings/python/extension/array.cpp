#include "array.hpp"

#include <cstring>

#include "arguments.hpp"

namespace tqpy {
namespace {

Element element_of(const py::dtype& dtype) {
  if (dtype.byteorder() == '>') return Element::other;
  const int number = dtype.num();
  if (number == py::dtype::num_of<float>()) return Element::f32;
  if (number == kNumpyHalf) return Element::f16;
  if (number == py::dtype::num_of<std::uint8_t>()) return Element::u8;
  if (number == py::dtype::num_of<std::uint16_t>()) return Element::u16;
  return is_bfloat16(dtype) ? Element::bf16 : Element::other;
}

// The formats of module struct: native and little-endian are the same here.
Element element_of_format(const char* format) {
  if (format == nullptr) return Element::u8;
  if (*format == '@' || *format == '=' || *format == '<') ++format;
  if (std::strlen(format) != 1) return Element::other;
  switch (*format) {
    case 'f': return Element::f32;
    case 'e': return Element::f16;
    case 'H': return Element::u16;
    case 'B':
    case 'b':
    case 'c': return Element::u8;
    default: return Element::other;
  }
}

Element element_of(const dlpack::DataType& type) {
  if (type.lanes != 1) return Element::other;
  if (type.code == dlpack::kFloat && type.bits == 32) return Element::f32;
  if (type.code == dlpack::kFloat && type.bits == 16) return Element::f16;
  if (type.code == dlpack::kBfloat && type.bits == 16) return Element::bf16;
  if (type.code == dlpack::kUInt && type.bits == 8) return Element::u8;
  if (type.code == dlpack::kUInt && type.bits == 16) return Element::u16;
  return Element::other;
}

}  // namespace

void Array::ReleaseBuffer::operator()(Py_buffer* buffer) const {
  PyBuffer_Release(buffer);
  delete buffer;
}

Array Array::of(py::handle object, const char* name, Access access) {
  Array array;
  array.name_ = name;
  array.object_ = py::reinterpret_borrow<py::object>(object);
  if (py::isinstance<py::array>(object)) {
    array.view_numpy(object, access);
  } else if (has_dlpack(object)) {
    array.view_dlpack(object, access);
  } else if (PyObject_CheckBuffer(object.ptr()) != 0) {
    array.view_buffer(object, access);
  } else {
    raise_type_error("%s is %s; expected a NumPy array, a DLPack tensor or an object with the buffer protocol", name,
                     repr_of(object).c_str());
  }
  return array;
}

void Array::set_dims(int ndim) {
  if (ndim > kMaxDims) raise_invalid("%s has %d dimensions; at most %d are supported", name_, ndim, kMaxDims);
  ndim_ = ndim;
}

void Array::require_writable(bool writable, Access access) const {
  if (access == Access::write && !writable) raise_invalid("%s is read-only, but would be written", name_);
}

void Array::view_numpy(py::handle object, Access access) {
  const auto array = py::reinterpret_borrow<py::array>(object);
  require_writable(array.writeable(), access);
  set_dims(static_cast<int>(array.ndim()));
  data_ = const_cast<void*>(array.data());
  const py::dtype dtype = array.dtype();
  element_ = element_of(dtype);
  item_bytes_ = dtype.itemsize();
  std::copy_n(array.shape(), ndim_, shape_);
  std::copy_n(array.strides(), ndim_, strides_);
}

void Array::view_buffer(py::handle object, Access access) {
  auto buffer = std::make_unique<Py_buffer>();
  if (PyObject_GetBuffer(object.ptr(), buffer.get(), PyBUF_STRIDED_RO | PyBUF_FORMAT) != 0)
    throw py::error_already_set();
  buffer_.reset(buffer.release());
  require_writable(buffer_->readonly == 0, access);
  set_dims(buffer_->ndim);
  data_ = buffer_->buf;
  element_ = element_of_format(buffer_->format);
  item_bytes_ = buffer_->itemsize;
  std::copy_n(buffer_->shape, ndim_, shape_);
  std::copy_n(buffer_->strides, ndim_, strides_);
}

void Array::view_dlpack(py::handle object, Access access) {
  tensor_ = DLPackTensor::take(object, name_);
  require_writable(!tensor_.read_only(), access);
  const dlpack::Tensor& tensor = tensor_.tensor();
  set_dims(tensor.ndim);
  data_ = static_cast<char*>(tensor.data) + tensor.byte_offset;
  element_ = element_of(tensor.dtype);
  item_bytes_ = tensor.dtype.bits * tensor.dtype.lanes / 8;
  Py_ssize_t contiguous = item_bytes_;
  for (int axis = ndim_ - 1; axis >= 0; --axis) {
    shape_[axis] = tensor.shape[axis];
    strides_[axis] = tensor.strides != nullptr ? tensor.strides[axis] * item_bytes_ : contiguous;
    contiguous *= shape_[axis];
  }
}

std::size_t Array::size() const {
  std::size_t product = 1;
  for (int axis = 0; axis < ndim_; ++axis) product *= shape(axis);
  return product;
}

std::string Array::shape_text() const {
  std::string text = "(";
  for (int axis = 0; axis < ndim_; ++axis) {
    if (axis != 0) text += ", ";
    text += std::to_string(shape_[axis]);
  }
  text += ndim_ == 1 ? ",)" : ")";
  return text;
}

std::string Array::dtype_text() const {
  if (buffer_) return std::string("format '") + (buffer_->format != nullptr ? buffer_->format : "B") + "'";
  return "dtype " + py::str(py::getattr(object_, "dtype", py::str("unknown"))).cast<std::string>();
}

Element Array::real_element(std::optional<Element> declared) const {
  if (element_ == Element::u16) {
    if (declared) return *declared;
    raise_type_error("%s has %s; say what its bits are with dtype='float16' or dtype='bfloat16'", name_,
                     dtype_text().c_str());
  }
  if (element_ == Element::u8 || element_ == Element::other) {
    raise_type_error("%s has %s; expected float32, float16 or bfloat16 (or uint16 bits and the argument dtype)", name_,
                     dtype_text().c_str());
  }
  if (declared && *declared != element_)
    raise_type_error("%s has %s, but dtype says %s", name_, dtype_text().c_str(), element_name(*declared));
  return element_;
}

Element Array::output_element(Element declared) const {
  return real_element(element_ == Element::u16 ? std::optional(declared) : std::nullopt);
}

Element Array::output_element(std::optional<Element> declared) const {
  return real_element(element_ == Element::u16 ? declared : std::nullopt);
}

void Array::require_ndim(int ndim, const char* meaning) const {
  if (ndim_ != ndim)
    raise_invalid("%s has the shape %s; expected %d dimensions, %s", name_, shape_text().c_str(), ndim, meaning);
}

void Array::require_element(Element wanted) const {
  if (element_ != wanted) raise_type_error("%s has %s; expected %s", name_, dtype_text().c_str(), element_name(wanted));
  require_aligned();
}

void Array::require_contiguous() const {
  Py_ssize_t expected = item_bytes_;
  if (size() == 0) return;
  for (int axis = ndim_ - 1; axis >= 0; --axis) {
    if (shape_[axis] > 1 && strides_[axis] != expected) {
      raise_invalid(
          "%s is not C-contiguous (shape %s, %zd bytes from one element to the next on axis %d); copy it first", name_,
          shape_text().c_str(), strides_[axis], axis);
    }
    expected *= shape_[axis];
  }
}

void Array::require_aligned() const {
  if (reinterpret_cast<std::uintptr_t>(data_) % item_bytes() != 0)
    raise_invalid("%s is not aligned to its elements of %zu bytes", name_, item_bytes());
}

void Array::require_rows_contiguous() const {
  if (size() == 0) return;  // steps mean nothing, and NumPy sets them to 0
  require_aligned();
  if (shape_[ndim_ - 1] > 1 && strides_[ndim_ - 1] != item_bytes_) {
    raise_invalid("%s: the last axis is not contiguous (%zd bytes from one element to the next); copy it first", name_,
                  strides_[ndim_ - 1]);
  }
}

void Array::require_step(Py_ssize_t step, Py_ssize_t row) const {
  if (size() == 0) return;
  if (step < row || step % item_bytes_ != 0) {
    raise_invalid("%s: an axis steps by %zd bytes; expected a multiple of %zd, at least a row of %zd (no overlap)",
                  name_, step, item_bytes_, row);
  }
}

Strides strides_of(const Array& array, std::size_t heads, std::size_t dim) {
  if (array.shape(1) != heads || array.shape(2) != dim) {
    raise_invalid("%s has the shape %s; expected (any, %zu, %zu)", array.name(), array.shape_text().c_str(), heads,
                  dim);
  }
  array.require_rows_contiguous();
  if (array.size() == 0) return {heads * dim, dim};
  const auto item = static_cast<Py_ssize_t>(array.item_bytes());
  const auto row = static_cast<Py_ssize_t>(dim) * item;
  const Py_ssize_t head = heads > 1 ? array.stride(1) : row;
  const Py_ssize_t token = array.shape(0) > 1 ? array.stride(0) : head * static_cast<Py_ssize_t>(heads);
  array.require_step(head, row);
  array.require_step(token, row);
  return {static_cast<std::size_t>(token / item), static_cast<std::size_t>(head / item)};
}

py::array new_array(Element element, std::initializer_list<std::size_t> shape) {
  std::vector<py::ssize_t> sizes(shape.begin(), shape.end());
  return py::array(numpy_dtype(element), std::move(sizes));
}

}  // namespace tqpy
