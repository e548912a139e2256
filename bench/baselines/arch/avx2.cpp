#include "../table-inl.hpp"

namespace bench {
Baselines baselines_avx2() { return all_baselines("avx2"); }
}  // namespace bench
