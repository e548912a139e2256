package turboquant_test

import (
	"math"
	"runtime"
	"testing"
	"time"

	turboquant "github.com/libturboquant/libturboquant/bindings/go"
	"github.com/libturboquant/libturboquant/bindings/go/internal/golden"
)

func TestLayerOptionsHaveTheDefaultsOfTheLibrary(t *testing.T) {
	want := turboquant.LayerOptions{
		KVHeads: 8, KeyDim: 128, KeyFormat: turboquant.FormatTQ4, ValueFormat: turboquant.FormatTQ4, KeyGroupSize: 64,
		ValueGroupSize: 64, CenterKeys: true, ScaleSearch: true, SinkTokens: 4, Seed: 0x7475726271756E74,
	}
	if got := turboquant.NewLayerOptions(8, 128); got != want {
		t.Errorf("got %+v, expected %+v", got, want)
	}
	options := turboquant.NewCacheOptions(3, want)
	if options.LayerCount != 3 || len(options.Layers) != 1 || options.Layers[0] != want || options.ByteBudget != 0 {
		t.Errorf("got %+v", options)
	}
}

// read returns all tokens of a layer as f32.
func read(t testing.TB, sequence *turboquant.Sequence, layer turboquant.LayerOptions) (keys, values []float32) {
	t.Helper()
	length := value[int](t)(sequence.Length(0))
	keys, values = make([]float32, length*layer.KVHeads*layer.KeyDim), make([]float32, length*layer.KVHeads*layer.KeyDim)
	must(t, sequence.Read(0, 0, turboquant.KV{
		Count: length, Keys: turboquant.Float32(keys), Values: turboquant.Float32(values),
	}))
	return keys, values
}

// apart copies contiguous rows of dim elements to [count][token stride] with head stride dim + 1.
func apart(rows []float32, count, heads, dim, tokenStride int) []float32 {
	all := make([]float32, count*tokenStride)
	for i := range count * heads {
		copy(all[i/heads*tokenStride+i%heads*(dim+1):], rows[i*dim:(i+1)*dim])
	}
	return all
}

func TestStridesOfTokens(t *testing.T) {
	const count, heads, dim, tokenStride = 100, 2, 32, 70
	layer := turboquant.NewLayerOptions(heads, dim)
	cache := newCache(t, layer)
	contiguous, strided := newSequence(t, cache), newSequence(t, cache)
	keys, values := pattern(count*heads*dim, 3), pattern(count*heads*dim, 4)
	must(t, contiguous.Append(0, turboquant.KV{
		Count: count, Keys: turboquant.Float32(keys), Values: turboquant.Float32(values),
	}))
	kv := turboquant.KV{
		Count: count, Keys: turboquant.Float32(apart(keys, count, heads, dim, tokenStride)), KeyTokenStride: tokenStride,
		KeyHeadStride: dim + 1, Values: turboquant.Float32(values), ValueTokenStride: heads * dim, ValueHeadStride: dim,
	}
	must(t, strided.Append(0, kv))
	wantKeys, wantValues := read(t, contiguous, layer)
	gotKeys, gotValues := read(t, strided, layer)
	same(t, "keys", gotKeys, wantKeys)
	same(t, "values", gotValues, wantValues)

	out := make([]float32, count*tokenStride)
	kv.Keys, kv.Values = turboquant.Float32(out), turboquant.Buffer{}
	must(t, strided.Read(0, 0, kv))
	same(t, "keys apart", out, apart(wantKeys, count, heads, dim, tokenStride))
}

func TestReadIntoEveryType(t *testing.T) {
	layer := turboquant.NewLayerOptions(2, 48)
	sequence := newSequence(t, newCache(t, layer))
	must(t, sequence.Append(0, tokens(layer, 80, 5)))
	keys, values := read(t, sequence, layer)
	for _, dtype := range []string{"f16", "bf16"} {
		bits := make([]uint16, len(keys))
		out := turboquant.Bits16(dtypes[dtype], bits)
		must(t, sequence.Read(0, 0, turboquant.KV{Count: 80, Keys: out}))
		same(t, dtype, golden.Values(bits, dtype), golden.Values(golden.Bits(keys, dtype), dtype))
		must(t, sequence.Read(0, 0, turboquant.KV{Count: 80, Values: out}))
		same(t, dtype, golden.Values(bits, dtype), golden.Values(golden.Bits(values, dtype), dtype))
	}
}

