// The kernels for x86-64 with AVX-512 VNNI and VBMI.
#include "../../simd/simd_avx512.hpp"
#include "../table-inl.hpp"

namespace tq {
extern const KernelTable tq_kernels_avx512_vnni;
constexpr KernelTable tq_kernels_avx512_vnni = kernel_table<Avx512Vnni>("avx512_vnni");
}  // namespace tq
