//go:build cgo

package turboquant

import (
	"runtime"
	"sync/atomic"
	"unsafe"
)

// handle owns an object of the C library. Calls borrow it with acquire and give it back with release; Close takes
// effect when the last call has given it back, so a Close in the middle of a call is harmless. If nobody calls Close,
// the garbage collector destroys the object some time after the handle has become unreachable.
type handle struct {
	name    string // for messages: "codec"
	object  unsafe.Pointer
	destroy func(unsafe.Pointer)
	users   atomic.Int64 // calls at work, plus the flags
	cleanup runtime.Cleanup
}

const (
	closing   = 1 << 62 // Close was called: no further calls
	destroyed = 1 << 61
)

func newHandle(name string, object unsafe.Pointer, destroy func(unsafe.Pointer)) *handle {
	h := &handle{name: name, object: object, destroy: destroy}
	h.cleanup = runtime.AddCleanup(h, func(object unsafe.Pointer) { debugDestroyed(object); destroy(object) }, object)
	debugCreated(object)
	return h
}

// acquire returns the C object, which stays alive until release. It is the only way to it.
func (h *handle) acquire() (unsafe.Pointer, error) {
	if h == nil {
		return nil, invalid("the receiver is nil or was not made by its New function")
	}
	if !h.enter() {
		return nil, closedError(h.name)
	}
	object := h.object
	debugCollect(object)
	return object, nil
}

// enter is acquire for cleanups, which must not wait for the garbage collector.
func (h *handle) enter() bool {
	if h.users.Add(1)&closing != 0 {
		h.release()
		return false
	}
	return true
}

// release ends a call. Whoever brings the users of a closed handle to zero destroys the object.
func (h *handle) release() {
	if h.users.Add(-1) == closing {
		h.destroyOnce()
	}
	runtime.KeepAlive(h)
}

// close ends the handle for new calls, and destroys the object if there are no old ones.
func (h *handle) close() {
	if h != nil {
		h.users.Or(closing)
		h.destroyOnce()
	}
}

// destroyOnce does nothing unless the handle is closed, without users, and not destroyed yet.
func (h *handle) destroyOnce() {
	if h.users.CompareAndSwap(closing, closing|destroyed) {
		h.cleanup.Stop()
		h.destroy(h.object)
	}
}