func TestForksAndCuts(t *testing.T) {
	layer := turboquant.NewLayerOptions(1, 64)
	cache := newCache(t, layer)
	origin := newSequence(t, cache)
	must(t, origin.Append(0, tokens(layer, 200, 1)))
	before, _ := read(t, origin, layer)
	fork := value[*turboquant.Sequence](t)(origin.Fork())
	defer fork.Close()
	must(t, fork.Append(0, tokens(layer, 100, 2)))
	must(t, fork.Truncate(250))
	if length := value[int](t)(fork.Length(0)); length != 250 {
		t.Errorf("the fork has %d tokens, expected 250", length)
	}
	after, _ := read(t, origin, layer)
	same(t, "the origin", after, before)
	must(t, origin.Close())
	forked, _ := read(t, fork, layer)
	same(t, "the fork", forked[:len(before)/200*196], before[:len(before)/200*196])
}

func TestEveryLayerMayDiffer(t *testing.T) {
	small, large := turboquant.NewLayerOptions(1, 32), turboquant.NewLayerOptions(2, 64)
	large.ValueDim = 80
	options := turboquant.CacheOptions{LayerCount: 2, Layers: []turboquant.LayerOptions{small, large}}
	cache := value[*turboquant.Cache](t)(turboquant.NewCache(options))
	defer cache.Close()
	sequence := newSequence(t, cache)
	must(t, sequence.Append(0, tokens(small, 3, 1)))
	must(t, sequence.Append(1, tokens(large, 5, 1)))
	refused(t, sequence.Append(0, tokens(large, 1, 1)), turboquant.ErrInvalidArgument, "keys has 128 elements")
	for layer, want := range []int{3, 5} {
		if got := value[int](t)(sequence.Length(layer)); got != want {
			t.Errorf("layer %d has %d tokens, expected %d", layer, got, want)
		}
	}
	options.LayerCount = 3
	_, err := turboquant.NewCache(options)
	refused(t, err, turboquant.ErrInvalidArgument, "layers_given is 2")
}

func TestStatsCountTokensAndBytes(t *testing.T) {
	layer := turboquant.NewLayerOptions(2, 128)
	cache := newCache(t, layer)
	sequence := newSequence(t, cache)
	must(t, sequence.Append(0, tokens(layer, 4+64+10, 1)))
	stats := value[turboquant.Stats](t)(cache.Stats())
	if stats.Sequences != 1 || stats.Tokens != 78 || stats.CodedTokens != 64 {
		t.Errorf("%+v", stats)
	}
	if stats.Bytes16Bit != 78*2*512 || stats.CodedBytes16Bit != 64*2*512 || stats.ExactBytes != 14*2*512 {
		t.Errorf("%+v", stats)
	}
	parts := stats.CodeBytes + stats.ScaleBytes + stats.MeanBytes + stats.ExactBytes + stats.OverheadBytes
	if parts != stats.Bytes || stats.PeakBytes < stats.Bytes || stats.CodeBytes != 64*2*128 || stats.BudgetBytes != 0 {
		t.Errorf("%+v", stats)
	}
	if math.Abs(stats.RatioCoded-3.82) > 0.02 || stats.Ratio != float64(stats.Bytes16Bit)/float64(stats.Bytes) {
		t.Errorf("%+v", stats)
	}
}

