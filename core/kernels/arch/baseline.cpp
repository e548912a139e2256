// The kernels for any x86-64 CPU.
#include "../../simd/simd_sse2.hpp"
#include "../table-inl.hpp"

namespace tq {
extern const KernelTable tq_kernels_baseline;
constexpr KernelTable tq_kernels_baseline = kernel_table<Sse2>("baseline");
}  // namespace tq
