#include "cases/cases.hpp"

namespace bench {

std::vector<Case> all_cases(const Scope& scope) {
  std::vector<Case> cases;
  add_attend_cases(scope, cases);
  return cases;
}

}  // namespace bench
