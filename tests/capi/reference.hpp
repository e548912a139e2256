// The slow, obvious model that the library is measured against: rotation from its definition, and dense attention in
// double precision over given K/V rows, with the error that docs/numerics.md allows worked out for each answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tokens.hpp"
#include "turboquant/turboquant.h"

namespace tq_test::reference {

// sum_j (-1)^popcount(i & j) x[j] / sqrt(size), straight from the sign matrix.
std::vector<double> hadamard(const std::vector<double>& x);

// H S x / sqrt(n) with the signs of docs/format.md section 1; rotation_block 0 = the largest that divides x.size().
std::vector<double> rotate(const std::vector<double>& x, std::uint32_t rotation_block, std::uint64_t seed);

// What queries of one sequence attend to.
struct Context {
  tq_layer_options layer;
  Tokens rows;                  // cached rows as tq_cache_read returns them, then new tokens as given
  std::size_t coded_begin = 0;  // rows coded_begin .. coded_end - 1 lie in complete, coded blocks of 64
  std::size_t coded_end = 0;
};

struct Settings {
  std::uint32_t q_heads = 1;
  bool causal = true;
  float scale = 0.0f;
  float softcap = 0.0f;
  std::vector<float> sink_logits;  // empty or one per query head
};

// Rows are [query][q_head]. `allowed` bounds the L2 norm of an output row's error before it is rounded to the output
// type, `allowed_lse` the error of its log-sum-exp.
struct Answer {
  std::vector<double> output, log_sum_exp, allowed, allowed_lse;
};

// `queries` is contiguous [query][q_head][key_dim]; query i stands at position first_position + i, which is negative
// where there are more queries than tokens. A window limits the past, causality the future.
Answer attend(const Context& context, const Settings& settings, const std::vector<float>& queries,
              std::ptrdiff_t first_position);

// Only the output: softmax(query . K / sqrt(key_dim)) V of one query over all rows of a kv head. For long contexts.
std::vector<double> dense(const Tokens& tokens, std::size_t kv_head, const float* query);

}  // namespace tq_test::reference
