package turboquant_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	turboquant "github.com/libturboquant/libturboquant/bindings/go"
	"github.com/libturboquant/libturboquant/bindings/go/internal/golden"
)

var (
	formats = map[string]turboquant.Format{
		"tq4": turboquant.FormatTQ4, "tq8": turboquant.FormatTQ8, "f16": turboquant.FormatF16, "bf16": turboquant.FormatBF16,
	}
	layouts = map[string]turboquant.Layout{"vectors": turboquant.LayoutVectors, "blocks": turboquant.LayoutBlocks}
	dtypes  = map[string]turboquant.DType{
		"auto": turboquant.DTypeAuto, "f32": turboquant.F32, "f16": turboquant.F16, "bf16": turboquant.BF16,
	}
)

// must fails the test if err is not nil.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// value returns the first of two results, if the second is no error.
func value[T any](t testing.TB) func(T, error) T {
	return func(result T, err error) T {
		t.Helper()
		must(t, err)
		return result
	}
}

// refused fails the test unless err has the status and its message contains the words.
func refused(t testing.TB, err error, status turboquant.Status, words string) {
	t.Helper()
	var failure *turboquant.Error
	if !errors.As(err, &failure) {
		t.Errorf("got %v, expected a *turboquant.Error about %q", err, words)
		return
	}
	if failure.Status != status || !errors.Is(err, status) || !strings.Contains(failure.Message, words) {
		t.Errorf("got %v, expected %v with %q", err, status, words)
	}
}

// same fails the test unless the values have the same bits.
func same(t testing.TB, name string, got, want []float32) {
	t.Helper()
	if difference := golden.Difference(got, want); difference != "" {
		t.Errorf("%s: %s", name, difference)
	}
}

// buffer holds values in the type that a golden case names.
func buffer(values []float32, dtype string) turboquant.Buffer {
	if dtype == "f32" {
		return turboquant.Float32(values)
	}
	return turboquant.Bits16(dtypes[dtype], golden.Bits(values, dtype))
}

// pattern is count numbers between -1 and 1.
func pattern(count, seed int) []float32 {
	values := make([]float32, count)
	for i := range values {
		values[i] = float32(math.Sin(float64(i*seed + i%13 + seed)))
	}
	return values
}

// newCache makes a cache of one layer that is closed when the test ends.
func newCache(t testing.TB, layer turboquant.LayerOptions) *turboquant.Cache {
	t.Helper()
	cache := value[*turboquant.Cache](t)(turboquant.NewCache(turboquant.NewCacheOptions(1, layer)))
	t.Cleanup(func() { cache.Close() })
	return cache
}

func newSequence(t testing.TB, cache *turboquant.Cache) *turboquant.Sequence {
	t.Helper()
	sequence := value[*turboquant.Sequence](t)(cache.NewSequence())
	t.Cleanup(func() { sequence.Close() })
	return sequence
}

// tokens are count tokens of f32 for a layer.
func tokens(layer turboquant.LayerOptions, count, seed int) turboquant.KV {
	valueDim := layer.ValueDim
	if valueDim == 0 {
		valueDim = layer.KeyDim
	}
	return turboquant.KV{
		Count:  count,
		Keys:   turboquant.Float32(pattern(count*layer.KVHeads*layer.KeyDim, seed)),
		Values: turboquant.Float32(pattern(count*layer.KVHeads*valueDim, seed+1)),
	}
}
