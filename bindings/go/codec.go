//go:build cgo

package turboquant

// #include "bridge.h"
import "C"

import (
	"math"
	"unsafe"
)

// CodecOptions are tq_codec_options. Start from NewCodecOptions, which fills in the library's defaults.
type CodecOptions struct {
	HeadDim       int    // values per vector, 1 to 1024
	Format        Format // FormatTQ4 by default
	GroupSize     int    // values per scale: 64 (default) or 32
	RotationBlock int    // a power of two that divides HeadDim; 1: signs only; 0 (default): the largest
	ScaleSearch   bool   // true (default): best of seven scales by squared error; false: scale from the norm alone
	Layout        Layout // LayoutVectors by default
	Seed          uint64 // of the random signs; equal options and seed give equal bytes on every CPU
}

// NewCodecOptions returns the defaults for vectors of headDim values.
func NewCodecOptions(headDim int) CodecOptions {
	var c C.tq_codec_options
	C.tq_codec_options_init(&c, C.sizeof_tq_codec_options)
	return CodecOptions{
		HeadDim:       headDim,
		Format:        Format(c.format),
		GroupSize:     int(c.group_size),
		RotationBlock: int(c.rotation_block),
		ScaleSearch:   c.scale_search != 0,
		Layout:        Layout(c.layout),
		Seed:          uint64(c.seed),
	}
}

// Codec turns vectors into bytes and back. It is immutable: any number of goroutines may use it at once.
type Codec struct {
	handle  *handle
	headDim int
}

// NewCodec makes a codec, see tq_codec_create in turboquant.h. Close gives its memory back.
func NewCodec(options CodecOptions) (*Codec, error) {
	if err := requireCompatible(); err != nil {
		return nil, err
	}
	var c C.tq_codec_options
	C.tq_codec_options_init(&c, C.sizeof_tq_codec_options)
	sizes := sizeFields{
		{"head_dim", options.HeadDim, &c.head_dim},
		{"group_size", options.GroupSize, &c.group_size},
		{"rotation_block", options.RotationBlock, &c.rotation_block},
	}
	if err := sizes.convert(); err != nil {
		return nil, err
	}
	c.format = C.tq_format(options.Format)
	c.scale_search = flag(options.ScaleSearch)
	c.layout = C.uint32_t(options.Layout)
	c.seed = C.uint64_t(options.Seed)

	var codec *C.tq_codec
	failure := newError()
	if err := check(C.tq_codec_create(&c, &codec, &failure), &failure); err != nil {
		return nil, err
	}
	destroy := func(object unsafe.Pointer) { C.tq_codec_destroy((*C.tq_codec)(object)) }
	return &Codec{newHandle("codec", unsafe.Pointer(codec), destroy), options.HeadDim}, nil
}

// Close destroys the codec as soon as no call uses it any more. Closing twice, or a nil Codec, is a no-op.
func (c *Codec) Close() error {
	if c != nil {
		c.handle.close()
	}
	return nil
}

func (c *Codec) acquire() (*C.tq_codec, error) {
	if c == nil {
		return nil, invalid("codec is nil")
	}
	object, err := c.handle.acquire()
	return (*C.tq_codec)(object), err
}

// VectorBytes returns the bytes of one encoded vector; in LayoutBlocks rounded up over a whole block. 0 if c is nil or
// closed.
func (c *Codec) VectorBytes() int {
	codec, err := c.acquire()
	if err != nil {
		return 0
	}
	defer c.handle.release()
	return int(C.tq_codec_vector_bytes(codec))
}

// EncodedBytes returns the bytes of count encoded vectors; 0 if c is nil or closed, if count is negative or the product
// overflows.
func (c *Codec) EncodedBytes(count int) int {
	codec, err := c.acquire()
	if err != nil {
		return 0
	}
	defer c.handle.release()
	if count < 0 {
		return 0
	}
	if bytes := uint64(C.tq_codec_encoded_bytes(codec, C.size_t(count))); bytes <= math.MaxInt {
		return int(bytes)
	}
	return 0
}

// Rows are Count vectors of the codec's head size. Vector i starts at element i * Stride of Data; a Stride of 0 means
// contiguous vectors, and then Data holds exactly Count of them.
type Rows struct {
	Data   Buffer
	Count  int
	Stride int
}

func (r *Rows) check(dim int) error {
	if r.Count < 0 {
		return invalid("count is %d; expected 0 or more", r.Count)
	}
	if err := r.Data.check("vectors"); err != nil {
		return err
	}
	if r.Stride == 0 {
		if needed, ok := product(r.Count, dim, 1); !ok || needed != r.Data.len {
			return invalid("vectors has %d elements; expected [%d][%d]", r.Data.len, r.Count, dim)
		}
		return nil
	}
	if r.Stride < dim {
		return invalid("stride is %d; expected 0 or at least the head size %d", r.Stride, dim)
	}
	if r.Count == 0 {
		return nil
	}
	if before, ok := product(r.Count-1, r.Stride, 1); !ok || before > r.Data.len || dim > r.Data.len-before {
		return invalid("vectors has %d elements, but %d vectors with stride %d reach beyond them", r.Data.len, r.Count,
			r.Stride)
	}
	return nil
}

