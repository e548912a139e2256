/* A C99 program, linked with the shared library and nothing else, that uses every function of turboquant.h once as a
 * caller would. What the functions compute is tested elsewhere; this shows that C can call them. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <turboquant/turboquant.h>

enum { kDim = 64, kHeads = 2, kQueryHeads = 4, kTokens = 150, kRow = kHeads * kDim };

static int failures = 0;

#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition)) {                                                        \
      fprintf(stderr, "%s:%d: %s is false\n", __FILE__, __LINE__, #condition); \
      ++failures;                                                              \
    }                                                                          \
  } while (0)

#define CHECK_OK(call, err)                                                                                      \
  do {                                                                                                           \
    const tq_status status_ = (call);                                                                            \
    if (status_ != TQ_OK) {                                                                                      \
      fprintf(stderr, "%s:%d: %s: %s: %s\n", __FILE__, __LINE__, #call, tq_status_name(status_), (err).message); \
      ++failures;                                                                                                \
    }                                                                                                            \
  } while (0)

/* Numbers between -1 and 1 that look random. */
static void fill(float* values, size_t count, uint32_t seed) {
  size_t i;
  for (i = 0; i < count; ++i) {
    seed = seed * 1664525u + 1013904223u;
    values[i] = (float)(seed >> 8) / 8388608.0f - 1.0f;
  }
}

static double relative_error(const float* a, const float* b, size_t count) {
  double error = 0, energy = 0;
  size_t i;
  for (i = 0; i < count; ++i) {
    error += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    energy += (double)b[i] * b[i];
  }
  return error / energy;
}

static void* count_allocate(void* user, size_t size, size_t alignment) {
  void* pointer;
  size_t rounded = (size + alignment - 1) / alignment * alignment;
  /* C99 has no aligned_alloc: keep the pointer that malloc gave in front of the block. */
  char* base = malloc(rounded + alignment + sizeof(void*));
  if (!base) return NULL;
  pointer = (void*)(((uintptr_t)base + sizeof(void*) + alignment - 1) / alignment * alignment);
  memcpy((char*)pointer - sizeof(void*), &base, sizeof base);
  ++*(long*)user;
  return pointer;
}

static void count_release(void* user, void* pointer, size_t size) {
  char* base;
  (void)size;
  memcpy(&base, (char*)pointer - sizeof(void*), sizeof base);
  free(base);
  --*(long*)user;
}

static void run_in_order(void* user, size_t count, void (*task)(void* context, size_t index), void* context) {
  size_t i;
  ++*(int*)user;
  for (i = 0; i < count; ++i) task(context, i);
}

static void use_library(void) {
  tq_error err;
  tq_error_init(&err, sizeof err);
  CHECK(err.struct_size == sizeof err && err.status == TQ_OK && err.message[0] == '\0');
  CHECK(tq_version() == TQ_VERSION);
  CHECK(tq_version_string()[0] != '\0');
  CHECK(strcmp(tq_status_name(TQ_ERR_BUSY), "TQ_ERR_BUSY") == 0);
  CHECK(tq_cpu_target()[0] != '\0');
  CHECK(tq_fwht(NULL, 3, 1, &err) == TQ_ERR_INVALID_ARGUMENT);
  CHECK(err.status == TQ_ERR_INVALID_ARGUMENT && strstr(err.message, "size") != NULL);
}

static void use_transform(void) {
  float x[4] = {1, 2, 3, 4};
  CHECK(tq_fwht(x, 4, 1, NULL) == TQ_OK);
  CHECK(x[0] == 5 && x[1] == -1 && x[2] == -2 && x[3] == 0);
}

