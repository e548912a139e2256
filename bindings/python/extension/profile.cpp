// Profiles: read by the library, handed to libturboquant/_profile.py as plain values.
#include <memory>
#include <string>
#include <string_view>

#include "arguments.hpp"
#include "handles.hpp"

namespace tqpy {
namespace {

constexpr const char* kLoad = R"(profile_load(path, fingerprint)
--

Name, fingerprint and the fields of every layer; see `libturboquant.Profile`.)";

constexpr const char* kParse = R"(profile_parse(text, fingerprint)
--

The same from text.)";

struct Destroy {
  void operator()(tq_profile* profile) const { tq_profile_destroy(profile); }
};

// The bytes that the system knows a path by.
std::string path_from(py::handle given) {
  PyObject* bytes = nullptr;
  if (PyUnicode_FSConverter(given.ptr(), static_cast<void*>(&bytes)) == 0) {
    const bool is_type_error = PyErr_ExceptionMatches(PyExc_TypeError) != 0;
    PyErr_Clear();
    if (is_type_error) raise_type_error("path is %s; expected str, bytes or os.PathLike", repr_of(given).c_str());
    raise_invalid("path is %s; expected no NUL character", repr_of(given).c_str());
  }
  return py::reinterpret_steal<py::bytes>(bytes);
}

// Bytes, or a str in UTF-8; valid as long as the object.
std::string_view text_from(py::handle given, const char* name) {
  char* text = nullptr;
  Py_ssize_t length = 0;
  if (PyBytes_Check(given.ptr())) {
    PyBytes_AsStringAndSize(given.ptr(), &text, &length);
    return {text, static_cast<std::size_t>(length)};
  }
  if (!PyUnicode_Check(given.ptr())) raise_type_error("%s is %s; expected str or bytes", name, repr_of(given).c_str());
  const char* encoded = PyUnicode_AsUTF8AndSize(given.ptr(), &length);
  if (encoded == nullptr) throw py::error_already_set();  // a lone surrogate
  return {encoded, static_cast<std::size_t>(length)};
}

const char* fingerprint_from(py::handle given) {
  if (given.is_none()) return nullptr;
  if (!PyUnicode_Check(given.ptr()))
    raise_type_error("fingerprint is %s; expected str or None", repr_of(given).c_str());
  const std::string_view text = text_from(given, "fingerprint");
  if (text.find('\0') != std::string_view::npos)
    raise_invalid("fingerprint is %s; expected no NUL character", repr_of(given).c_str());
  return text.data();
}

py::tuple content_of(const tq_profile* profile) {
  py::list layers;
  for (std::uint32_t i = 0; i < tq_profile_layer_count(profile); ++i) {
    tq_layer_options layer;
    tq_layer_options_init(&layer, sizeof layer);
    call_library_holding_gil([&](tq_error* err) { return tq_profile_layer(profile, i, &layer, err); });
    layers.append(fields_of(layer));
  }
  return py::make_tuple(tq_profile_name(profile), tq_profile_fingerprint(profile), layers);
}

py::tuple load(py::handle path, py::handle fingerprint) {
  const std::string own_path = path_from(path);
  const char* wanted = fingerprint_from(fingerprint);
  tq_profile* profile = nullptr;
  call_library([&](tq_error* err) { return tq_profile_load(own_path.c_str(), wanted, &profile, err); });
  const std::unique_ptr<tq_profile, Destroy> owner(profile);
  return content_of(profile);
}

py::tuple parse(py::handle text, py::handle fingerprint) {
  const std::string_view own_text = text_from(text, "text");
  const char* wanted = fingerprint_from(fingerprint);
  tq_profile* profile = nullptr;
  call_library(
      [&](tq_error* err) { return tq_profile_parse(own_text.data(), own_text.size(), wanted, &profile, err); });
  const std::unique_ptr<tq_profile, Destroy> owner(profile);
  return content_of(profile);
}

}  // namespace

void register_profile(py::module_& module) {
  module.def("profile_load", &load, py::arg("path"), py::arg("fingerprint"), kLoad);
  module.def("profile_parse", &parse, py::arg("text"), py::arg("fingerprint"), kParse);
}

}  // namespace tqpy
