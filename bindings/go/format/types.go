// Package format reads the bytes of libturboquant in pure Go.
package format

// Format says how keys, values or vectors are stored.
type Format uint32

const (
	TQ4  Format = 1
	TQ8  Format = 2
	F16  Format = 3
	BF16 Format = 4
)

// Layout says how encoded vectors lie in memory.
type Layout uint32

const (
	LayoutVectors Layout = 0
	LayoutBlocks  Layout = 1
)
