package format_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/libturboquant/libturboquant/bindings/go/format"
)

func refused(t *testing.T, err error, kind error, words string) {
	t.Helper()
	if !errors.Is(err, kind) || !strings.Contains(err.Error(), words) {
		t.Errorf("got %v, expected %v with %q", err, kind, words)
	}
}

func TestBadVectorOptionsAreRefused(t *testing.T) {
	for _, c := range []struct {
		change func(*format.VectorOptions)
		words  string
	}{
		{func(o *format.VectorOptions) { *o = format.VectorOptions{} }, "head size is 0"},
		{func(o *format.VectorOptions) { o.HeadDim = 1025 }, "head size is 1025"},
		{func(o *format.VectorOptions) { o.Format = 5 }, "format is 5"},
		{func(o *format.VectorOptions) { o.GroupSize = 16 }, "group size is 16"},
		{func(o *format.VectorOptions) { o.RotationBlock = 3 }, "rotation block is 3"},
		{func(o *format.VectorOptions) { o.RotationBlock = -2 }, "rotation block is -2"},
		{func(o *format.VectorOptions) { o.RotationBlock = math.MinInt }, "rotation block is -9"},
		{func(o *format.VectorOptions) { o.RotationBlock = 128 }, "rotation block is 128"},
		{func(o *format.VectorOptions) { o.Layout = 2 }, "layout is 2"},
	} {
		options := format.NewVectorOptions(64)
		c.change(&options)
		_, err := format.NewVectors(options)
		refused(t, err, format.ErrInvalidArgument, c.words)
	}
}

func TestBadVectorCallsAreRefused(t *testing.T) {
	reader, err := format.NewVectors(format.NewVectorOptions(64))
	if err != nil {
		t.Fatal(err)
	}
	codes, out := make([]byte, 3*35), make([]float32, 3*64)
	for _, c := range []struct {
		err   error
		words string
	}{
		{reader.Decode(out, codes, -1, 3), "first is -1"},
		{reader.Decode(out, codes, 0, -3), "count -3"},
		{reader.Decode(out, codes, math.MaxInt, 3), "first is"},
		{reader.Decode(out, codes, math.MaxInt-3, 3), "count is"},
		{reader.Decode(out, codes, 1, 3), "4 vectors take"},
		{reader.Decode(out, nil, 0, 3), "codes has 0 bytes"},
		{reader.Decode(out, codes, 0, 2), "out has 192 elements"},
		{reader.Decode(nil, codes, 0, 1), "out has 0 elements"},
	} {
		refused(t, c.err, format.ErrInvalidArgument, c.words)
	}
	if err := reader.Decode(nil, nil, 0, 0); err != nil {
		t.Error(err)
	}
}

func TestBadPageOptionsAreRefused(t *testing.T) {
	for _, c := range []struct {
		change func(*format.PageOptions)
		words  string
	}{
		{func(o *format.PageOptions) { *o = format.PageOptions{} }, "kv_heads is 0"},
		{func(o *format.PageOptions) { o.KVHeads = 65537 }, "kv_heads is 65537"},
		{func(o *format.PageOptions) { o.KeyDim = 0 }, "key head size is 0"},
		{func(o *format.PageOptions) { o.ValueDim = -1 }, "value head size is -1"},
		{func(o *format.PageOptions) { o.ValueFormat = 0 }, "value format is 0"},
		{func(o *format.PageOptions) { o.KeyGroupSize = 0 }, "key group size is 0"},
	} {
		options := format.NewPageOptions(2, 64)
		c.change(&options)
		_, err := format.NewPages(options)
		refused(t, err, format.ErrInvalidArgument, c.words)
	}
}

func TestDamagedPagesAreRefused(t *testing.T) {
	reader, err := format.NewPages(format.NewPageOptions(2, 64))
	if err != nil {
		t.Fatal(err)
	}
	keys := make([]float32, 64*2*64)
	page := func(at int, b byte) []byte {
		page := make([]byte, reader.Bytes())
		page[at] = b
		return page
	}
	for _, c := range []struct {
		err   error
		kind  error
		words string
	}{
		{reader.Decode(keys, keys, make([]byte, 63)), format.ErrInvalidArgument, "page has 63 bytes"},
		{reader.Decode(keys[1:], nil, page(0, 0)), format.ErrInvalidArgument, "keys has 8191 elements"},
		{reader.Decode(nil, keys[1:], page(0, 0)), format.ErrInvalidArgument, "values has 8191 elements"},
		{reader.Decode(keys, nil, page(2, 1)), format.ErrCorrupt, "kv head 0: bytes 2 and 3"},
		{reader.Decode(keys, nil, page(8+7, 0x80)), format.ErrCorrupt, "kv head 1: the scale of the mean is -0"},
		{reader.Decode(keys, nil, page(8+7, 0xff)), format.ErrCorrupt, "kv head 1: the scale of the mean is"},
		{reader.Decode(keys, nil, page(16, 7)), format.ErrCorrupt, "byte 16 of the headers is 7"},
	} {
		refused(t, c.err, c.kind, c.words)
	}
	if err := reader.Decode(nil, nil, page(0, 0)); err != nil {
		t.Error(err)
	}
}

// Whatever the bytes are: numbers or an error, never a panic.
func FuzzPages(f *testing.F) {
	f.Add([]byte{1, 2, 3}, 3, 33, uint8(1), uint8(2))
	f.Fuzz(func(t *testing.T, data []byte, heads, dim int, keys, values uint8) {
		options := format.NewPageOptions(heads%5, dim%200)
		options.KeyFormat, options.ValueFormat = format.Format(keys%7), format.Format(values%7)
		reader, err := format.NewPages(options)
		if err != nil || len(data) == 0 {
			return
		}
		page := make([]byte, reader.Bytes())
		for i := range page {
			page[i] = data[i%len(data)]
		}
		out := make([]float32, 64*options.KVHeads*options.KeyDim)
		if err := reader.Decode(out, out, page); err != nil && !errors.Is(err, format.ErrCorrupt) {
			t.Error(err)
		}
	})
}
