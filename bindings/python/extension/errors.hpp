// Errors: a tq_status becomes an exception of libturboquant._errors, with the library's own message.
#pragma once

#include <pybind11/pybind11.h>
#include <turboquant/turboquant.h>

#include <cstdarg>

namespace tqpy {

namespace py = pybind11;

// A tq_error that is ready to be handed to the library.
struct ErrorBuffer : tq_error {
  ErrorBuffer() noexcept {
    struct_size = sizeof(tq_error);
    status = TQ_OK;
    message[0] = '\0';
  }
};

// All of these need the GIL.
[[noreturn]] void raise_status(tq_status status, const char* message);
[[noreturn]] __attribute__((format(printf, 1, 2))) void raise_invalid(const char* format, ...);
[[noreturn]] __attribute__((format(printf, 1, 2))) void raise_type_error(const char* format, ...);
[[noreturn]] __attribute__((format(printf, 1, 2))) void raise_busy(const char* format, ...);

inline void check(tq_status status, const tq_error& err) {
  if (status != TQ_OK) raise_status(status, err.message);
}

// Runs a call into the library without the GIL.
template <class Call>
void call_library(Call call) {
  ErrorBuffer err;
  tq_status status;
  {
    py::gil_scoped_release released;
    status = call(&err);
  }
  check(status, err);
}

// The same for calls too short to be worth a switch.
template <class Call>
void call_library_holding_gil(Call call) {
  ErrorBuffer err;
  check(call(&err), err);
}

}  // namespace tqpy
