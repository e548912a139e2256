// The kernels for AArch64.
#include "../../simd/simd_neon.hpp"
#include "../table-inl.hpp"

namespace tq {
extern const KernelTable tq_kernels_neon;
constexpr KernelTable tq_kernels_neon = kernel_table<Neon>("neon");
}  // namespace tq
