//go:build cgo

package turboquant

// #include "bridge.h"
import "C"

// KV are keys and values of Count tokens: what Append stores, and where Read writes. Element (token t, kv head h,
// coordinate j) of the keys is at t*KeyTokenStride + h*KeyHeadStride + j; strides that are both 0 mean contiguous
// [token][kv head][dim], and then the Buffer has exactly that many elements. Both Buffers have the same DType.
type KV struct {
	Count            int
	Keys             Buffer // after RoPE
	Values           Buffer
	KeyTokenStride   int
	KeyHeadStride    int
	ValueTokenStride int
	ValueHeadStride  int
}

// checkBoth accepts keys and values that fit a layer.
func (kv *KV) checkBoth(layer shape) error {
	if err := kv.checkKeys(layer); err != nil {
		return err
	}
	if err := kv.checkValues(layer); err != nil {
		return err
	}
	return kv.checkTypes()
}

// checkPresent is checkBoth for Read, where the zero Buffer means: not wanted.
func (kv *KV) checkPresent(layer shape) error {
	switch absent := (Buffer{}); {
	case kv.Keys == absent && kv.Values == absent:
		return invalid("Keys and Values are both absent: nothing to read")
	case kv.Keys == absent:
		return kv.checkValues(layer)
	case kv.Values == absent:
		return kv.checkKeys(layer)
	}
	return kv.checkBoth(layer)
}

func (kv *KV) checkKeys(layer shape) error {
	return kv.Keys.holds(tensor{name: "keys", count: kv.Count, heads: layer.kvHeads, dim: layer.keyDim,
		tokenStride: kv.KeyTokenStride, headStride: kv.KeyHeadStride})
}

func (kv *KV) checkValues(layer shape) error {
	return kv.Values.holds(tensor{name: "values", count: kv.Count, heads: layer.kvHeads, dim: layer.valueDim,
		tokenStride: kv.ValueTokenStride, headStride: kv.ValueHeadStride})
}

func (kv *KV) checkTypes() error {
	if kv.Keys.dtype != kv.Values.dtype {
		return invalid("keys are %v, but values are %v; expected one type", kv.Keys.dtype, kv.Values.dtype)
	}
	return nil
}

// convert writes the fields of the C struct that are no pointers, after a check.
func (kv *KV) convert(c *C.tqgo_kv) {
	c.count = C.size_t(kv.Count)
	c.key_token_stride = C.size_t(kv.KeyTokenStride)
	c.key_head_stride = C.size_t(kv.KeyHeadStride)
	c.value_token_stride = C.size_t(kv.ValueTokenStride)
	c.value_head_stride = C.size_t(kv.ValueHeadStride)
	c.dtype = C.uint32_t(max(kv.Keys.dtype, kv.Values.dtype)) // an absent one is 0
	c.given = 1
}