static void use_codec(void) {
  static float vectors[kTokens * kDim], decoded[kTokens * kDim], scores[kTokens];
  float dot = 0;
  size_t size, i;
  long living = 0;
  unsigned char* codes;
  tq_codec* codec = NULL;
  tq_codec_options options;
  tq_error err;
  tq_error_init(&err, sizeof err);
  tq_codec_options_init(&options, sizeof options);
  options.head_dim = kDim;
  options.layout = TQ_LAYOUT_BLOCKS;
  options.allocator.allocate = count_allocate;
  options.allocator.release = count_release;
  options.allocator.user = &living;
  CHECK_OK(tq_codec_create(&options, &codec, &err), err);
  CHECK(living > 0);
  CHECK(tq_codec_vector_bytes(codec) > kDim / 2);
  size = tq_codec_encoded_bytes(codec, kTokens);
  CHECK(size >= kTokens * kDim / 2);
  codes = malloc(size);
  fill(vectors, kTokens * kDim, 1);
  CHECK_OK(tq_encode(codec, vectors, TQ_F32, 0, kTokens, codes, size, &err), err);
  CHECK_OK(tq_decode(codec, codes, size, 0, kTokens, decoded, TQ_F32, 0, &err), err);
  CHECK(relative_error(decoded, vectors, kTokens * kDim) < 0.01);
  CHECK_OK(tq_scores(codec, codes, size, kTokens, vectors, 1, scores, &err), err);
  for (i = 0; i < kDim; ++i) dot += vectors[i] * decoded[i];
  CHECK(fabs((double)(scores[0] - dot)) < 0.1);
  memcpy(decoded, vectors, sizeof vectors);
  CHECK_OK(tq_rotate(codec, decoded, kTokens, &err), err);
  CHECK(relative_error(decoded, vectors, kTokens * kDim) > 0.5);
  CHECK_OK(tq_unrotate(codec, decoded, kTokens, &err), err);
  CHECK(relative_error(decoded, vectors, kTokens * kDim) < 1e-10);
  tq_codec_destroy(codec);
  CHECK(living == 0);
  free(codes);
}

/* keys and values of kTokens tokens in one sequence of a new cache */
static tq_cache* filled_cache(const float* keys, const float* values, tq_sequence* sequence) {
  tq_cache* cache = NULL;
  tq_cache_options options;
  tq_layer_options layer;
  tq_kv kv;
  tq_error err;
  tq_error_init(&err, sizeof err);
  tq_layer_options_init(&layer, sizeof layer);
  layer.kv_heads = kHeads;
  layer.key_dim = kDim;
  tq_cache_options_init(&options, sizeof options);
  options.layer_count = 1;
  options.layers = &layer;
  CHECK_OK(tq_cache_create(&options, &cache, &err), err);
  CHECK_OK(tq_sequence_create(cache, sequence, &err), err);
  tq_kv_init(&kv, sizeof kv);
  kv.dtype = TQ_F32;
  kv.count = kTokens;
  kv.keys = keys;
  kv.values = values;
  CHECK_OK(tq_cache_append(cache, *sequence, 0, &kv, &err), err);
  return cache;
}

static void use_cache(void) {
  static float keys[kTokens * kRow], values[kTokens * kRow], read[kTokens * kRow];
  tq_sequence sequence = 0, fork = 0;
  size_t length = 0;
  tq_cache* cache;
  tq_kv_out out;
  tq_cache_statistics stats;
  tq_error err;
  tq_error_init(&err, sizeof err);
  fill(keys, kTokens * kRow, 2);
  fill(values, kTokens * kRow, 3);
  cache = filled_cache(keys, values, &sequence);

  tq_kv_out_init(&out, sizeof out);
  out.dtype = TQ_F32;
  out.values = read;
  CHECK_OK(tq_cache_read(cache, sequence, 0, 0, kTokens, &out, &err), err);
  CHECK(relative_error(read, values, kTokens * kRow) < 0.01);

  CHECK_OK(tq_sequence_fork(cache, sequence, &fork, &err), err);
  CHECK_OK(tq_sequence_truncate(cache, fork, 10, &err), err);
  CHECK_OK(tq_sequence_length(cache, fork, 0, &length, &err), err);
  CHECK(length == 10);
  CHECK_OK(tq_sequence_length(cache, sequence, 0, &length, &err), err);
  CHECK(length == kTokens);
  CHECK_OK(tq_sequence_destroy(cache, fork, &err), err);
  CHECK(tq_sequence_destroy(cache, fork, &err) == TQ_ERR_NOT_FOUND);

  tq_cache_statistics_init(&stats, sizeof stats);
  CHECK_OK(tq_cache_stats(cache, &stats, &err), err);
  CHECK(stats.sequences == 1 && stats.tokens == kTokens && stats.bytes > 0);
  tq_cache_destroy(cache);
}

