//go:build cgo

package turboquant

// #include "bridge.h"
import "C"

import (
	"fmt"
	"sync"
	"unsafe"
)

// AttendOptions are tq_attend_options. Zero values are the library's defaults; QHeads is required. Element types are
// those of the Buffers.
type AttendOptions struct {
	Layer      int
	QHeads     int       // a multiple of the layer's kv heads; query head h reads kv head h / (QHeads / KVHeads)
	NonCausal  bool      // a query also sees the tokens after it
	Scale      float32   // of q . k; 0: 1 / sqrt(key dim)
	Softcap    float32   // c > 0: logits become c tanh(logit / c); 0: off
	SinkLogits []float32 // per query head an extra logit that joins the softmax and has no value; nil: none
	Pool       *Pool     // nil: only the calling goroutine's thread
}

// AttendItem is one sequence's part of an Attend call. Element (query i, query head h, coordinate j) is at
// i*QueryTokenStride + h*QueryHeadStride + j; strides that are both 0 mean contiguous [query][query head][dim], and
// then the Buffer has exactly that many elements.
//
// Without NewTokens the queries belong to the last NQuery tokens appended, and each sees the keys up to its own. With
// NewTokens they belong to NQuery tokens that are not appended yet: query i sees all cached tokens and new tokens 0 to
// i, these at the precision given. That is the choice for prefill and speculative decoding, and the more accurate one.
type AttendItem struct {
	Sequence          *Sequence
	NQuery            int
	Query             Buffer
	Output            Buffer    // [NQuery][QHeads][value dim]; a query that sees nothing gets zeros
	LogSumExp         []float32 // [NQuery][QHeads], natural logarithm, sink logits included; or nil
	NewTokens         *KV
	QueryTokenStride  int
	QueryHeadStride   int
	OutputTokenStride int
	OutputHeadStride  int
}

// Attend computes softmax(q K^T) V of one layer for a batch of sequences of this cache. It does not change the cache;
// outputs are written for all items or, on an error found while checking, for none. NaN or infinity in a query gives
// NaN in its output; in NewTokens it is refused. See tq_attend in turboquant.h.
//
// The fastest batches have their queries, outputs and so on in one slice each, cut into items.
func (c *Cache) Attend(options AttendOptions, items ...AttendItem) error {
	cache, err := c.acquire()
	if err != nil {
		return err
	}
	defer c.handle.release()
	call := attendCall{cache: cache, sinks: options.SinkLogits}
	if err := call.setOptions(c, &options); err != nil {
		return err
	}
	if options.Pool == nil {
		return call.lockAndRun(c, items)
	}
	return call.withPool(c, options.Pool, items)
}

// Attend is Cache.Attend for this sequence alone. The item's Sequence need not be set.
func (s *Sequence) Attend(options AttendOptions, item AttendItem) error {
	if s == nil || s.cache == nil {
		return invalid("sequence is nil or was not made by NewSequence")
	}
	if item.Sequence != nil && item.Sequence != s {
		return invalid("the item's Sequence is another one")
	}
	item.Sequence = s
	return s.cache.Attend(options, item)
}

func (call *attendCall) withPool(c *Cache, p *Pool, items []AttendItem) error {
	pool, err := p.handle.acquire()
	if err != nil {
		return err
	}
	defer p.handle.release()
	call.pool = (*C.tq_pool)(pool)
	return call.lockAndRun(c, items)
}

func (call *attendCall) lockAndRun(c *Cache, items []AttendItem) error {
	locked, err := c.lockAll(items)
	if err == nil && len(items) == 1 {
		err = call.one(&items[0])
	} else if err == nil {
		err = call.many(items)
	}
	unlockAll(items[:locked])
	return err
}

// lockAll locks every item's sequence for reading and returns how many it has locked.
func (c *Cache) lockAll(items []AttendItem) (int, error) {
	for i := range items {
		s := items[i].Sequence
		if s != nil && s.cache != nil && s.cache != c {
			return i, invalid("items[%d]: the sequence belongs to another cache", i)
		}
		if err := s.lockRead(); err != nil {
			failure := err.(*Error)
			return i, &Error{failure.Status, fmt.Sprintf("items[%d]: %s", i, failure.Message), failure.closed}
		}
	}
	return len(items), nil
}

func unlockAll(items []AttendItem) {
	for i := range items {
		items[i].Sequence.lock.RUnlock()
	}
}

// attendCall is a call as C wants it, but for the pointers into Go memory.
type attendCall struct {
	cache   *C.tq_cache
	pool    *C.tq_pool
	sinks   []float32
	shape   shape
	qHeads  int
	options C.tqgo_attend_options
}

