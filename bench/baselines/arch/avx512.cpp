#include "../table-inl.hpp"

namespace bench {
Baselines baselines_avx512() { return all_baselines("avx512"); }
}  // namespace bench
