package turboquant_test

import (
	"math"
	"testing"

	turboquant "github.com/libturboquant/libturboquant/bindings/go"
	"github.com/libturboquant/libturboquant/bindings/go/internal/golden"
)

func newCodec(t testing.TB, options turboquant.CodecOptions) *turboquant.Codec {
	t.Helper()
	codec := value[*turboquant.Codec](t)(turboquant.NewCodec(options))
	t.Cleanup(func() { codec.Close() })
	return codec
}

func TestCodecOptionsHaveTheDefaultsOfTheLibrary(t *testing.T) {
	want := turboquant.CodecOptions{
		HeadDim: 128, Format: turboquant.FormatTQ4, GroupSize: 64, ScaleSearch: true, Layout: turboquant.LayoutVectors,
		Seed: 0x7475726271756E74,
	}
	if got := turboquant.NewCodecOptions(128); got != want {
		t.Errorf("got %+v, expected %+v", got, want)
	}
}

func TestCodecSizes(t *testing.T) {
	options := turboquant.NewCodecOptions(128)
	records := newCodec(t, options)
	options.Layout = turboquant.LayoutBlocks
	blocks := newCodec(t, options)
	for _, c := range []struct {
		name      string
		got, want int
	}{
		{"a record", records.VectorBytes(), 67},
		{"3 records", records.EncodedBytes(3), 201},
		{"no record", records.EncodedBytes(0), 0},
		{"minus one record", records.EncodedBytes(-1), 0},
		{"too many records", records.EncodedBytes(math.MaxInt), 0},
		{"65 vectors in blocks", blocks.EncodedBytes(65), 2 * 67 * 64},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d bytes, expected %d", c.name, c.got, c.want)
		}
	}
}

// Vectors that lie apart give the codes of vectors that lie together, and come back to where they were.
func TestCodecStrides(t *testing.T) {
	const dim, stride, count = 96, 100, 70
	apart := pattern((count-1)*stride+dim, 3)
	together := make([]float32, 0, count*dim)
	for i := range count {
		together = append(together, apart[i*stride:i*stride+dim]...)
	}
	codec := newCodec(t, turboquant.NewCodecOptions(dim))
	want := value[[]byte](t)(codec.Encode(turboquant.Rows{Data: turboquant.Float32(together), Count: count}))
	got := value[[]byte](t)(codec.Encode(turboquant.Rows{Data: turboquant.Float32(apart), Count: count, Stride: stride}))
	if string(got) != string(want) {
		t.Error("codes differ")
	}
	decoded := value[[]float32](t)(codec.Decode(got, 0, count))
	for i := range apart {
		apart[i] = -7
	}
	must(t, codec.DecodeInto(turboquant.Rows{Data: turboquant.Float32(apart), Count: count, Stride: stride}, got, 0))
	for i := range count {
		same(t, "row", apart[i*stride:i*stride+dim], decoded[i*dim:(i+1)*dim])
		if i+1 < count && apart[i*stride+dim] != -7 {
			t.Fatalf("wrote behind row %d", i)
		}
	}
}

func TestCodecDecodesIntoEveryType(t *testing.T) {
	const dim, count = 64, 9
	codec := newCodec(t, turboquant.NewCodecOptions(dim))
	codes := value[[]byte](t)(codec.Encode(turboquant.Rows{Data: turboquant.Float32(pattern(count*dim, 5)), Count: count}))
	want := value[[]float32](t)(codec.Decode(codes, 2, 5))
	for _, dtype := range []string{"f16", "bf16"} {
		bits := make([]uint16, 5*dim)
		must(t, codec.DecodeInto(turboquant.Rows{Data: turboquant.Bits16(dtypes[dtype], bits), Count: 5}, codes, 2))
		same(t, dtype, golden.Values(bits, dtype), golden.Values(golden.Bits(want, dtype), dtype))
	}
}

func TestScoresAreDotProducts(t *testing.T) {
	const dim, count, queries = 128, 130, 3
	for _, layout := range layouts {
		options := turboquant.NewCodecOptions(dim)
		options.Layout = layout
		codec := newCodec(t, options)
		codes := value[[]byte](t)(codec.Encode(turboquant.Rows{
			Data: turboquant.Float32(pattern(count*dim, 7)), Count: count,
		}))
		decoded := value[[]float32](t)(codec.Decode(codes, 0, count))
		query, scores := pattern(queries*dim, 11), make([]float32, queries*count)
		must(t, codec.Scores(scores, codes, count, query))
		energy, errors := 0.0, 0.0
		for q := range queries {
			for i := range count {
				dot, q2, x2 := 0.0, 0.0, 0.0
				for j := range dim {
					a, b := float64(query[q*dim+j]), float64(decoded[i*dim+j])
					dot, q2, x2 = dot+a*b, q2+a*a, x2+b*b
				}
				energy += q2 * x2 / dim
				errors += math.Pow(float64(scores[q*count+i])-dot, 2)
			}
		}
		// docs/numerics.md, section 5: rounding the query to 8 bits adds 0.56 % of the codes' own error, which is 0.0073
		// of the energy, for Gaussian data; these queries are few and not random.
		if limit := 2 * 0.0056 * 0.0073; errors == 0 || errors/energy > limit {
			t.Errorf("%v: relative squared error %g, more than %g", layout, errors/energy, limit)
		}
	}
}

func TestUnrotateIsTheInverseOfRotate(t *testing.T) {
	codec := newCodec(t, turboquant.NewCodecOptions(64))
	rows := make([]float32, 5*64)
	for i := range rows {
		rows[i] = float32(1 + i%17) // integers, so that nothing rounds
	}
	want := append([]float32(nil), rows...)
	must(t, codec.Rotate(rows))
	if golden.Difference(rows, want) == "" {
		t.Error("Rotate changed nothing")
	}
	must(t, codec.Unrotate(rows))
	same(t, "there and back", rows, want)
}

