// Numbers that come from Python. Every error names the argument and the value.
#pragma once

#include <cstdint>
#include <string>

#include "errors.hpp"

namespace tqpy {

std::uint64_t u64_from(py::handle given, const char* name);
std::uint32_t u32_from(py::handle given, const char* name);
std::size_t size_from(py::handle given, const char* name);
std::uint32_t flag_from(py::handle given, const char* name);          // bool, or an integer that is passed on as it is
float float_from(py::handle given, const char* name, float missing);  // None gives `missing`

std::string repr_of(py::handle given);  // shortened

}  // namespace tqpy
