// Which baselines go with which instruction set of the library.
#include <cstring>

#include "table.hpp"
#include "turboquant/turboquant.h"

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

Baselines chosen() {
#if defined(__x86_64__)
  const char* target = tq_cpu_target();
  if (std::strcmp(target, "avx2") == 0) return baselines_avx2();
  if (std::strcmp(target, "baseline") == 0) return baselines_baseline();
  Baselines result = std::strcmp(target, "avx512") == 0 ? baselines_avx512() : baselines_avx512_vnni();
  if (!__builtin_cpu_supports("avx512bf16")) return result;
  result.attention = baselines_avx512_bf16().attention;
#if defined(TQ_BENCH_AMX)
  // The library has seen that the CPU has bf16 tiles and that the system lets this process use them.
  if (std::strcmp(target, "avx512_amx") == 0) result.attention = baselines_avx512_amx().attention;
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