func TestFWHTIsTheTransform(t *testing.T) {
	data := []float32{1, 0, 0, 0, 1, 2, 3, 4}
	must(t, turboquant.FWHT(data, 4))
	same(t, "FWHT", data, []float32{0.5, 0.5, 0.5, 0.5, 5, -1, -2, 0})
	must(t, turboquant.FWHT(nil, 4))
}

func TestBadCodecOptionsAreRefused(t *testing.T) {
	type options = turboquant.CodecOptions
	const bad = turboquant.ErrInvalidArgument
	for _, c := range []struct {
		change func(*options)
		status turboquant.Status
		words  string
	}{
		{func(o *options) { *o = options{} }, bad, "head_dim is 0"},
		{func(o *options) { o.HeadDim = -1 }, bad, "head_dim is -1"},
		{func(o *options) { o.HeadDim = 1025 }, bad, "head_dim is 1025"},
		{func(o *options) { o.HeadDim = 1<<32 + 64 }, bad, "head_dim is 4294967360"},
		{func(o *options) { o.GroupSize = 48 }, bad, "group_size is 48"},
		{func(o *options) { o.RotationBlock = 3 }, bad, "rotation_block is 3"},
		{func(o *options) { o.Format = 9 }, bad, "format is 9"},
		{func(o *options) { o.Format = 5 }, turboquant.ErrUnsupported, "format is 5"},
		{func(o *options) { o.Layout = 2 }, bad, "layout is 2"},
	} {
		o := turboquant.NewCodecOptions(64)
		c.change(&o)
		codec, err := turboquant.NewCodec(o)
		refused(t, err, c.status, c.words)
		if codec != nil {
			t.Error("a codec came with an error")
		}
	}
}

func TestBadCodecCallsAreRefused(t *testing.T) {
	const dim = 64
	codec := newCodec(t, turboquant.NewCodecOptions(dim))
	floats, bits := make([]float32, 4*dim), make([]uint16, 4*dim)
	nan := make([]float32, 2*dim)
	nan[dim+3] = float32(math.NaN())
	codes := make([]byte, codec.EncodedBytes(4))
	const bad, short = turboquant.ErrInvalidArgument, turboquant.ErrBufferTooSmall
	f32 := turboquant.Float32(floats)
	type rows = turboquant.Rows
	encode := func(r rows) error { return codec.EncodeInto(codes, r) }
	decode := func(r rows, first int) error { return codec.DecodeInto(r, codes, first) }
	four := rows{Data: f32, Count: 4}
	first := func(_ any, err error) error { return err }

	for _, c := range []struct {
		err    error
		status turboquant.Status
		words  string
	}{
		{encode(rows{Data: f32, Count: 5}), bad, "vectors has 256 elements"},
		{encode(rows{Data: f32, Count: 3}), bad, "expected [3][64]"},
		{encode(rows{Data: f32, Count: -1}), bad, "count is -1"},
		{encode(rows{Data: f32, Count: math.MaxInt}), bad, "vectors has 256"},
		{encode(rows{Data: f32, Count: 4, Stride: 65}), bad, "reach beyond"},
		{encode(rows{Data: f32, Count: math.MaxInt, Stride: math.MaxInt}), bad, "reach beyond"},
		{encode(rows{Data: f32, Count: 2, Stride: 63}), bad, "stride is 63"},
		{encode(rows{Data: f32, Count: 2, Stride: -64}), bad, "stride is -64"},
		{encode(rows{Data: turboquant.Bits16(turboquant.F32, bits), Count: 4}), bad, "cannot be f32"},
		{encode(rows{Data: turboquant.Bits16(17, bits), Count: 4}), bad, "DType(17)"},
		{encode(rows{}), bad, "dtype is 0"},
		{encode(rows{Count: 1}), bad, "vectors has 0 elements"},
		{encode(rows{Data: turboquant.Float32(nan), Count: 2}), bad, "coordinate 3] is nan"},
		{codec.EncodeInto(codes[:100], four), short, "codes_size is 100"},
		{codec.EncodeInto(nil, four), short, "codes_size is 0"},
		{decode(four, 1), short, "codes_size"},
		{decode(four, -1), bad, "first is -1"},
		{decode(four, math.MaxInt), bad, "count"},
		{first(codec.Decode(codes, 0, math.MaxInt)), bad, "count is"},
		{first(codec.Decode(codes, 0, 5)), bad, "count is 5"},
		{first(codec.Decode(codes, 0, -1)), bad, "count is -1"},
		{codec.Rotate(floats[:65]), bad, "rows has 65 elements"},
		{codec.Unrotate(floats[:1]), bad, "rows has 1 elements"},
		{codec.Scores(floats[:3], codes, 4, floats[:dim]), bad, "expected [1][4]"},
		{codec.Scores(floats[:4], codes, 4, floats[:dim-1]), bad, "queries has 63"},
		{codec.Scores(floats[:4], codes, -4, floats[:dim]), bad, "count is -4"},
		{codec.Scores(floats[:4], codes[:9], 4, floats[:dim]), short, "codes_size is 9"},
		{turboquant.FWHT(floats, 3), bad, "size is 3"},
		{turboquant.FWHT(floats[:12], 8), bad, "size is 8"},
		{turboquant.FWHT(floats, 0), bad, "size is 0"},
		{turboquant.FWHT(floats, -1), bad, "size is -1"},
		{turboquant.FWHT(make([]float32, 2048), 2048), bad, "2048"},
	} {
		refused(t, c.err, c.status, c.words)
	}
}
