/* The memory layout and the numbers of the C ABI, written down a second time: a change in the header that would break
 * programs built earlier does not compile here. New fields and enumerators are added to both (check_abi.py finds
 * forgotten ones); existing lines never change within one SOVERSION. 64-bit Linux (LP64): x86-64 and aarch64. */
#include <stddef.h>

#include "turboquant/turboquant.h"

#define SIZE(type, bytes) _Static_assert(sizeof(type) == (bytes), #type " has changed its size")
#define AT(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field " has moved")
#define VALUE(name, number) _Static_assert((name) == (number), #name " has changed its value")

SIZE(void*, 8);
SIZE(size_t, 8);
SIZE(tq_status, 4);
SIZE(tq_dtype, 4);
SIZE(tq_format, 4);
SIZE(tq_sequence, 8);

SIZE(tq_error, 256);
AT(tq_error, struct_size, 0);
AT(tq_error, status, 4);
AT(tq_error, message, 8);

SIZE(tq_allocator, 24);
AT(tq_allocator, allocate, 0);
AT(tq_allocator, release, 8);
AT(tq_allocator, user, 16);

SIZE(tq_codec_options, 64);
AT(tq_codec_options, struct_size, 0);
AT(tq_codec_options, head_dim, 4);
AT(tq_codec_options, format, 8);
AT(tq_codec_options, group_size, 12);
AT(tq_codec_options, rotation_block, 16);
AT(tq_codec_options, scale_search, 20);
AT(tq_codec_options, layout, 24);
AT(tq_codec_options, reserved, 28);
AT(tq_codec_options, seed, 32);
AT(tq_codec_options, allocator, 40);

SIZE(tq_layer_options, 72);
AT(tq_layer_options, struct_size, 0);
AT(tq_layer_options, kv_heads, 4);
AT(tq_layer_options, key_dim, 8);
AT(tq_layer_options, value_dim, 12);
AT(tq_layer_options, key_format, 16);
AT(tq_layer_options, value_format, 20);
AT(tq_layer_options, key_group_size, 24);
AT(tq_layer_options, value_group_size, 28);
AT(tq_layer_options, key_rotation_block, 32);
AT(tq_layer_options, value_rotation_block, 36);
AT(tq_layer_options, center_keys, 40);
AT(tq_layer_options, scale_search, 44);
AT(tq_layer_options, sink_tokens, 48);
AT(tq_layer_options, recent_blocks, 52);
AT(tq_layer_options, exact_dtype, 56);
AT(tq_layer_options, window, 60);
AT(tq_layer_options, seed, 64);

SIZE(tq_cache_options, 56);
AT(tq_cache_options, struct_size, 0);
AT(tq_cache_options, layer_count, 4);
AT(tq_cache_options, layers, 8);
AT(tq_cache_options, layers_given, 16);
AT(tq_cache_options, reserved, 20);
AT(tq_cache_options, byte_budget, 24);
AT(tq_cache_options, allocator, 32);

SIZE(tq_kv, 64);
AT(tq_kv, struct_size, 0);
AT(tq_kv, dtype, 4);
AT(tq_kv, count, 8);
AT(tq_kv, keys, 16);
AT(tq_kv, values, 24);
AT(tq_kv, key_token_stride, 32);
AT(tq_kv, key_head_stride, 40);
AT(tq_kv, value_token_stride, 48);
AT(tq_kv, value_head_stride, 56);

SIZE(tq_kv_out, 56);
AT(tq_kv_out, struct_size, 0);
AT(tq_kv_out, dtype, 4);
AT(tq_kv_out, keys, 8);
AT(tq_kv_out, values, 16);
AT(tq_kv_out, key_token_stride, 24);
AT(tq_kv_out, key_head_stride, 32);
AT(tq_kv_out, value_token_stride, 40);
AT(tq_kv_out, value_head_stride, 48);

