/* With an unknown name in TQ_CPU_TARGET every *_create fails with TQ_ERR_UNSUPPORTED and says why. A program of its own,
 * because the target is chosen once, at the first call into the library. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <turboquant/turboquant.h>

static int failures = 0;

static void expect_unsupported(const char* call, tq_status status, const tq_error* err) {
  if (status == TQ_ERR_UNSUPPORTED && strstr(err->message, "TQ_CPU_TARGET") && strstr(err->message, "nonsense")) return;
  fprintf(stderr, "%s: %s, message: %s\n", call, tq_status_name(status), err->message);
  ++failures;
}

int main(void) {
  const char* target = getenv("TQ_CPU_TARGET");
  tq_error err;
  tq_codec_options codec_options;
  tq_codec* codec = NULL;
  tq_layer_options layer;
  tq_cache_options cache_options;
  tq_cache* cache = NULL;
  tq_pool* pool = NULL;

  if (!target || strcmp(target, "nonsense") != 0) {
    fprintf(stderr, "to be run with TQ_CPU_TARGET=nonsense\n");
    return 2;
  }
  if (!tq_cpu_target() || tq_version() != TQ_VERSION) return 3;

  tq_error_init(&err, sizeof err);
  tq_codec_options_init(&codec_options, sizeof codec_options);
  codec_options.head_dim = 64;
  expect_unsupported("tq_codec_create", tq_codec_create(&codec_options, &codec, &err), &err);

  tq_layer_options_init(&layer, sizeof layer);
  layer.kv_heads = 1;
  layer.key_dim = 64;
  tq_cache_options_init(&cache_options, sizeof cache_options);
  cache_options.layer_count = 1;
  cache_options.layers = &layer;
  expect_unsupported("tq_cache_create", tq_cache_create(&cache_options, &cache, &err), &err);

  expect_unsupported("tq_pool_create", tq_pool_create(2, &pool, &err), &err);
  if (codec || cache || pool) return 4;
  return failures;
}
