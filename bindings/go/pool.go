//go:build cgo

package turboquant

// #include "bridge.h"
import "C"

import "unsafe"

// Pool is a set of threads of the library for Attend. Any number of goroutines may use it: one call at a time has the
// threads, others run on their own meanwhile.
type Pool struct{ handle *handle }

// NewPool starts a pool. threads, 1 to 1024, counts the caller, so 1 starts none. See tq_pool_create in turboquant.h.
func NewPool(threads int) (*Pool, error) {
	if err := requireCompatible(); err != nil {
		return nil, err
	}
	n, err := unsigned("threads", threads)
	if err != nil {
		return nil, err
	}
	var pool *C.tq_pool
	failure := newError()
	if err := check(C.tq_pool_create(n, &pool, &failure), &failure); err != nil {
		return nil, err
	}
	destroy := func(object unsafe.Pointer) { C.tq_pool_destroy((*C.tq_pool)(object)) }
	return &Pool{newHandle("pool", unsafe.Pointer(pool), destroy)}, nil
}

// Close ends the threads as soon as no call uses them any more. Closing twice, or a nil Pool, is a no-op.
func (p *Pool) Close() error {
	if p != nil {
		p.handle.close()
	}
	return nil
}
