//go:build cgo

package turboquant

// #include "bridge.h"
import "C"

import (
	"runtime"
)

// pins keeps the memory of a batch in place while C has its addresses. Pinning costs about 100 ns, and pinning an
// object again costs more; so a Buffer that lies in the slice pinned last for the same purpose is not pinned again.
type pins struct {
	pinner                           runtime.Pinner
	query, output, lse, keys, values pinned
}

// pinned is the memory of a slice: one object, pinned as a whole.
type pinned struct{ first, end uintptr }

func (p *pins) pin(item *AttendItem) C.tqgo_addresses {
	lse := Float32(item.LogSumExp)
	at := C.tqgo_addresses{
		query:       p.query.pin(&p.pinner, &item.Query),
		output:      p.output.pin(&p.pinner, &item.Output),
		log_sum_exp: p.lse.pin(&p.pinner, &lse),
	}
	if item.NewTokens != nil {
		at.keys = p.keys.pin(&p.pinner, &item.NewTokens.Keys)
		at.values = p.values.pin(&p.pinner, &item.NewTokens.Values)
	}
	return at
}

func (m *pinned) pin(pinner *runtime.Pinner, b *Buffer) C.uintptr_t {
	if b.cap == 0 {
		return C.uintptr_t(uintptr(b.data)) // points to no element
	}
	first := uintptr(b.data)
	if end := first + uintptr(b.cap)*b.element; first < m.first || end > m.end {
		pinner.Pin(b.data)
		*m = pinned{first, end}
	}
	return C.uintptr_t(first)
}

func (p *pins) unpin() {
	p.pinner.Unpin()
	p.query, p.output, p.lse, p.keys, p.values = pinned{}, pinned{}, pinned{}, pinned{}, pinned{}
}