func TestStatsCountCalls(t *testing.T) {
	cache := newCache(t, attendLayer)
	sequence := newSequence(t, cache)
	must(t, sequence.Append(0, tokens(attendLayer, 100, 1)))
	must(t, sequence.Append(0, tokens(attendLayer, 20, 1)))
	must(t, sequence.Attend(turboquant.AttendOptions{QHeads: qHeads}, newItem(sequence, 1, 1, false)))
	stats := value[turboquant.Stats](t)(cache.Stats())
	if stats.AppendCalls != 2 || stats.AppendBytes != 120*2*2*64*4 || stats.AppendTime <= 0 {
		t.Errorf("%+v", stats)
	}
	if stats.AttendCalls != 1 || stats.AttendBytes == 0 || stats.AttendTime <= 0 || stats.MergeTime > stats.AttendTime {
		t.Errorf("%+v", stats)
	}
}

func TestByteBudget(t *testing.T) {
	layer := turboquant.NewLayerOptions(1, 64)
	options := turboquant.NewCacheOptions(1, layer)
	options.ByteBudget = 100_000
	cache := value[*turboquant.Cache](t)(turboquant.NewCache(options))
	defer cache.Close()
	sequence := newSequence(t, cache)
	must(t, sequence.Append(0, tokens(layer, 100, 1)))
	refused(t, sequence.Append(0, tokens(layer, 10_000, 1)), turboquant.ErrOutOfMemory, "budget")
	if length := value[int](t)(sequence.Length(0)); length != 100 {
		t.Errorf("%d tokens after a refused append, expected 100", length)
	}
	must(t, sequence.Append(0, tokens(layer, 1, 1)))
}

func TestBadCacheOptionsAreRefused(t *testing.T) {
	for _, c := range []struct {
		change func(*turboquant.CacheOptions)
		words  string
	}{
		{func(o *turboquant.CacheOptions) { *o = turboquant.CacheOptions{} }, "Layers is empty"},
		{func(o *turboquant.CacheOptions) { o.LayerCount = 0 }, "layer_count is 0"},
		{func(o *turboquant.CacheOptions) { o.LayerCount = -1 }, "layer_count is -1"},
		{func(o *turboquant.CacheOptions) { o.LayerCount = 1 << 20 }, "layer_count is 1048576"},
		{func(o *turboquant.CacheOptions) { o.Layers = nil }, "Layers is empty"},
		{func(o *turboquant.CacheOptions) { o.Layers[0] = turboquant.LayerOptions{} }, "kv_heads is 0"},
		{func(o *turboquant.CacheOptions) { o.Layers[0].KVHeads = -2 }, "Layers[0]: kv_heads is -2"},
		{func(o *turboquant.CacheOptions) { o.Layers[0].KeyDim = 2000 }, "key_dim is 2000"},
		{func(o *turboquant.CacheOptions) { o.Layers[0].KeyFormat = 0 }, "key_format is 0"},
		{func(o *turboquant.CacheOptions) { o.Layers[0].SinkTokens = 65 }, "sink_tokens is 65"},
		{func(o *turboquant.CacheOptions) { o.Layers[0].ExactDType = turboquant.F32 }, "exact_dtype is 1"},
		{func(o *turboquant.CacheOptions) { o.Layers[0].Window = -1 }, "window is -1"},
	} {
		options := turboquant.NewCacheOptions(1, turboquant.NewLayerOptions(1, 64))
		c.change(&options)
		cache, err := turboquant.NewCache(options)
		refused(t, err, turboquant.ErrInvalidArgument, c.words)
		if cache != nil {
			t.Error("a cache came with an error")
		}
	}
}

