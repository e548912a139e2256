// Which baselines go with which instruction set of the library.
#include <cstring>

#include "table.hpp"
#include "turboquant/turboquant.h"

#if defined(TQ_BENCH_AMX)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace bench {

#if defined(__x86_64__)
Baselines baselines_baseline();
Baselines baselines_avx2();
Baselines baselines_avx512();
Baselines baselines_avx512_vnni();
Baselines baselines_avx512_bf16();
#if defined(TQ_BENCH_AMX)
Baselines baselines_avx512_amx();
#endif
#else
Baselines baselines_neon();
#endif

namespace {

#if defined(TQ_BENCH_AMX)
// The CPU must have bf16 tiles, and Linux must let this process use them: they are large, so it wants to be asked.
bool has_bf16_tiles() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  constexpr unsigned kAmxBf16 = 1u << 22, kAmxTile = 1u << 24;
  if ((edx & kAmxBf16) == 0 || (edx & kAmxTile) == 0) return false;
  constexpr long kRequestPermission = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
#endif

Baselines chosen() {
#if defined(__x86_64__)
  const char* target = tq_cpu_target();
  if (std::strcmp(target, "avx2") == 0) return baselines_avx2();
  if (std::strcmp(target, "baseline") == 0) return baselines_baseline();
  Baselines result = std::strcmp(target, "avx512") == 0 ? baselines_avx512() : baselines_avx512_vnni();
  if (!__builtin_cpu_supports("avx512bf16")) return result;
  result.attention = baselines_avx512_bf16().attention;
#if defined(TQ_BENCH_AMX)
  if (std::strcmp(target, "avx512_amx") == 0 && has_bf16_tiles()) result.attention = baselines_avx512_amx().attention;
#endif
  return result;
#else
  return baselines_neon();
#endif
}

}  // namespace

const Baselines& baselines() {
  static const Baselines table = chosen();
  return table;
}

}  // namespace bench
