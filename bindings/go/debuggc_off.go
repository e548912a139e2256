//go:build cgo && !tqdebuggc

package turboquant

import "unsafe"

func debugCreated(unsafe.Pointer)   {}
func debugDestroyed(unsafe.Pointer) {}
func debugCollect(unsafe.Pointer)   {}
