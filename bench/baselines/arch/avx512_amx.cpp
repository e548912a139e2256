#define TQ_BENCH_TILES  // the compilers' own names for this differ
#include "../table-inl.hpp"

namespace bench {
Baselines baselines_avx512_amx() { return all_baselines("avx512_amx"); }
}  // namespace bench
