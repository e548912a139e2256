//go:build cgo

package turboquant

// #include "bridge.h"
import "C"

import (
	"math"
	"math/bits"
)

// The library cannot see how long a slice is. What follows makes sure that every element it will touch is there, and
// that a number which does not fit into its C type is an error instead of another number.

// unsigned converts a size; at most 2^32 - 1.
func unsigned(name string, value int) (C.uint32_t, error) {
	if value < 0 || uint64(value) > math.MaxUint32 {
		return 0, invalid("%s is %d; expected 0 to %d", name, value, uint32(math.MaxUint32))
	}
	return C.uint32_t(value), nil
}

// tensor is [count][heads][dim] numbers among len. Strides count elements; both 0 stand for contiguous rows.
type tensor struct {
	name                    string
	len                     int
	count, heads, dim       int
	tokenStride, headStride int
}

// check accepts exactly the elements of a contiguous tensor, and at least those that strides reach.
func (t *tensor) check() error {
	if t.count < 0 {
		return invalid("%s: count is %d; expected 0 or more", t.name, t.count)
	}
	if t.tokenStride == 0 && t.headStride == 0 {
		if needed, ok := product(t.count, t.heads, t.dim); !ok || needed != t.len {
			return invalid("%s has %d elements; expected [%d][%d][%d]", t.name, t.len, t.count, t.heads, t.dim)
		}
		return nil
	}
	return t.checkStrides()
}

func (t *tensor) checkStrides() error {
	if t.tokenStride < t.dim || t.headStride < t.dim {
		return invalid("%s: token stride %d and head stride %d; expected both 0, or both at least the head size %d",
			t.name, t.tokenStride, t.headStride, t.dim)
	}
	if t.count == 0 || t.heads == 0 {
		return nil
	}
	tokens, ok1 := product(t.count-1, t.tokenStride, 1)
	heads, ok2 := product(t.heads-1, t.headStride, 1)
	if !ok1 || !ok2 || tokens > t.len || heads > t.len || t.dim > t.len-tokens-heads {
		return invalid("%s has %d elements, but strides %d and %d reach beyond them at %d tokens of %d heads",
			t.name, t.len, t.tokenStride, t.headStride, t.count, t.heads)
	}
	return nil
}

// product multiplies numbers that are not negative; false if the result does not fit.
func product(a, b, c int) (int, bool) {
	high1, low := bits.Mul64(uint64(a), uint64(b))
	high2, low := bits.Mul64(low, uint64(c))
	return int(low), high1|high2 == 0 && low <= math.MaxInt
}