func TestBadTokensAreRefused(t *testing.T) {
	layer := turboquant.NewLayerOptions(2, 32)
	sequence := newSequence(t, newCache(t, layer))
	must(t, sequence.Append(0, tokens(layer, 8, 1)))
	change := func(f func(*turboquant.KV)) turboquant.KV {
		kv := tokens(layer, 8, 1)
		f(&kv)
		return kv
	}
	bits := make([]uint16, 8*2*32)
	nan := pattern(8*2*32, 1)
	nan[3*64+32+5] = float32(math.Inf(1))
	for _, c := range []struct {
		kv    turboquant.KV
		words string
	}{
		{change(func(kv *turboquant.KV) { kv.Count = 7 }), "keys has 512 elements; expected [7][2][32]"},
		{change(func(kv *turboquant.KV) { kv.Count = -8 }), "count is -8"},
		{change(func(kv *turboquant.KV) { kv.Count = math.MaxInt }), "keys has 512"},
		{change(func(kv *turboquant.KV) { kv.Values = turboquant.Buffer{} }), "values has 0 elements"},
		{change(func(kv *turboquant.KV) { kv.Values = turboquant.Float16(bits) }), "keys are f32, but values are f16"},
		{change(func(kv *turboquant.KV) { kv.Keys = turboquant.Bits16(turboquant.DTypeAuto, bits) }), "cannot be auto"},
		{change(func(kv *turboquant.KV) { kv.KeyTokenStride = 64 }), "head stride 0"},
		{change(func(kv *turboquant.KV) { kv.KeyTokenStride, kv.KeyHeadStride = 65, 32 }), "reach beyond"},
		{change(func(kv *turboquant.KV) { kv.KeyTokenStride, kv.KeyHeadStride = 32, 300 }), "reach beyond"},
		{change(func(kv *turboquant.KV) { kv.KeyTokenStride, kv.KeyHeadStride = math.MaxInt, math.MaxInt }), "reach beyond"},
		{change(func(kv *turboquant.KV) { kv.ValueTokenStride, kv.ValueHeadStride = -64, -32 }), "values: token stride -64"},
		{change(func(kv *turboquant.KV) { kv.Keys = turboquant.Float32(nan) }), "keys[token 3, head 1, coordinate 5] is inf"},
		{turboquant.KV{}, "dtype is 0"},
	} {
		refused(t, sequence.Append(0, c.kv), turboquant.ErrInvalidArgument, c.words)
	}
	refused(t, sequence.Append(1, tokens(layer, 1, 1)), turboquant.ErrInvalidArgument, "layer is 1")
	refused(t, sequence.Append(-1, tokens(layer, 1, 1)), turboquant.ErrInvalidArgument, "layer is -1")
	refused(t, sequence.Truncate(-1), turboquant.ErrInvalidArgument, "length is -1")
	refused(t, sequence.Truncate(9), turboquant.ErrInvalidArgument, "length: 9, but")
	refused(t, sequence.Read(0, 1, tokens(layer, 8, 1)), turboquant.ErrInvalidArgument, "holds 8 tokens")
	refused(t, sequence.Read(0, -1, tokens(layer, 8, 1)), turboquant.ErrInvalidArgument, "first is -1")
	refused(t, sequence.Read(2, 0, tokens(layer, 8, 1)), turboquant.ErrInvalidArgument, "layer is 2")
	refused(t, sequence.Read(0, 0, turboquant.KV{Count: 1}), turboquant.ErrInvalidArgument, "both absent")
	refused(t, sequence.Read(0, 0, turboquant.KV{Count: 8, Keys: turboquant.Float16(bits[:9])}),
		turboquant.ErrInvalidArgument, "keys has 9 elements")
	if length := value[int](t)(sequence.Length(0)); length != 8 {
		t.Errorf("%d tokens after refused calls, expected 8", length)
	}
}

// A sequence, and in the end the cache, is given back when it has become unreachable without Close.
func TestUnreachableSequencesAreDestroyed(t *testing.T) {
	layer := turboquant.NewLayerOptions(1, 64)
	cache := newCache(t, layer)
	func() {
		for range 5 {
			sequence := value[*turboquant.Sequence](t)(cache.NewSequence())
			must(t, sequence.Append(0, tokens(layer, 70, 1)))
		}
	}()
	deadline := time.Now().Add(20 * time.Second)
	for {
		stats := value[turboquant.Stats](t)(cache.Stats())
		if stats.Sequences == 0 && stats.Tokens == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still there: %+v", stats)
		}
		runtime.GC()
		time.Sleep(time.Millisecond)
	}
}
