//go:build cgo

// Package cloop makes the same calls as the benchmarks of the package turboquant, from a loop in C: the baseline that
// the overhead of a call from Go is measured against.
package cloop

/*
#cgo pkg-config: libturboquant
#include <stdlib.h>
#include <string.h>
#include <turboquant/turboquant.h>

typedef struct loop {
  tq_cache* cache;
  tq_sequence sequence;
  tq_attend_options attend;
  tq_attend_item item;
  tq_kv kv;
  float* memory;
} loop;

static void loop_free(loop* l) {
  if (l == NULL) return;
  tq_cache_destroy(l->cache);
  free(l->memory);
  free(l);
}

// One layer of kv_heads heads; as many query heads; `length` tokens; blocks of `count` tokens to append.
static loop* loop_new(uint32_t kv_heads, uint32_t dim, size_t length, size_t count) {
  const size_t row = (size_t)kv_heads * dim;
  loop* l = (loop*)calloc(1, sizeof(loop));
  if (l == NULL) return NULL;
  const size_t most = (length > count ? length : count) * row;
  l->memory = (float*)calloc(most + 2 * row, sizeof(float));
  tq_layer_options layer;
  tq_layer_options_init(&layer, sizeof(layer));
  layer.kv_heads = kv_heads, layer.key_dim = dim;
  tq_cache_options options;
  tq_cache_options_init(&options, sizeof(options));
  options.layer_count = 1, options.layers = &layer;
  if (l->memory == NULL || tq_cache_create(&options, &l->cache, NULL)) goto failed;
  if (tq_sequence_create(l->cache, &l->sequence, NULL)) goto failed;
  for (size_t i = 0; i < most + row; ++i) l->memory[i] = (float)(i % 251) / 125 - 1;
  tq_kv_init(&l->kv, sizeof(l->kv));
  l->kv.dtype = TQ_F32, l->kv.keys = l->kv.values = l->memory;
  l->kv.count = length;
  if (tq_cache_append(l->cache, l->sequence, 0, &l->kv, NULL)) goto failed;
  l->kv.count = count;
  tq_attend_options_init(&l->attend, sizeof(l->attend));
  l->attend.q_heads = kv_heads;
  tq_attend_item_init(&l->item, sizeof(l->item));
  l->item.sequence = l->sequence, l->item.n_query = 1;
  l->item.query = l->memory + most, l->item.output = l->memory + most + row;
  return l;
failed:
  loop_free(l);
  return NULL;
}

static tq_status loop_attend(loop* l, size_t times) {
  tq_error err;
  tq_error_init(&err, sizeof(err));
  tq_status status = TQ_OK;
  for (size_t i = 0; i < times && status == TQ_OK; ++i)
    status = tq_attend(l->cache, &l->attend, &l->item, 1, &err);
  return status;
}

static tq_status loop_append(loop* l, size_t times) {
  tq_error err;
  tq_error_init(&err, sizeof(err));
  tq_status status = TQ_OK;
  for (size_t i = 0; i < times && status == TQ_OK; ++i)
    status = tq_cache_append(l->cache, l->sequence, 0, &l->kv, &err);
  return status;
}

static tq_status loop_truncate(loop* l, size_t length) {
  return tq_sequence_truncate(l->cache, l->sequence, length, NULL);
}
*/
import "C"

import "fmt"

// Loop is a cache of one layer with one sequence, owned by C.
type Loop struct {
	c      *C.loop
	length int
}

// New makes a layer of heads kv heads and as many query heads, and a sequence of length tokens. Append appends count.
func New(heads, dim, length, count int) (*Loop, error) {
	c := C.loop_new(C.uint32_t(heads), C.uint32_t(dim), C.size_t(length), C.size_t(count))
	if c == nil {
		return nil, fmt.Errorf("cloop: cannot make %d tokens of %d heads of %d", length, heads, dim)
	}
	return &Loop{c, length}, nil
}

// Close frees everything.
func (l *Loop) Close() { C.loop_free(l.c) }

// Attend calls tq_attend a number of times, with one query.
func (l *Loop) Attend(times int) error { return check(C.loop_attend(l.c, C.size_t(times))) }

// Append calls tq_cache_append a number of times.
func (l *Loop) Append(times int) error { return check(C.loop_append(l.c, C.size_t(times))) }

// Truncate takes back what Append has appended.
func (l *Loop) Truncate() error { return check(C.loop_truncate(l.c, C.size_t(l.length))) }

func check(status C.tq_status) error {
	if status != C.TQ_OK {
		return fmt.Errorf("cloop: %s", C.GoString(C.tq_status_name(status)))
	}
	return nil
}
