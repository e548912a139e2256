// Package format reads the bytes of libturboquant in pure Go: encoded vectors (tq_encode) and pages, the blocks of 64
// tokens of the KV cache. It needs neither cgo nor the C library, and decodes to the same bits as the library does.
//
// It follows docs/format.md, section by section, and is checked against the golden files of the project. It is written
// to be read, checked and carried anywhere; where speed matters, use the package turboquant.
//
// Readers are immutable: any number of goroutines may use one at the same time.
package format

import (
	"errors"
	"fmt"
)

var (
	// ErrInvalidArgument is matched by errors about options, counts and lengths.
	ErrInvalidArgument = errors.New("invalid argument")
	// ErrCorrupt is matched by errors about bytes that no encoder writes.
	ErrCorrupt = errors.New("corrupt data")
)

func invalid(text string, arguments ...any) error {
	return fmt.Errorf("format: "+text+" (%w)", append(arguments, ErrInvalidArgument)...)
}

func corrupt(text string, arguments ...any) error {
	return fmt.Errorf("format: "+text+" (%w)", append(arguments, ErrCorrupt)...)
}

// Format says how keys, values or vectors are stored.
type Format uint32

const (
	TQ4  Format = 1 // rotation and 4-bit codes, one 8-bit scale per group
	TQ8  Format = 2 // rotation and 8-bit codes
	F16  Format = 3 // IEEE 754 half precision
	BF16 Format = 4 // bfloat16
)

// String returns "tq4", "tq8", "f16" or "bf16".
func (f Format) String() string {
	switch f {
	case TQ4:
		return "tq4"
	case TQ8:
		return "tq8"
	case F16:
		return "f16"
	case BF16:
		return "bf16"
	}
	return fmt.Sprintf("Format(%d)", uint32(f))
}

// Layout says how encoded vectors lie in memory.
type Layout uint32

const (
	LayoutVectors Layout = 0 // one record after another
	LayoutBlocks  Layout = 1 // blocks of 64 interleaved vectors
)

// String returns "vectors" or "blocks".
func (l Layout) String() string {
	switch l {
	case LayoutVectors:
		return "vectors"
	case LayoutBlocks:
		return "blocks"
	}
	return fmt.Sprintf("Layout(%d)", uint32(l))
}

// DefaultSeed is the seed of the random signs where an option does not name another.
const DefaultSeed = 0x7475726271756E74

// BlockTokens is the number of tokens in a page, and of vectors in a block.
const BlockTokens = 64

const maxHeadDim = 1024
