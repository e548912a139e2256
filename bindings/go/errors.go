//go:build cgo

package turboquant

// #include "bridge.h"
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// Status is the number of a tq_status. The constants below are errors, so that
//
//	errors.Is(err, turboquant.ErrBusy)
//
// tells what went wrong. Newer libraries may return numbers without a name here; they are kept as they are.
type Status int32

const (
	ErrInvalidArgument Status = C.TQ_ERR_INVALID_ARGUMENT // the message names the argument and its value
	ErrOutOfMemory     Status = C.TQ_ERR_OUT_OF_MEMORY    // memory or the byte budget; the cache is as it was
	ErrBufferTooSmall  Status = C.TQ_ERR_BUFFER_TOO_SMALL // the message says how many bytes are needed
	ErrCorruptData     Status = C.TQ_ERR_CORRUPT_DATA     // a file is damaged or impossible
	ErrUnsupported     Status = C.TQ_ERR_UNSUPPORTED      // something that this build of the library does not know
	ErrInternal        Status = C.TQ_ERR_INTERNAL         // a bug in libturboquant; please report the message
	ErrNotFound        Status = C.TQ_ERR_NOT_FOUND        // a sequence or a file that does not exist
	ErrBusy            Status = C.TQ_ERR_BUSY             // another goroutine is using the same sequence
)

// ErrClosed is what errors of calls on a closed Codec, Cache, Sequence or Pool match, beside ErrInvalidArgument.
var ErrClosed = errors.New("turboquant: used after Close")

// String returns the name of the C constant, such as "TQ_ERR_BUSY".
func (s Status) String() string {
	name := C.GoString(C.tq_status_name(C.tq_status(s)))
	if name == "unknown tq_status" {
		return fmt.Sprintf("%s %d", name, int32(s))
	}
	return name
}

// Error makes a Status an error that errors.Is can look for.
func (s Status) Error() string { return "turboquant: " + s.String() }

// Error is what failed calls return. A failed call has changed nothing.
type Error struct {
	Status  Status // never 0
	Message string // for people; names the argument and the value that was refused
	closed  bool
}

// Error returns the message and the name of the status.
func (e *Error) Error() string {
	return fmt.Sprintf("turboquant: %s (%s)", e.Message, e.Status.String())
}

// Is tells errors.Is that e matches its own Status and, if a handle was closed, ErrClosed.
func (e *Error) Is(target error) bool {
	return target == error(e.Status) || e.closed && target == ErrClosed
}

func invalid(format string, arguments ...any) error {
	return &Error{Status: ErrInvalidArgument, Message: fmt.Sprintf(format, arguments...)}
}

func closedError(name string) error {
	return &Error{Status: ErrInvalidArgument, Message: name + " is closed", closed: true}
}

func newError() C.tq_error {
	return C.tq_error{struct_size: C.sizeof_tq_error} // what tq_error_init does, without a call
}

// check turns the result of a C call into a Go error.
func check(status C.tq_status, err *C.tq_error) error {
	if status == C.TQ_OK {
		return nil
	}
	message := unsafe.Slice((*byte)(unsafe.Pointer(&err.message[0])), len(err.message))
	length := 0
	for length < len(message) && message[length] != 0 {
		length++
	}
	return &Error{Status: Status(status), Message: string(message[:length])}
}
