// Picks the kernels once: those of the best target that the CPU has and TQ_CPU_TARGET allows.
#include <cstdlib>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "kernel_table.hpp"

namespace tq {

#if defined(TQ_HAVE_BASELINE)
extern const KernelTable tq_kernels_baseline;
#endif
#if defined(TQ_HAVE_AVX2)
extern const KernelTable tq_kernels_avx2;
#endif
#if defined(TQ_HAVE_AVX512)
extern const KernelTable tq_kernels_avx512;
#endif
#if defined(TQ_HAVE_AVX512_VNNI)
extern const KernelTable tq_kernels_avx512_vnni;
#endif
#if defined(TQ_HAVE_AVX512_AMX)
extern const SharedKernels tq_kernels_avx512_amx;
#endif
#if defined(TQ_HAVE_NEON)
extern const KernelTable tq_kernels_neon;
#endif

namespace {

struct Target {
  const char* name;
  const KernelTable* table;     // NULL: known, but not in this build
  const SharedKernels* shared;  // in place of the table's; or NULL
  bool (*available)();
};

bool always() { return true; }

#if defined(__x86_64__)

#if defined(TQ_HAVE_AVX2)
#define TQ_TABLE_AVX2 &tq_kernels_avx2
#else
#define TQ_TABLE_AVX2 nullptr
#endif
#if defined(TQ_HAVE_AVX512)
#define TQ_TABLE_AVX512 &tq_kernels_avx512
#else
#define TQ_TABLE_AVX512 nullptr
#endif
#if defined(TQ_HAVE_AVX512_VNNI)
#define TQ_TABLE_AVX512_VNNI &tq_kernels_avx512_vnni
#else
#define TQ_TABLE_AVX512_VNNI nullptr
#endif

#if defined(TQ_HAVE_AVX512_AMX)
#define TQ_SHARED_AVX512_AMX &tq_kernels_avx512_amx
#define TQ_TABLE_AVX512_AMX TQ_TABLE_AVX512_VNNI
#else
#define TQ_SHARED_AVX512_AMX nullptr
#define TQ_TABLE_AVX512_AMX nullptr
#endif

bool has_f16c() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

// __builtin_cpu_supports also checks that the operating system saves the registers.
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c(); }
bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd");
}
bool has_avx512_vnni() {
  return has_avx512() && __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vbmi") &&
         __builtin_cpu_supports("avx512ifma");  // newer xsimd releases compile VBMI only together with IFMA
}

// Linux gives a process tile registers only if it asks for them.
bool may_use_tiles() {
#if defined(__linux__)
  constexpr long kRequest = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
#else
  return false;
#endif
}
bool has_avx512_amx() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  constexpr unsigned kBf16 = 1u << 22, kTile = 1u << 24;
  return has_avx512_vnni() && __builtin_cpu_supports("avx512bf16") && __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 &&
         (d & kTile) != 0 && (d & kBf16) != 0 && may_use_tiles();
}

// Worst first.
struct Targets {
  Target list[5] = {{"baseline", &tq_kernels_baseline, nullptr, &always},
                    {"avx2", TQ_TABLE_AVX2, nullptr, &has_avx2},
                    {"avx512", TQ_TABLE_AVX512, nullptr, &has_avx512},
                    {"avx512_vnni", TQ_TABLE_AVX512_VNNI, nullptr, &has_avx512_vnni},
                    {"avx512_amx", TQ_TABLE_AVX512_AMX, TQ_SHARED_AVX512_AMX, &has_avx512_amx}};
};

#elif defined(__aarch64__)

struct Targets {
  Target list[1] = {{"neon", &tq_kernels_neon, nullptr, &always}};
};

#else
#error "libturboquant has kernels for x86-64 and AArch64 only"
#endif

struct Choice {
  KernelTable table;
  const char* unknown = nullptr;

  Choice() {
    const Targets targets;
    const char* cap = std::getenv("TQ_CPU_TARGET");
    if (cap != nullptr && *cap == '\0') cap = nullptr;
    bool found = false;
    for (const Target& target : targets.list) {
      if (target.table != nullptr && target.available()) use(target);
      found = cap != nullptr && std::strcmp(cap, target.name) == 0;
      if (found) break;
    }
    // "baseline" means the least of any architecture.
    if (cap != nullptr && std::strcmp(cap, "baseline") == 0) {
      use(targets.list[0]);
      found = true;
    }
    if (cap != nullptr && !found) unknown = cap;
  }

 private:
  void use(const Target& target) {
    table = *target.table;
    if (target.shared == nullptr) return;
    static_cast<SharedKernels&>(table) = *target.shared;
    table.name = target.name;
  }
};

const Choice& choice() noexcept {
  static const Choice made;
  return made;
}

}  // namespace

const KernelTable& kernels() noexcept { return choice().table; }

bool unknown_cpu_target(const char** value) noexcept {
  *value = choice().unknown;
  return *value != nullptr;
}

}  // namespace tq
