/* What Go calls where it cannot call turboquant.h itself.
 *
 * Arguments of a cgo call are pinned by the call, pointers inside of structs are not: structs that hold pointers are
 * therefore put together here, from arguments and from structs without pointers. Elements travel as bytes, because
 * cgo searches memory behind a void* for Go pointers at every call. */
#ifndef TQGO_BRIDGE_H
#define TQGO_BRIDGE_H

#include <turboquant/turboquant.h>

/* The fields of tq_kv and tq_kv_out that are no pointers. */
typedef struct tqgo_kv {
  size_t count;
  size_t key_token_stride, key_head_stride, value_token_stride, value_head_stride;
  uint32_t dtype;
  uint32_t given; /* 0: there are no new tokens */
} tqgo_kv;

/* Those of tq_attend_options. */
typedef struct tqgo_attend_options {
  uint32_t layer, q_heads, query_dtype, output_dtype, causal;
  float scale, softcap;
} tqgo_attend_options;

/* Those of tq_attend_item. */
typedef struct tqgo_item {
  tq_sequence sequence;
  size_t n_query;
  size_t query_token_stride, query_head_stride, output_token_stride, output_head_stride;
  tqgo_kv new_tokens;
} tqgo_item;

/* Addresses of pinned memory, for calls with several items. */
typedef struct tqgo_addresses {
  uintptr_t query, output, log_sum_exp, keys, values;
} tqgo_addresses;

/* Fills the templates that the other functions copy: once, before any of them. */
void tqgo_init(void);

tq_status tqgo_encode(const tq_codec* codec, const uint8_t* vectors, uint32_t dtype, size_t stride, size_t count,
                      uint8_t* codes, size_t codes_size, tq_error* err);
tq_status tqgo_decode(const tq_codec* codec, const uint8_t* codes, size_t codes_size, size_t first, size_t count,
                      uint8_t* vectors, uint32_t dtype, size_t stride, tq_error* err);
tq_status tqgo_scores(const tq_codec* codec, const uint8_t* codes, size_t codes_size, size_t count,
                      const float* queries, size_t n_query, float* scores, tq_error* err);

tq_status tqgo_cache_create(uint32_t layer_count, const tq_layer_options* layers, uint32_t layers_given,
                            uint64_t byte_budget, tq_cache** out, tq_error* err);
tq_status tqgo_append(tq_cache* cache, tq_sequence sequence, uint32_t layer, const tqgo_kv* kv, const uint8_t* keys,
                      const uint8_t* values, tq_error* err);
tq_status tqgo_read(const tq_cache* cache, tq_sequence sequence, uint32_t layer, size_t first, const tqgo_kv* kv,
                    uint8_t* keys, uint8_t* values, tq_error* err);

tq_status tqgo_attend_one(const tq_cache* cache, const tqgo_attend_options* options, tq_pool* pool,
                          const float* sink_logits, const tqgo_item* item, const uint8_t* query, uint8_t* output,
                          float* log_sum_exp, const uint8_t* new_keys, const uint8_t* new_values, tq_error* err);

/* `scratch` has room for `count` items and as many tq_kv. */
enum { TQGO_SCRATCH_BYTES = sizeof(tq_attend_item) + sizeof(tq_kv) };
tq_status tqgo_attend_many(const tq_cache* cache, const tqgo_attend_options* options, tq_pool* pool,
                           const float* sink_logits, const tqgo_item* items, const tqgo_addresses* addresses,
                           size_t count, uint64_t* scratch, tq_error* err);

#endif
