#include "dlpack.hpp"

#include <string>

#include "arguments.hpp"

namespace tqpy {
namespace {

// Memory that the CPU reads and writes like its own.
bool in_cpu_memory(std::int32_t device) {
  return device == dlpack::kCpu || device == dlpack::kCudaHost || device == dlpack::kRocmHost;
}

void check_device(py::handle object, const char* name) {
  const py::tuple device = object.attr("__dlpack_device__")();
  const auto type = device[0].cast<std::int32_t>();
  if (in_cpu_memory(type)) return;
  const std::string place = py::str(py::getattr(object, "device", py::str("another device"))).cast<std::string>();
  raise_type_error("%s is on %.40s (DLPack device type %d); expected an array in the memory of the CPU", name,
                   place.c_str(), type);
}

// Asks for a versioned tensor, which says whether it is read-only; older producers do not know the argument.
py::object capsule_of(py::handle object, const char* name) {
  static const auto* max_version = new py::dict(py::arg("max_version") = py::make_tuple(1, 0));
  const py::object method = object.attr("__dlpack__");
  try {
    try {
      return method(***max_version);
    } catch (py::error_already_set& error) {
      if (!error.matches(PyExc_TypeError)) throw;
      return method();
    }
  } catch (py::error_already_set& error) {
    py::raise_from(error, PyExc_TypeError, (std::string(name) + " cannot be read through DLPack").c_str());
    throw py::error_already_set();
  }
}

}  // namespace

bool has_dlpack(py::handle object) {
  static const auto* attribute = new py::str("__dlpack__");
  return py::hasattr(py::type::handle_of(object), *attribute);
}

DLPackTensor DLPackTensor::take(py::handle object, const char* name) {
  check_device(object, name);
  const py::object capsule = capsule_of(object, name);
  DLPackTensor result;
  if (PyCapsule_IsValid(capsule.ptr(), "dltensor_versioned")) {
    auto* versioned = static_cast<dlpack::ManagedVersioned*>(PyCapsule_GetPointer(capsule.ptr(), "dltensor_versioned"));
    if (versioned->version.major > 1)
      raise_type_error("%s is a DLPack tensor of version %u; expected 1 or older", name, versioned->version.major);
    PyCapsule_SetName(capsule.ptr(), "used_dltensor_versioned");
    result.versioned_.reset(versioned);
  } else if (PyCapsule_IsValid(capsule.ptr(), "dltensor")) {
    auto* managed = static_cast<dlpack::Managed*>(PyCapsule_GetPointer(capsule.ptr(), "dltensor"));
    PyCapsule_SetName(capsule.ptr(), "used_dltensor");
    result.managed_.reset(managed);
  } else {
    raise_type_error("%s: __dlpack__ returned %s, which is no DLPack capsule", name, repr_of(capsule).c_str());
  }
  if (!in_cpu_memory(result.tensor().device.type))
    raise_type_error("%s: DLPack device type %d; expected an array in the memory of the CPU", name,
                     result.tensor().device.type);
  return result;
}

}  // namespace tqpy
