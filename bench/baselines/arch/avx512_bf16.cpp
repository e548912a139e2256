#include "../table-inl.hpp"

namespace bench {
Baselines baselines_avx512_bf16() { return all_baselines("avx512_bf16"); }
}  // namespace bench