// Encode returns the codes of all rows. See EncodeInto.
func (c *Codec) Encode(rows Rows) ([]byte, error) {
	if _, err := c.acquire(); err != nil {
		return nil, err
	}
	defer c.handle.release()
	if err := rows.check(c.headDim); err != nil {
		return nil, err
	}
	codes := make([]byte, c.EncodedBytes(rows.Count))
	if err := c.EncodeInto(codes, rows); err != nil {
		return nil, err
	}
	return codes, nil
}

// EncodeInto writes the codes of all rows to codes, which has at least EncodedBytes(rows.Count) bytes and does not
// overlap them. NaN, infinity and values beyond 2^60 are refused, and codes is left alone. See tq_encode in
// turboquant.h.
func (c *Codec) EncodeInto(codes []byte, rows Rows) error {
	codec, err := c.acquire()
	if err != nil {
		return err
	}
	defer c.handle.release()
	if err := rows.check(c.headDim); err != nil {
		return err
	}
	failure := newError()
	status := C.tqgo_encode(codec, rows.Data.bytes(), C.uint32_t(rows.Data.dtype), C.size_t(rows.Stride),
		C.size_t(rows.Count), octets(codes), C.size_t(len(codes)), &failure)
	return check(status, &failure)
}

// Decode returns vectors first to first + count - 1 of codes as f32. See DecodeInto.
func (c *Codec) Decode(codes []byte, first, count int) ([]float32, error) {
	if _, err := c.acquire(); err != nil {
		return nil, err
	}
	defer c.handle.release()
	needed, ok := product(max(count, 0), c.headDim, 1)
	if !ok || count > 0 && c.EncodedBytes(count) > len(codes) { // before allocating for a count that cannot be right
		return nil, invalid("count is %d, but codes has only %d bytes", count, len(codes))
	}
	values := make([]float32, needed)
	if err := c.DecodeInto(Rows{Data: Float32(values), Count: count}, codes, first); err != nil {
		return nil, err
	}
	return values, nil
}

// DecodeInto writes vectors first to first + rows.Count - 1 of codes to rows. Numbers are rounded to nearest even for
// 16-bit types, and f16 saturates at 65504. See tq_decode in turboquant.h.
func (c *Codec) DecodeInto(rows Rows, codes []byte, first int) error {
	codec, err := c.acquire()
	if err != nil {
		return err
	}
	defer c.handle.release()
	if first < 0 {
		return invalid("first is %d; expected 0 or more", first)
	}
	if err := rows.check(c.headDim); err != nil {
		return err
	}
	failure := newError()
	status := C.tqgo_decode(codec, octets(codes), C.size_t(len(codes)), C.size_t(first), C.size_t(rows.Count),
		rows.Data.bytes(), C.uint32_t(rows.Data.dtype), C.size_t(rows.Stride), &failure)
	return check(status, &failure)
}

// Rotate applies the codec's rotation in place to rows of head size floats. See tq_rotate in turboquant.h.
func (c *Codec) Rotate(rows []float32) error {
	codec, err := c.acquire()
	if err != nil {
		return err
	}
	defer c.handle.release()
	if len(rows)%c.headDim != 0 {
		return invalid("rows has %d elements; expected a multiple of %d", len(rows), c.headDim)
	}
	failure := newError()
	return check(C.tq_rotate(codec, floats(rows), C.size_t(len(rows)/c.headDim), &failure), &failure)
}

// Unrotate is the inverse of Rotate. See tq_unrotate in turboquant.h.
func (c *Codec) Unrotate(rows []float32) error {
	codec, err := c.acquire()
	if err != nil {
		return err
	}
	defer c.handle.release()
	if len(rows)%c.headDim != 0 {
		return invalid("rows has %d elements; expected a multiple of %d", len(rows), c.headDim)
	}
	failure := newError()
	return check(C.tq_unrotate(codec, floats(rows), C.size_t(len(rows)/c.headDim), &failure), &failure)
}

// Scores computes the dot products of queries with the first count encoded vectors: scores[q*count+i] is query q times
// vector i. queries holds whole rows of head size floats, scores exactly one float per pair. See tq_scores in
// turboquant.h.
func (c *Codec) Scores(scores []float32, codes []byte, count int, queries []float32) error {
	codec, err := c.acquire()
	if err != nil {
		return err
	}
	defer c.handle.release()
	if len(queries)%c.headDim != 0 {
		return invalid("queries has %d elements; expected a multiple of %d", len(queries), c.headDim)
	}
	if count < 0 {
		return invalid("count is %d; expected 0 or more", count)
	}
	n := len(queries) / c.headDim
	if pairs, ok := product(n, count, 1); !ok || pairs != len(scores) {
		return invalid("scores has %d elements; expected [%d][%d]", len(scores), n, count)
	}
	failure := newError()
	status := C.tqgo_scores(codec, octets(codes), C.size_t(len(codes)), C.size_t(count), floats(queries), C.size_t(n),
		floats(scores), &failure)
	return check(status, &failure)
}
