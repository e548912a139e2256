// Attention of many query rows for x86-64 with AMX, which has everything that AVX-512 VNNI and VBMI need; all else is
// as for these.
#include "../../simd/simd_amx.hpp"
#include "../many_rows-inl.hpp"

namespace tq {
extern const SharedKernels tq_kernels_avx512_amx;
constexpr SharedKernels tq_kernels_avx512_amx = shared_kernels<Avx512Amx>();
}  // namespace tq