SIZE(tq_cache_statistics, 184);
AT(tq_cache_statistics, struct_size, 0);
AT(tq_cache_statistics, sequences, 4);
AT(tq_cache_statistics, tokens, 8);
AT(tq_cache_statistics, coded_tokens, 16);
AT(tq_cache_statistics, bytes, 24);
AT(tq_cache_statistics, peak_bytes, 32);
AT(tq_cache_statistics, budget_bytes, 40);
AT(tq_cache_statistics, code_bytes, 48);
AT(tq_cache_statistics, scale_bytes, 56);
AT(tq_cache_statistics, mean_bytes, 64);
AT(tq_cache_statistics, exact_bytes, 72);
AT(tq_cache_statistics, overhead_bytes, 80);
AT(tq_cache_statistics, coded_bytes, 88);
AT(tq_cache_statistics, bytes_16bit, 96);
AT(tq_cache_statistics, coded_bytes_16bit, 104);
AT(tq_cache_statistics, ratio, 112);
AT(tq_cache_statistics, ratio_coded, 120);
AT(tq_cache_statistics, append_calls, 128);
AT(tq_cache_statistics, append_ns, 136);
AT(tq_cache_statistics, append_bytes, 144);
AT(tq_cache_statistics, attend_calls, 152);
AT(tq_cache_statistics, attend_ns, 160);
AT(tq_cache_statistics, attend_bytes, 168);
AT(tq_cache_statistics, merge_ns, 176);

SIZE(tq_attend_options, 64);
AT(tq_attend_options, struct_size, 0);
AT(tq_attend_options, layer, 4);
AT(tq_attend_options, q_heads, 8);
AT(tq_attend_options, query_dtype, 12);
AT(tq_attend_options, output_dtype, 16);
AT(tq_attend_options, causal, 20);
AT(tq_attend_options, scale, 24);
AT(tq_attend_options, softcap, 28);
AT(tq_attend_options, sink_logits, 32);
AT(tq_attend_options, pool, 40);
AT(tq_attend_options, parallel_for, 48);
AT(tq_attend_options, parallel_user, 56);

SIZE(tq_attend_item, 88);
AT(tq_attend_item, struct_size, 0);
AT(tq_attend_item, reserved, 4);
AT(tq_attend_item, sequence, 8);
AT(tq_attend_item, n_query, 16);
AT(tq_attend_item, query, 24);
AT(tq_attend_item, output, 32);
AT(tq_attend_item, log_sum_exp, 40);
AT(tq_attend_item, new_tokens, 48);
AT(tq_attend_item, query_token_stride, 56);
AT(tq_attend_item, query_head_stride, 64);
AT(tq_attend_item, output_token_stride, 72);
AT(tq_attend_item, output_head_stride, 80);

VALUE(TQ_OK, 0);
VALUE(TQ_ERR_INVALID_ARGUMENT, 1);
VALUE(TQ_ERR_OUT_OF_MEMORY, 2);
VALUE(TQ_ERR_BUFFER_TOO_SMALL, 3);
VALUE(TQ_ERR_CORRUPT_DATA, 4);
VALUE(TQ_ERR_UNSUPPORTED, 5);
VALUE(TQ_ERR_INTERNAL, 6);
VALUE(TQ_ERR_NOT_FOUND, 7);
VALUE(TQ_ERR_BUSY, 8);

VALUE(TQ_DTYPE_AUTO, 0);
VALUE(TQ_F32, 1);
VALUE(TQ_F16, 2);
VALUE(TQ_BF16, 3);

VALUE(TQ_FORMAT_TQ4, 1);
VALUE(TQ_FORMAT_TQ8, 2);
VALUE(TQ_FORMAT_F16, 3);
VALUE(TQ_FORMAT_BF16, 4);

VALUE(TQ_LAYOUT_VECTORS, 0);
VALUE(TQ_LAYOUT_BLOCKS, 1);

VALUE(TQ_MAX_HEAD_DIM, 1024);
VALUE(TQ_BLOCK_TOKENS, 64);
VALUE(TQ_MAX_PROFILE_BYTES, 1048576);