static void use_attention(void) {
  static float keys[kTokens * kRow], values[kTokens * kRow];
  float query[kQueryHeads * kDim], output[kQueryHeads * kDim], again[kQueryHeads * kDim], lse[kQueryHeads];
  int calls = 0;
  tq_sequence sequence = 0;
  tq_pool* pool = NULL;
  tq_cache* cache;
  tq_attend_options options;
  tq_attend_item item;
  tq_error err;
  tq_error_init(&err, sizeof err);
  fill(keys, kTokens * kRow, 4);
  fill(values, kTokens * kRow, 5);
  fill(query, kQueryHeads * kDim, 6);
  cache = filled_cache(keys, values, &sequence);

  tq_attend_options_init(&options, sizeof options);
  options.q_heads = kQueryHeads;
  tq_attend_item_init(&item, sizeof item);
  item.sequence = sequence;
  item.n_query = 1;
  item.query = query;
  item.output = output;
  item.log_sum_exp = lse;
  CHECK_OK(tq_pool_create(2, &pool, &err), err);
  options.pool = pool;
  CHECK_OK(tq_attend(cache, &options, &item, 1, &err), err);
  CHECK(lse[0] > log((double)kTokens) - 1 && lse[0] < log((double)kTokens) + 1);

  options.pool = NULL;
  options.parallel_for = run_in_order;
  options.parallel_user = &calls;
  item.output = again;
  CHECK_OK(tq_attend(cache, &options, &item, 1, &err), err);
  CHECK(calls == 1);
  CHECK(relative_error(again, output, kQueryHeads * kDim) < 1e-8);
  tq_pool_destroy(pool);
  tq_cache_destroy(cache);
}

static void use_profile(void) {
  static const char text[] =
      "{\"format\": \"libturboquant-profile\", \"version\": 1,"
      " \"model\": {\"name\": \"tiny\", \"fingerprint\": \"f\", \"layer_count\": 2},"
      " \"defaults\": {\"kv_heads\": 2, \"key_dim\": 64}, \"layers\": [{\"layer\": 1, \"key_format\": \"tq8\"}]}";
  tq_profile* profile = NULL;
  tq_cache* cache = NULL;
  tq_layer_options layer;
  tq_cache_options options;
  tq_error err;
  tq_error_init(&err, sizeof err);
  CHECK(tq_profile_load("no such folder/profile.json", NULL, &profile, &err) == TQ_ERR_NOT_FOUND);
  CHECK(strstr(err.message, "profile.json") != NULL);
  CHECK_OK(tq_profile_parse(text, sizeof text - 1, "f", &profile, &err), err);
  CHECK(strcmp(tq_profile_name(profile), "tiny") == 0 && strcmp(tq_profile_fingerprint(profile), "f") == 0);
  CHECK(tq_profile_layer_count(profile) == 2);
  tq_layer_options_init(&layer, sizeof layer);
  CHECK_OK(tq_profile_layer(profile, 1, &layer, &err), err);
  CHECK(layer.key_dim == 64 && layer.key_format == TQ_FORMAT_TQ8 && layer.value_format == TQ_FORMAT_TQ4);
  tq_cache_options_init(&options, sizeof options);
  CHECK_OK(tq_profile_cache_options(profile, &options, &err), err);
  CHECK_OK(tq_cache_create(&options, &cache, &err), err);
  tq_cache_destroy(cache);
  tq_profile_destroy(profile);
}

int main(void) {
  use_library();
  use_transform();
  use_codec();
  use_cache();
  use_attention();
  use_profile();
  if (failures != 0) fprintf(stderr, "%d checks failed\n", failures);
  return failures != 0;
}
