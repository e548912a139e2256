#include "cases/cases.hpp"

namespace bench {

std::vector<Case> all_cases(const Scope& scope) {
  std::vector<Case> cases;
  add_fwht_cases(scope, cases);
  add_vector_codec_cases(scope, cases);
  add_cache_codec_cases(scope, cases);
  add_scores_cases(scope, cases);
  add_attend_cases(scope, cases);
  add_batch_cases(scope, cases);
  add_prefill_cases(scope, cases);
  return cases;
}

}  // namespace bench
