#include "elements.hpp"

#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "arguments.hpp"

namespace tqpy {
namespace {

template <class Number, std::size_t size>
struct Names {
  std::array<std::pair<const char*, Number>, size> pairs;

  // The number of a name, or an error that lists all names.
  Number find(const std::string& text, const char* argument) const {
    std::string known;
    for (const auto& [name, number] : pairs) {
      if (text == name) return number;
      known += known.empty() ? name : std::string(", ") + name;
    }
    raise_invalid("%s is '%.60s'; expected one of: %s", argument, text.c_str(), known.c_str());
  }

  const char* name_of(Number wanted) const {
    for (const auto& [name, number] : pairs)
      if (number == wanted) return name;
    return "unknown";
  }

  Number from(py::handle given, const char* argument) const {
    if (py::isinstance<py::str>(given)) return find(given.cast<std::string>(), argument);
    return static_cast<Number>(u32_from(given, argument));  // the library judges numbers
  }
};

constexpr Names<tq_format, 4> kFormats{
    {{{"tq4", TQ_FORMAT_TQ4}, {"tq8", TQ_FORMAT_TQ8}, {"f16", TQ_FORMAT_F16}, {"bf16", TQ_FORMAT_BF16}}}};
constexpr Names<std::uint32_t, 2> kLayouts{{{{"vectors", TQ_LAYOUT_VECTORS}, {"blocks", TQ_LAYOUT_BLOCKS}}}};
constexpr Names<tq_dtype, 5> kExactDtypes{
    {{{"auto", TQ_DTYPE_AUTO}, {"float16", TQ_F16}, {"bfloat16", TQ_BF16}, {"f16", TQ_F16}, {"bf16", TQ_BF16}}}};
constexpr Names<Element, 6> kElements{{{{"float32", Element::f32},
                                        {"float16", Element::f16},
                                        {"bfloat16", Element::bf16},
                                        {"f32", Element::f32},
                                        {"f16", Element::f16},
                                        {"bf16", Element::bf16}}}};

// "float32" for numpy.float32, numpy.dtype("float32") and torch.float32 (whose str is "torch.float32").
std::string dtype_text(py::handle given) {
  if (py::isinstance<py::str>(given)) return given.cast<std::string>();
  const char* attribute = PyType_Check(given.ptr()) ? "__name__" : "name";
  const std::string text = py::str(py::getattr(given, attribute, py::str(given))).cast<std::string>();
  return text.starts_with("torch.") ? text.substr(6) : text;
}

}  // namespace

std::size_t element_bytes(Element element) {
  if (element == Element::f32) return 4;
  return element == Element::u8 ? 1 : 2;
}

const char* element_name(Element element) {
  if (element == Element::u8) return "uint8";
  if (element == Element::u16) return "uint16";
  return element == Element::other ? "another type" : kElements.name_of(element);
}

Element element_from(py::handle given, const char* name, Element missing) {
  if (given.is_none()) return missing;
  if (PyLong_Check(given.ptr())) {
    const std::uint32_t number = u32_from(given, name);
    if (number < TQ_F32 || number > TQ_BF16) raise_invalid("%s is %u; expected 1, 2 or 3", name, number);
    return static_cast<Element>(number);
  }
  return kElements.find(dtype_text(given), name);
}

// Types that other modules register with NumPy have no fixed number, so the first one seen by that name is remembered.
bool is_bfloat16(const py::dtype& dtype) {
  constexpr int kFirstOfUsers = 256;
  static int number = -1;
  if (dtype.num() == number) return true;
  if (number != -1 || dtype.num() < kFirstOfUsers || dtype.itemsize() != 2) return false;
  const py::object type = dtype.attr("type");
  if (py::str(type.attr("__name__")).cast<std::string>() != "bfloat16") return false;
  number = dtype.num();
  return true;
}

py::dtype numpy_dtype(Element element) {
  if (element == Element::f32) return py::dtype::of<float>();
  if (element == Element::f16) return py::dtype(kNumpyHalf);
  if (element == Element::u8) return py::dtype::of<std::uint8_t>();
  static PyObject* bfloat16 = [] {
    try {
      return py::dtype::from_args(py::module_::import("ml_dtypes").attr("bfloat16")).release().ptr();
    } catch (py::error_already_set& error) {
      if (!error.matches(PyExc_ImportError)) throw;
      return py::dtype::of<std::uint16_t>().release().ptr();
    }
  }();
  return py::reinterpret_borrow<py::dtype>(bfloat16);
}

tq_format format_from(py::handle given, const char* name) { return kFormats.from(given, name); }
std::uint32_t layout_from(py::handle given, const char* name) { return kLayouts.from(given, name); }
tq_dtype exact_dtype_from(py::handle given, const char* name) { return kExactDtypes.from(given, name); }
const char* format_name(tq_format format) { return kFormats.name_of(format); }
const char* layout_name(std::uint32_t layout) { return kLayouts.name_of(layout); }
const char* exact_dtype_name(tq_dtype dtype) { return kExactDtypes.name_of(dtype); }

}  // namespace tqpy
