#include "arguments.hpp"

#include <limits>

namespace tqpy {

std::string repr_of(py::handle given) {
  constexpr std::size_t kLongest = 80;
  std::string text = py::repr(given).cast<std::string>();
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "..";
  return text;
}

std::uint64_t u64_from(py::handle given, const char* name) {
  // Objects with __index__, such as NumPy's integers; True and False are integers in Python, floats are not.
  const py::object number = py::reinterpret_steal<py::object>(PyNumber_Index(given.ptr()));
  if (!number) {
    PyErr_Clear();
    raise_type_error("%s is %s; expected an integer", name, repr_of(given).c_str());
  }
  const unsigned long long value = PyLong_AsUnsignedLongLong(number.ptr());
  if (value == std::numeric_limits<unsigned long long>::max() && PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    raise_invalid("%s is %s; expected an integer from 0 to 2**64 - 1", name, repr_of(given).c_str());
  }
  return value;
}

std::uint32_t u32_from(py::handle given, const char* name) {
  const std::uint64_t value = u64_from(given, name);
  if (value > std::numeric_limits<std::uint32_t>::max())
    raise_invalid("%s is %s; expected an integer from 0 to 2**32 - 1", name, repr_of(given).c_str());
  return static_cast<std::uint32_t>(value);
}

std::size_t size_from(py::handle given, const char* name) {
  const std::uint64_t value = u64_from(given, name);
  if (value > static_cast<std::uint64_t>(PY_SSIZE_T_MAX))
    raise_invalid("%s is %s; expected an integer from 0 to 2**63 - 1", name, repr_of(given).c_str());
  return static_cast<std::size_t>(value);
}

std::uint32_t flag_from(py::handle given, const char* name) {
  if (given.ptr() == Py_True) return 1;
  if (given.ptr() == Py_False) return 0;
  return u32_from(given, name);
}

float float_from(py::handle given, const char* name, float missing) {
  if (given.is_none()) return missing;
  const double value = PyFloat_AsDouble(given.ptr());
  if (value == -1.0 && PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    raise_type_error("%s is %s; expected a number", name, repr_of(given).c_str());
  }
  return static_cast<float>(value);
}

}  // namespace tqpy
