package turboquant

import "github.com/libturboquant/libturboquant/bindings/go/format"

// Format says how keys, values or vectors are stored.
type Format = format.Format

const (
	FormatTQ4  = format.TQ4  // rotation and 4-bit codes, one 8-bit scale per group
	FormatTQ8  = format.TQ8  // rotation and 8-bit codes
	FormatF16  = format.F16  // exact for f16 input
	FormatBF16 = format.BF16 // exact for bf16 input
)

// Layout says how encoded vectors lie in memory.
type Layout = format.Layout

const (
	LayoutVectors = format.LayoutVectors // one record after another: random access
	LayoutBlocks  = format.LayoutBlocks  // blocks of 64 interleaved vectors, as in the cache: the fastest for Scores
)
