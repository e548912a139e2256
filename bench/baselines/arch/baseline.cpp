#include "../table-inl.hpp"

namespace bench {
Baselines baselines_baseline() { return all_baselines("baseline"); }
}  // namespace bench
