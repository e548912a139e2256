//go:build cgo

package turboquant

/*
#cgo pkg-config: libturboquant
#include "bridge.h"

// None of these keeps a pointer or calls back into Go, which saves allocations and time in every call.
#cgo noescape tq_fwht
#cgo nocallback tq_fwht
#cgo noescape tq_rotate
#cgo nocallback tq_rotate
#cgo noescape tq_unrotate
#cgo nocallback tq_unrotate
#cgo noescape tqgo_encode
#cgo nocallback tqgo_encode
#cgo noescape tqgo_decode
#cgo nocallback tqgo_decode
#cgo noescape tqgo_scores
#cgo nocallback tqgo_scores
#cgo noescape tqgo_append
#cgo nocallback tqgo_append
#cgo noescape tqgo_read
#cgo nocallback tqgo_read
#cgo noescape tqgo_attend_one
#cgo nocallback tqgo_attend_one
#cgo noescape tqgo_attend_many
#cgo nocallback tqgo_attend_many
#cgo noescape tq_sequence_create
#cgo nocallback tq_sequence_create
#cgo noescape tq_sequence_fork
#cgo nocallback tq_sequence_fork
#cgo noescape tq_sequence_truncate
#cgo nocallback tq_sequence_truncate
#cgo noescape tq_sequence_destroy
#cgo nocallback tq_sequence_destroy
#cgo noescape tq_sequence_length
#cgo nocallback tq_sequence_length
#cgo noescape tq_cache_stats
#cgo nocallback tq_cache_stats
#cgo noescape tq_cache_statistics_init
#cgo nocallback tq_cache_statistics_init
#cgo noescape tq_codec_vector_bytes
#cgo nocallback tq_codec_vector_bytes
#cgo noescape tq_codec_encoded_bytes
#cgo nocallback tq_codec_encoded_bytes
*/
import "C"

import (
	"fmt"
	"sync"
)

func init() { C.tqgo_init() }

// Version returns the version of the loaded library, such as "0.1.0".
func Version() string { return C.GoString(C.tq_version_string()) }

// VersionNumber returns the same as a number: major*10000 + minor*100 + patch.
func VersionNumber() int { return int(C.tq_version()) }

// requireCompatible refuses a loaded library that is not the one this package was built for: while the major version is
// 0, another minor version may have another ABI (docs/abi.md).
var requireCompatible = sync.OnceValue(func() error { return compatible(VersionNumber(), C.TQ_VERSION) })

func compatible(loaded, built int) error {
	series := func(version int) int {
		if version < 10000 {
			return version / 100
		}
		return version / 10000 * 100
	}
	if series(loaded) == series(built) {
		return nil
	}
	return &Error{Status: ErrUnsupported, Message: fmt.Sprintf("the loaded libturboquant is version number %d; this "+
		"program was built for %d", loaded, built)}
}

// CPUTarget names the instruction set in use: "baseline", "avx2", "avx512", "avx512_vnni", "avx512_amx" or "neon". The
// environment variable TQ_CPU_TARGET caps the choice; see tq_cpu_target in turboquant.h.
func CPUTarget() string { return C.GoString(C.tq_cpu_target()) }

// FWHT applies the orthonormal Walsh-Hadamard transform in place to each row of size floats in data: x <- H x /
// sqrt(size). It is its own inverse. size is a power of two from 1 to 1024, and len(data) a multiple of it.
// See tq_fwht in turboquant.h.
func FWHT(data []float32, size int) error {
	if size <= 0 || len(data)%size != 0 {
		return invalid("size is %d and data has %d elements; expected whole rows", size, len(data))
	}
	err := newError()
	return check(C.tq_fwht(floats(data), C.size_t(size), C.size_t(len(data)/size), &err), &err)
}
