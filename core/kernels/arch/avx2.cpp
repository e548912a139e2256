// The kernels for x86-64 with AVX2, FMA and F16C.
#include "../../simd/simd_avx2.hpp"
#include "../table-inl.hpp"

namespace tq {
extern const KernelTable tq_kernels_avx2;
constexpr KernelTable tq_kernels_avx2 = kernel_table<Avx2>("avx2");
}  // namespace tq
