#include "../table-inl.hpp"

namespace bench {
Baselines baselines_avx512_vnni() { return all_baselines("avx512_vnni"); }
}  // namespace bench
