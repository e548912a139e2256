// The kernels for x86-64 with AVX-512 F, BW, DQ, VL and CD.
#include "../../simd/simd_avx512.hpp"
#include "../table-inl.hpp"

namespace tq {
extern const KernelTable tq_kernels_avx512;
constexpr KernelTable tq_kernels_avx512 = kernel_table<Avx512>("avx512");
}  // namespace tq
