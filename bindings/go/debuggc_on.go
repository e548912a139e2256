//go:build cgo && tqdebuggc

package turboquant

import (
	"fmt"
	"runtime"
	"sync"
	"time"
	"unsafe"
)

// With the build tag tqdebuggc every call collects garbage between fetching its C object and using it. A handle that
// is not kept alive until the end of the call is then destroyed under it, which panics here instead of corrupting
// memory some day.
var collected struct {
	sync.Mutex
	objects map[unsafe.Pointer]bool
}

func debugCreated(object unsafe.Pointer) { // the allocator may have used the address before
	collected.Lock()
	defer collected.Unlock()
	delete(collected.objects, object)
}

func debugDestroyed(object unsafe.Pointer) {
	collected.Lock()
	defer collected.Unlock()
	if collected.objects == nil {
		collected.objects = make(map[unsafe.Pointer]bool)
	}
	collected.objects[object] = true
}

func debugCollect(object unsafe.Pointer) {
	collectUntilCleaned()
	collected.Lock()
	defer collected.Unlock()
	if collected.objects[object] {
		panic(fmt.Sprintf("turboquant: %p was collected during a call: a KeepAlive is missing", object))
	}
}

// collectUntilCleaned collects garbage until the cleanup of a fresh, unreachable object has run.
func collectUntilCleaned() {
	done := make(chan struct{})
	addWitness(done)
	for {
		runtime.GC()
		select {
		case <-done:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

//go:noinline
func addWitness(done chan struct{}) {
	witness := new([64]byte)
	runtime.AddCleanup(witness, func(done chan struct{}) { close(done) }, done)
}
