#include "errors.hpp"

#include <cstdio>
#include <cstring>

namespace tqpy {
namespace {

struct Message {
  char text[512];
  Message(const char* format, va_list arguments) { std::vsnprintf(text, sizeof text, format, arguments); }
};

// Messages quote paths, which need not be UTF-8, and end where their buffer does.
py::str text_of(const char* message) {
  const auto length = static_cast<Py_ssize_t>(std::strlen(message));
  return py::reinterpret_steal<py::str>(PyUnicode_DecodeUTF8(message, length, "replace"));
}

}  // namespace

void raise_status(tq_status status, const char* message) {
  const py::object make = py::module_::import("libturboquant._errors").attr("error_from_status");
  const py::object error = make(status, tq_status_name(status), text_of(message));
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
  throw py::error_already_set();
}

void raise_invalid(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const Message message(format, arguments);
  va_end(arguments);
  raise_status(TQ_ERR_INVALID_ARGUMENT, message.text);
}

void raise_busy(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const Message message(format, arguments);
  va_end(arguments);
  raise_status(TQ_ERR_BUSY, message.text);
}

void raise_type_error(const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const Message message(format, arguments);
  va_end(arguments);
  PyErr_SetString(PyExc_TypeError, message.text);
  throw py::error_already_set();
}

}  // namespace tqpy