func (call *attendCall) setOptions(c *Cache, o *AttendOptions) error {
	shape, err := c.shape(o.Layer)
	if err != nil {
		return err
	}
	qHeads, err := unsigned("q_heads", o.QHeads)
	if err != nil {
		return err
	}
	if o.SinkLogits != nil && len(o.SinkLogits) != o.QHeads {
		return invalid("SinkLogits has %d elements; expected one per query head, %d", len(o.SinkLogits), o.QHeads)
	}
	call.shape, call.qHeads = shape, o.QHeads
	call.options = C.tqgo_attend_options{
		layer:        C.uint32_t(o.Layer),
		q_heads:      qHeads,
		query_dtype:  C.TQ_F32,
		output_dtype: C.TQ_F32,
		causal:       flag(!o.NonCausal),
		scale:        C.float(o.Scale),
		softcap:      C.float(o.Softcap),
	}
	return nil
}

// setTypes takes the element types of the first item.
func (call *attendCall) setTypes(item *AttendItem) {
	call.options.query_dtype = C.uint32_t(item.Query.dtype)
	call.options.output_dtype = C.uint32_t(item.Output.dtype)
}

// convert checks one item and writes what is no pointer in it to c.
func (call *attendCall) convert(item *AttendItem, c *C.tqgo_item) error {
	query := tensor{name: "Query", count: item.NQuery, heads: call.qHeads, dim: call.shape.keyDim,
		tokenStride: item.QueryTokenStride, headStride: item.QueryHeadStride}
	if err := item.Query.holds(query); err != nil {
		return err
	}
	output := tensor{name: "Output", count: item.NQuery, heads: call.qHeads, dim: call.shape.valueDim,
		tokenStride: item.OutputTokenStride, headStride: item.OutputHeadStride}
	if err := item.Output.holds(output); err != nil {
		return err
	}
	if n, ok := product(item.NQuery, call.qHeads, 1); item.LogSumExp != nil && (!ok || n != len(item.LogSumExp)) {
		return invalid("LogSumExp has %d elements; expected [%d][%d]", len(item.LogSumExp), item.NQuery, call.qHeads)
	}
	if query, output := call.options.query_dtype, call.options.output_dtype; query != C.uint32_t(item.Query.dtype) ||
		output != C.uint32_t(item.Output.dtype) {
		return invalid("Query is %v and Output is %v, but those of items[0] are %v and %v", item.Query.dtype,
			item.Output.dtype, DType(query), DType(output))
	}
	c.sequence = item.Sequence.id
	c.n_query = C.size_t(item.NQuery)
	c.query_token_stride = C.size_t(item.QueryTokenStride)
	c.query_head_stride = C.size_t(item.QueryHeadStride)
	c.output_token_stride = C.size_t(item.OutputTokenStride)
	c.output_head_stride = C.size_t(item.OutputHeadStride)
	c.new_tokens.given = 0
	if item.NewTokens == nil {
		return nil
	}
	if err := item.NewTokens.checkBoth(call.shape); err != nil {
		return err
	}
	item.NewTokens.convert(&c.new_tokens)
	return nil
}

// one needs no memory but the stack: the pointers of a single item are arguments.
func (call *attendCall) one(item *AttendItem) error {
	call.setTypes(item)
	var fields C.tqgo_item
	if err := call.convert(item, &fields); err != nil {
		return err
	}
	var keys, values *C.uint8_t
	if item.NewTokens != nil {
		keys, values = item.NewTokens.Keys.bytes(), item.NewTokens.Values.bytes()
	}
	failure := newError()
	status := C.tqgo_attend_one(call.cache, &call.options, call.pool, floats(call.sinks), &fields, item.Query.bytes(),
		item.Output.bytes(), floats(item.LogSumExp), keys, values, &failure)
	return check(status, &failure)
}

// batch is what a call with several items needs beside the stack; used again and again.
type batch struct {
	items     []C.tqgo_item
	addresses []C.tqgo_addresses
	scratch   []C.uint64_t
	pins      pins
}

var batches = sync.Pool{New: func() any { return new(batch) }}

func (call *attendCall) many(items []AttendItem) error {
	if len(items) != 0 {
		call.setTypes(&items[0])
	}
	b := batches.Get().(*batch)
	defer batches.Put(b)
	defer b.pins.unpin()
	b.items, b.addresses = b.items[:0], b.addresses[:0]
	for i := range items {
		b.items = append(b.items, C.tqgo_item{})
		if err := call.convert(&items[i], &b.items[i]); err != nil {
			return invalid("items[%d]: %s", i, err.(*Error).Message)
		}
		b.addresses = append(b.addresses, b.pins.pin(&items[i]))
	}
	if words := len(items) * C.TQGO_SCRATCH_BYTES / 8; len(b.scratch) < words {
		b.scratch = make([]C.uint64_t, words)
	}
	failure := newError()
	status := C.tqgo_attend_many(call.cache, &call.options, call.pool, floats(call.sinks), unsafe.SliceData(b.items),
		unsafe.SliceData(b.addresses), C.size_t(len(items)), unsafe.SliceData(b.scratch), &failure)
	return check(status, &failure)
}
