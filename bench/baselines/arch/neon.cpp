#include "../table-inl.hpp"

namespace bench {
Baselines baselines_neon() { return all_baselines("neon"); }
}  // namespace bench
