// Attention of the queries of one sequence over its segments and over tokens that are not appended yet. Online softmax
// in base 2; coded values are summed in the rotated domain and rotated back once at the end. Knows nothing about who
// owns the memory.
#pragma once

#include "../codec/tokens.hpp"

namespace tq {

struct AttendOptions {
  std::size_t q_heads = 0;
  bool causal = true;
  float scale = 0;
  float softcap = 0;                   // 0: off
  const float* sink_logits = nullptr;  // per query head
  bool far = false;                    // what is cached has to be expected in memory, not in a processor's cache
};

// Rows of queries or outputs, [token][head][dim], strides in elements.
struct HeadRows {
  void* data;
  Element element;
  std::size_t token_stride, head_stride;

  void* at(std::size_t token, std::size_t head) const {
    return static_cast<char*>(data) + (token * token_stride + head * head_stride) * element_bytes(element);
  }
};

// One item of a batch.
struct AttendJob {
  const Layer* layer;
  Element element;          // of exact tokens
  const Segment* segments;  // what is cached and can be seen by some query, in order
  std::size_t segment_count;
  const TokenSource* fresh;  // new tokens, or NULL
  std::size_t fresh_position;
  std::size_t n_query;
  std::size_t first_position;  // of query 0
  HeadRows query, output;
  float* log_sum_exp;  // [n_query][q_heads] or NULL
  std::size_t ranges;  // attend_ranges
  std::size_t heads;   // kv heads that a task takes through the context together, 1 .. attend_heads
  float* partials;     // attend_scratch floats if there are several ranges
};

// Work is cut into tiles of one kv head and as many query rows (a row is a query of one query head) as kernels like to
// share, and each tile into ranges of the context. A task is a range of one tile, or of those of `heads` kv heads,
// which makes no difference to the result. Where ranges > 1, attend_tiles merge tasks follow when all tasks are done.

std::size_t attend_tiles(const AttendOptions& options, const AttendJob& job);
std::size_t attend_ranges(const AttendOptions& options, const AttendJob& job);
// How many kv heads had better share a task as far as memory is concerned: 1 if it makes no difference.
std::size_t attend_heads(const AttendOptions& options, const AttendJob& job);
std::size_t attend_tasks(const AttendOptions& options, const AttendJob& job);
std::size_t attend_scratch(const AttendOptions& options, const AttendJob& job);
void run_attend_task(const Allocator& allocator, const AttendOptions& options, const AttendJob& job, std::size_t task);
void run_merge_task(const Allocator& allocator, const AttendOptions& options, const AttendJob& job, std::size_t tile);

}  // namespace tq
