// All cases, by file. Every contender is checked against the others before it is timed.
#pragma once

#include <cstddef>
#include <vector>

#include "harness/case.hpp"

namespace bench {

struct Scope {
  bool quick = false;  // only head_dim 128 and the sizes that decisions hang on
};

void add_attend_cases(const Scope& scope, std::vector<Case>& cases);

std::vector<Case> all_cases(const Scope& scope);

}  // namespace bench
