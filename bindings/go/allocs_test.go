//go:build cgo && !race && !asan && !tqdebuggc

package turboquant_test

import (
	"testing"

	turboquant "github.com/libturboquant/libturboquant/bindings/go"
)

// Calls in the loop of a model leave no garbage. (Sanitizers allocate, and make sync.Pool forget things.)
func TestHotCallsDoNotAllocate(t *testing.T) {
	layer := turboquant.NewLayerOptions(1, 64)
	cache := newCache(t, layer)
	sequence, other := newSequence(t, cache), newSequence(t, cache)
	must(t, other.Append(0, tokens(layer, 3, 1)))
	kv, out := tokens(layer, 64, 1), tokens(layer, 3, 2)
	codec := newCodec(t, turboquant.NewCodecOptions(64))
	rows := turboquant.Rows{Data: kv.Keys, Count: 64}
	codes, floats := make([]byte, codec.EncodedBytes(64)), make([]float32, 64*64)
	item := turboquant.AttendItem{
		Sequence: other, NQuery: 1, Query: turboquant.Float32(floats[:64]), Output: turboquant.Float32(floats[64:128]),
		LogSumExp: floats[128:129],
	}
	fresh := tokens(layer, 1, 3)
	withFresh := item
	withFresh.NewTokens = &fresh
	pool := value[*turboquant.Pool](t)(turboquant.NewPool(2))
	defer pool.Close()
	plain := turboquant.AttendOptions{QHeads: 1}
	full := turboquant.AttendOptions{QHeads: 1, SinkLogits: floats[:1], Pool: pool}
	for name, call := range map[string]func() error{
		"Append":      func() error { return sequence.Append(0, kv) },
		"Truncate":    func() error { return sequence.Truncate(0) },
		"Read":        func() error { return other.Read(0, 0, out) },
		"Length":      func() error { _, err := other.Length(0); return err },
		"Stats":       func() error { _, err := cache.Stats(); return err },
		"Attend":      func() error { return cache.Attend(plain, item) },
		"Attend full": func() error { return cache.Attend(full, withFresh) },
		"Attend of 3": func() error { return cache.Attend(full, item, withFresh, item) },
		"EncodeInto":  func() error { return codec.EncodeInto(codes, rows) },
		"DecodeInto":  func() error { return codec.DecodeInto(rows, codes, 0) },
		"Scores":      func() error { return codec.Scores(floats[:64], codes, 64, floats[:64]) },
		"Rotate":      func() error { return codec.Rotate(floats) },
		"FWHT":        func() error { return turboquant.FWHT(floats, 64) },
	} {
		var failure error
		if allocs := testing.AllocsPerRun(100, func() { failure = call() }); allocs != 0 || failure != nil {
			t.Errorf("%s: %g allocations per call (%v)", name, allocs, failure)
		}
	}
}
