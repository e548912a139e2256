// Keyword-only arguments of functions that have many of them. pybind11 compares every name a function knows with every
// name given, which took longer than a small attend; this compares those that were given, as a rule by their address.
#pragma once

#include <array>
#include <cstddef>

#include "errors.hpp"

namespace tqpy {

template <std::size_t count>
class Keywords {
 public:
  using Names = std::array<const char*, count>;
  using Values = std::array<py::handle, count>;

  // Never destroyed: the interpreter may end first.
  Keywords(const char* function, const Names& names) : function_(function), names_(names) {
    for (std::size_t i = 0; i < count; ++i) interned_[i] = PyUnicode_InternFromString(names[i]);
  }

  // Replaces what was given in `values`, which hold the defaults; borrowed from `given`.
  Values read(const py::kwargs& given, Values values) const {
    PyObject *name, *value;
    Py_ssize_t position = 0;
    while (PyDict_Next(given.ptr(), &position, &name, &value) != 0) values[index_of(name)] = value;
    return values;
  }

 private:
  std::size_t index_of(PyObject* name) const {
    for (std::size_t i = 0; i < count; ++i)
      if (name == interned_[i]) return i;
    for (std::size_t i = 0; i < count; ++i)
      if (PyUnicode_CompareWithASCIIString(name, names_[i]) == 0) return i;
    raise_type_error("%s() got an unexpected keyword argument '%.100s'", function_, PyUnicode_AsUTF8(name));
  }

  const char* function_;
  Names names_;
  std::array<PyObject*, count> interned_;
};

}  // namespace tqpy
