// Names and numbers: "float32" and TQ_F32, "tq4" and TQ_FORMAT_TQ4, "blocks" and TQ_LAYOUT_BLOCKS.
#pragma once

#include <pybind11/numpy.h>

#include <cstddef>

#include "errors.hpp"

namespace tqpy {

// What one element of an array is. The first three are the library's own numbers.
enum class Element : std::uint32_t { f32 = TQ_F32, f16 = TQ_F16, bf16 = TQ_BF16, u8 = 100, u16 = 101, other = 102 };

std::size_t element_bytes(Element element);
const char* element_name(Element element);  // "float32"

// "float32", "f32", numpy.float32, torch.bfloat16 (by its name), ..; TQ_F32 .. TQ_BF16. None gives `missing`.
Element element_from(py::handle given, const char* name, Element missing);

// The NumPy dtype of new arrays. bfloat16 is that of ml_dtypes where it is installed, and uint16 otherwise.
py::dtype numpy_dtype(Element element);

inline constexpr int kNumpyHalf = 23;  // NPY_HALF, a fixed number of NumPy's ABI

// Whether this is the dtype of ml_dtypes.bfloat16.
bool is_bfloat16(const py::dtype& dtype);

tq_format format_from(py::handle given, const char* name);      // "tq4" or a number
std::uint32_t layout_from(py::handle given, const char* name);  // "vectors" or a number
tq_dtype exact_dtype_from(py::handle given, const char* name);  // "auto", "f16", "bf16"
const char* format_name(tq_format format);
const char* layout_name(std::uint32_t layout);
const char* exact_dtype_name(tq_dtype dtype);

}  // namespace tqpy
