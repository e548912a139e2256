#include "bridge.h"

/* The structs as their init functions leave them. Copying one costs less than a call; Attend would make four. */
static tq_kv empty_kv;
static tq_kv_out empty_kv_out;
static tq_attend_options default_attend_options;
static tq_attend_item empty_attend_item;

void tqgo_init(void) {
  tq_kv_init(&empty_kv, sizeof empty_kv);
  tq_kv_out_init(&empty_kv_out, sizeof empty_kv_out);
  tq_attend_options_init(&default_attend_options, sizeof default_attend_options);
  tq_attend_item_init(&empty_attend_item, sizeof empty_attend_item);
}

tq_status tqgo_encode(const tq_codec* codec, const uint8_t* vectors, uint32_t dtype, size_t stride, size_t count,
                      uint8_t* codes, size_t codes_size, tq_error* err) {
  return tq_encode(codec, vectors, dtype, stride, count, codes, codes_size, err);
}

tq_status tqgo_decode(const tq_codec* codec, const uint8_t* codes, size_t codes_size, size_t first, size_t count,
                      uint8_t* vectors, uint32_t dtype, size_t stride, tq_error* err) {
  return tq_decode(codec, codes, codes_size, first, count, vectors, dtype, stride, err);
}

tq_status tqgo_scores(const tq_codec* codec, const uint8_t* codes, size_t codes_size, size_t count,
                      const float* queries, size_t n_query, float* scores, tq_error* err) {
  return tq_scores(codec, codes, codes_size, count, queries, n_query, scores, err);
}

tq_status tqgo_cache_create(uint32_t layer_count, const tq_layer_options* layers, uint32_t layers_given,
                            uint64_t byte_budget, tq_cache** out, tq_error* err) {
  tq_cache_options options;
  tq_cache_options_init(&options, sizeof options);
  options.layer_count = layer_count;
  options.layers = layers;
  options.layers_given = layers_given;
  options.byte_budget = byte_budget;
  return tq_cache_create(&options, out, err);
}

static tq_kv kv_of(const tqgo_kv* given, const void* keys, const void* values) {
  tq_kv kv = empty_kv;
  kv.dtype = given->dtype;
  kv.count = given->count;
  kv.keys = keys;
  kv.values = values;
  kv.key_token_stride = given->key_token_stride;
  kv.key_head_stride = given->key_head_stride;
  kv.value_token_stride = given->value_token_stride;
  kv.value_head_stride = given->value_head_stride;
  return kv;
}

tq_status tqgo_append(tq_cache* cache, tq_sequence sequence, uint32_t layer, const tqgo_kv* kv, const uint8_t* keys,
                      const uint8_t* values, tq_error* err) {
  const tq_kv own = kv_of(kv, keys, values);
  return tq_cache_append(cache, sequence, layer, &own, err);
}

tq_status tqgo_read(const tq_cache* cache, tq_sequence sequence, uint32_t layer, size_t first, const tqgo_kv* kv,
                    uint8_t* keys, uint8_t* values, tq_error* err) {
  tq_kv_out out = empty_kv_out;
  out.dtype = kv->dtype;
  out.keys = keys;
  out.values = values;
  out.key_token_stride = kv->key_token_stride;
  out.key_head_stride = kv->key_head_stride;
  out.value_token_stride = kv->value_token_stride;
  out.value_head_stride = kv->value_head_stride;
  return tq_cache_read(cache, sequence, layer, first, kv->count, &out, err);
}

static tq_attend_options options_of(const tqgo_attend_options* given, tq_pool* pool, const float* sink_logits) {
  tq_attend_options options = default_attend_options;
  options.layer = given->layer;
  options.q_heads = given->q_heads;
  options.query_dtype = given->query_dtype;
  options.output_dtype = given->output_dtype;
  options.causal = given->causal;
  options.scale = given->scale;
  options.softcap = given->softcap;
  options.sink_logits = sink_logits;
  options.pool = pool;
  return options;
}

static tq_attend_item item_of(const tqgo_item* given, const void* query, void* output, float* log_sum_exp,
                              const tq_kv* new_tokens) {
  tq_attend_item item = empty_attend_item;
  item.sequence = given->sequence;
  item.n_query = given->n_query;
  item.query = query;
  item.output = output;
  item.log_sum_exp = log_sum_exp;
  item.new_tokens = given->new_tokens.given ? new_tokens : NULL;
  item.query_token_stride = given->query_token_stride;
  item.query_head_stride = given->query_head_stride;
  item.output_token_stride = given->output_token_stride;
  item.output_head_stride = given->output_head_stride;
  return item;
}

tq_status tqgo_attend_one(const tq_cache* cache, const tqgo_attend_options* options, tq_pool* pool,
                          const float* sink_logits, const tqgo_item* item, const uint8_t* query, uint8_t* output,
                          float* log_sum_exp, const uint8_t* new_keys, const uint8_t* new_values, tq_error* err) {
  const tq_attend_options own = options_of(options, pool, sink_logits);
  tq_kv new_tokens;
  if (item->new_tokens.given) new_tokens = kv_of(&item->new_tokens, new_keys, new_values);
  const tq_attend_item one = item_of(item, query, output, log_sum_exp, &new_tokens);
  return tq_attend(cache, &own, &one, 1, err);
}

tq_status tqgo_attend_many(const tq_cache* cache, const tqgo_attend_options* options, tq_pool* pool,
                           const float* sink_logits, const tqgo_item* items, const tqgo_addresses* addresses,
                           size_t count, uint64_t* scratch, tq_error* err) {
  const tq_attend_options own = options_of(options, pool, sink_logits);
  tq_attend_item* all = (tq_attend_item*)scratch;
  tq_kv* new_tokens = (tq_kv*)(all + count);
  for (size_t i = 0; i < count; ++i) {
    const tqgo_addresses* at = addresses + i;
    if (items[i].new_tokens.given)
      new_tokens[i] = kv_of(&items[i].new_tokens, (const void*)at->keys, (const void*)at->values);
    all[i] = item_of(items + i, (const void*)at->query, (void*)at->output, (float*)at->log_sum_exp, new_tokens + i);
  }
  return tq_attend(cache, &own, all, count, err);
}
