// The extension module libturboquant._core.
#include "handles.hpp"

namespace tqpy {
namespace {

constexpr const char* kVersion = R"(version()
--

Version of the native library, such as "0.1.0".)";

constexpr const char* kVersionNumber = R"(version_number()
--

Version of the native library as one number: major * 10000 + minor * 100 + patch.)";

constexpr const char* kCpuTarget = R"(cpu_target()
--

The instruction set in use: "baseline" (SSE2), "avx2", "avx512", "avx512_vnni", "avx512_amx" or "neon".

Chosen once, at the first call into the library, as the best this CPU has. The environment variable ``TQ_CPU_TARGET``
caps it; an unknown name there makes every constructor raise `Unsupported`.)";

constexpr const char* kStatusName = R"(status_name(status)
--

Name of a tq_status, such as "TQ_ERR_BUSY"; "unknown tq_status" for other numbers.)";

}  // namespace
}  // namespace tqpy

// NOLINTNEXTLINE: the macro's own code
PYBIND11_MODULE(_core, module) {
  namespace py = pybind11;
  using namespace tqpy;
  py::options options;
  options.disable_function_signatures();  // every docstring starts with its own, which inspect.signature understands
  module.doc() = "The C ABI of libturboquant. Use the names of the package libturboquant instead.";
  module.def("version", &tq_version_string, kVersion);
  module.def("version_number", &tq_version, kVersionNumber);
  module.def("cpu_target", &tq_cpu_target, kCpuTarget);
  module.def("status_name", &tq_status_name, py::arg("status"), kStatusName);
  register_transform(module);
  register_codec(module);
  register_cache(module);
  register_pool(module);
  register_profile(module);
  register_sequence(module);
  register_attend(module);
  register_timing(module);
}
