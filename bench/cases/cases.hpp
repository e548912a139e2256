// All cases, by file. Every contender is checked against the others before it is timed.
#pragma once

#include <cstddef>
#include <vector>

#include "harness/case.hpp"

namespace bench {

struct Scope {
  bool quick = false;  // only head_dim 128 and the sizes that decisions hang on
};

void add_fwht_cases(const Scope& scope, std::vector<Case>& cases);
void add_vector_codec_cases(const Scope& scope, std::vector<Case>& cases);
void add_cache_codec_cases(const Scope& scope, std::vector<Case>& cases);
void add_scores_cases(const Scope& scope, std::vector<Case>& cases);
void add_attend_cases(const Scope& scope, std::vector<Case>& cases);
void add_batch_cases(const Scope& scope, std::vector<Case>& cases);
void add_prefill_cases(const Scope& scope, std::vector<Case>& cases);

std::vector<Case> all_cases(const Scope& scope);

}  // namespace bench
