// One tq_attend call of a test: random queries for some sequences, and the comparison with dense attention.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "handles.hpp"
#include "model.hpp"
#include "reference.hpp"

namespace tq_test {

// How a call is made; all fields change the call, only `settings` and `new_tokens` change the answer.
struct CallStyle {
  reference::Settings settings;
  bool new_tokens = false;
  tq_dtype query_dtype = TQ_F32, output_dtype = TQ_F32, kv_dtype = TQ_F32;
  bool strided = false;
  Layout new_layout = Layout::kContiguous;
  bool log_sum_exp = true;
  tq_pool* pool = nullptr;
  tq_parallel_for parallel_for = nullptr;
  void* parallel_user = nullptr;
};

tq_attend_options attend_options(const reference::Settings& settings, std::uint32_t layer = 0);

// One item with all of its memory.
class AttendItem {
 public:
  // `query_sigma` sets how sharp the softmax is: logits of Gaussian keys have this standard deviation.
  AttendItem(Random& random, const Shape& shape, const CallStyle& style, tq_sequence sequence, std::size_t n_query,
             float query_sigma = 1.0f);

  // Compares the answer with dense attention. `context` is what the cache held at the call.
  testing::AssertionResult agrees(reference::Context context) const;

  std::vector<float> output() const;  // [query][q_head][value_dim]
  const std::vector<float>& log_sum_exp() const { return log_sum_exp_; }
  const std::vector<float>& query() const { return query_rows_; }
  const Tokens& new_tokens() const { return new_tokens_; }
  tq_attend_item item() const;

 private:
  testing::AssertionResult row_agrees(std::size_t row, const std::vector<float>& actual,
                                      const reference::Answer& expected) const;
  std::size_t row_stride(std::size_t dim) const { return style_.strided ? dim + 3 : dim; }
  std::size_t token_stride(std::size_t dim) const {
    return style_.settings.q_heads * row_stride(dim) + (style_.strided ? 7 : 0);
  }

  Shape shape_;
  CallStyle style_;
  tq_sequence sequence_;
  std::size_t n_query_;
  std::vector<float> query_rows_;
  Elements query_;
  mutable Elements output_;
  mutable std::vector<float> log_sum_exp_;
  Tokens new_tokens_;
  mutable KvInput new_input_;
};

// Two bodies for tq_attend_options.parallel_for: in the wrong order, and on four threads of the caller.
void run_backwards(void* user, std::size_t count, void (*task)(void*, std::size_t), void* context);
void run_on_threads(void* user, std::size_t count, void (*task)(void*, std::size_t), void* context);

// Calls tq_attend on all items at once and expects success.
void attend(const Cache& cache, const CallStyle& style, const std::vector<AttendItem>& items, std::uint32_t layer = 0);

// The same for one new token of one sequence, without anything else: query [q_head][key_dim], returns [q_head][value_dim].
std::vector<float> attend_one(const Cache& cache, tq_sequence sequence, std::uint32_t q_heads,
                              const std::vector<float>& query);

// Moves a key along a query, so that its logit rises by so much.
void raise_logit(float* key, const float* query, std::size_t dim, float by);

// The error of an output row relative to dense attention on these rows.
double error_beside_dense(const Tokens& rows, std::size_t kv_head, const float* query, const float* output);

}  // namespace tq_test
