// DLPack: tensors of other libraries (PyTorch, JAX, ..) without depending on them. The structs are those of the DLPack
// ABI, major versions 0 and 1.
#pragma once

#include <cstdint>
#include <memory>

#include "errors.hpp"

namespace tqpy {

namespace dlpack {

enum DeviceType : std::int32_t { kCpu = 1, kCuda = 2, kCudaHost = 3, kRocmHost = 11 };
enum TypeCode : std::uint8_t { kInt = 0, kUInt = 1, kFloat = 2, kBfloat = 4 };

struct Device {
  std::int32_t type;
  std::int32_t id;
};

struct DataType {
  std::uint8_t code, bits;
  std::uint16_t lanes;
};

struct Tensor {
  void* data;
  Device device;
  std::int32_t ndim;
  DataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;  // in elements; NULL = contiguous
  std::uint64_t byte_offset;
};

struct Managed {  // capsule "dltensor"
  Tensor tensor;
  void* context;
  void (*deleter)(Managed* self);
};

struct Version {
  std::uint32_t major, minor;
};

struct ManagedVersioned {  // capsule "dltensor_versioned"
  Version version;
  void* context;
  void (*deleter)(ManagedVersioned* self);
  std::uint64_t flags;
  Tensor tensor;
};

inline constexpr std::uint64_t kReadOnly = 1;

}  // namespace dlpack

// A tensor we have taken over; gives it back when destroyed.
class DLPackTensor {
 public:
  DLPackTensor() = default;

  // Refuses tensors that are not in the CPU's memory with a TypeError that names the argument.
  static DLPackTensor take(py::handle object, const char* name);

  const dlpack::Tensor& tensor() const { return managed_ ? managed_->tensor : versioned_->tensor; }
  bool read_only() const { return versioned_ && (versioned_->flags & dlpack::kReadOnly) != 0; }

 private:
  struct Delete {
    template <class T>
    void operator()(T* managed) const {
      if (managed->deleter != nullptr) managed->deleter(managed);
    }
  };
  std::unique_ptr<dlpack::Managed, Delete> managed_;
  std::unique_ptr<dlpack::ManagedVersioned, Delete> versioned_;
};

bool has_dlpack(py::handle object);

}  // namespace tqpy
