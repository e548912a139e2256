//go:build cgo

package turboquant

// #include "bridge.h"
import "C"

import (
	"fmt"
	"unsafe"
)

// DType is the element type of a Buffer.
type DType uint32

const (
	DTypeAuto DType = C.TQ_DTYPE_AUTO // only for LayerOptions.ExactDType
	F32       DType = C.TQ_F32
	F16       DType = C.TQ_F16
	BF16      DType = C.TQ_BF16
)

// String returns "f32", "f16", "bf16" or "auto".
func (d DType) String() string {
	switch d {
	case DTypeAuto:
		return "auto"
	case F32:
		return "f32"
	case F16:
		return "f16"
	case BF16:
		return "bf16"
	}
	return fmt.Sprintf("DType(%d)", uint32(d))
}

// Buffer is a slice of numbers together with their type. It refers to the slice's memory and copies nothing: what is
// read into a Buffer is found in the slice. The zero value stands for no memory at all.
type Buffer struct {
	data    unsafe.Pointer
	len     int // in elements
	cap     int
	dtype   DType
	element uintptr // bytes per element
}

// Float32 is x as a Buffer.
func Float32(x []float32) Buffer {
	return Buffer{unsafe.Pointer(unsafe.SliceData(x)), len(x), cap(x), F32, unsafe.Sizeof(float32(0))}
}

// Float16 is a Buffer of IEEE 754 half-precision numbers, given by their bits.
func Float16(bits []uint16) Buffer { return Bits16(F16, bits) }

// BFloat16 is a Buffer of bfloat16 numbers, given by their bits.
func BFloat16(bits []uint16) Buffer { return Bits16(BF16, bits) }

// Bits16 is a Buffer of 16-bit numbers whose type, F16 or BF16, is known only at run time.
func Bits16(dtype DType, bits []uint16) Buffer {
	return Buffer{unsafe.Pointer(unsafe.SliceData(bits)), len(bits), cap(bits), dtype, unsafe.Sizeof(uint16(0))}
}

// Len returns the number of elements.
func (b Buffer) Len() int { return b.len }

// DType returns the element type.
func (b Buffer) DType() DType { return b.dtype }

func (b Buffer) bytes() *C.uint8_t { return (*C.uint8_t)(b.data) }

// check refuses elements of another size than the library would read.
func (b *Buffer) check(name string) error {
	if b.element == 2 && b.dtype != F16 && b.dtype != BF16 {
		return invalid("%s: 16-bit numbers cannot be %v; expected f16 or bf16", name, b.dtype)
	}
	return nil
}

// holds refuses a Buffer that does not have the elements of t.
func (b *Buffer) holds(t tensor) error {
	if err := b.check(t.name); err != nil {
		return err
	}
	t.len = b.len
	return t.check()
}

func floats(x []float32) *C.float { return (*C.float)(unsafe.SliceData(x)) }

func octets(x []byte) *C.uint8_t { return (*C.uint8_t)(unsafe.SliceData(x)) }
