package turboquant_test

import (
	"math"
	"testing"

	turboquant "github.com/libturboquant/libturboquant/bindings/go"
	"github.com/libturboquant/libturboquant/bindings/go/internal/golden"
)

func goldenLayer(layer *golden.Layer) turboquant.LayerOptions {
	return turboquant.LayerOptions{
		KVHeads:            layer.KVHeads,
		KeyDim:             layer.KeyDim,
		ValueDim:           layer.ValueDim,
		KeyFormat:          formats[layer.KeyFormat],
		ValueFormat:        formats[layer.ValueFormat],
		KeyGroupSize:       layer.KeyGroupSize,
		ValueGroupSize:     layer.ValueGroupSize,
		KeyRotationBlock:   layer.KeyRotationBlock,
		ValueRotationBlock: layer.ValueRotationBlock,
		CenterKeys:         layer.CenterKeys != 0,
		ScaleSearch:        layer.ScaleSearch != 0,
		SinkTokens:         layer.SinkTokens,
		RecentBlocks:       layer.RecentBlocks,
		ExactDType:         dtypes[layer.ExactDType],
		Window:             layer.Window,
		Seed:               uint64(layer.Seed),
	}
}

// goldenTokens are tokens first to first + count - 1 of a case.
func goldenTokens(c *golden.Tokens, first, count int) turboquant.KV {
	return turboquant.KV{
		Count:  count,
		Keys:   buffer(c.KeyInput.Tensor(first, count, c.Layer.KVHeads, c.Layer.KeyDim), c.DType),
		Values: buffer(c.ValueInput.Tensor(first, count, c.Layer.KVHeads, c.Layer.Values()), c.DType),
	}
}

// goldenSequence makes the calls of a case and returns the length that comes out.
func goldenSequence(t *testing.T, c *golden.Tokens) (*turboquant.Cache, *turboquant.Sequence, int) {
	cache := newCache(t, goldenLayer(&c.Layer))
	sequence := newSequence(t, cache)
	length := 0
	for _, step := range c.Steps {
		switch step.Call {
		case "append":
			must(t, sequence.Append(0, goldenTokens(c, length, step.Count)))
			length += step.Count
		case "truncate":
			must(t, sequence.Truncate(step.Count))
			length = step.Count
		default:
			t.Fatalf("unknown step %q", step.Call)
		}
	}
	return cache, sequence, length
}

func TestCacheReadsTheGoldenTokens(t *testing.T) {
	for _, file := range []string{"cache_sizes.json", "cache_formats.json", "cache_steps.json", "cache_hard.json"} {
		for _, c := range golden.Load[golden.Cache](t, file) {
			t.Run(c.Name, func(t *testing.T) { checkCache(t, &c) })
		}
	}
}

func checkCache(t *testing.T, c *golden.Cache) {
	_, sequence, _ := goldenSequence(t, &c.Tokens)
	length := value[int](t)(sequence.Length(0))
	if length != c.Length {
		t.Fatalf("length %d, expected %d", length, c.Length)
	}
	keyRow, valueRow := c.Layer.KVHeads*c.Layer.KeyDim, c.Layer.KVHeads*c.Layer.Values()
	keys, values := make([]float32, length*keyRow), make([]float32, length*valueRow)
	must(t, sequence.Read(0, 0, turboquant.KV{
		Count: length, Keys: turboquant.Float32(keys), Values: turboquant.Float32(values),
	}))
	s := c.SampleToken
	same(t, "sample keys", keys[s*keyRow:(s+1)*keyRow], c.SampleKeys)
	same(t, "sample values", values[s*valueRow:(s+1)*valueRow], c.SampleValues)
	if digest := golden.Digest(keys); digest != c.ReadKeys {
		t.Errorf("digest of the keys %#x, expected %#x", digest, c.ReadKeys)
	}
	if digest := golden.Digest(values); digest != c.ReadValues {
		t.Errorf("digest of the values %#x, expected %#x", digest, c.ReadValues)
	}
}

func TestAttendGivesTheGoldenOutputs(t *testing.T) {
	for _, c := range golden.Load[golden.Attention](t, "attention.json") {
		t.Run(c.Name, func(t *testing.T) { checkAttention(t, &c) })
	}
}

func checkAttention(t *testing.T, c *golden.Attention) {
	cache, sequence, length := goldenSequence(t, &c.Tokens)
	output := make([]float32, c.NQuery*c.QHeads*c.Layer.Values())
	item := turboquant.AttendItem{
		Sequence:  sequence,
		NQuery:    c.NQuery,
		Query:     turboquant.Float32(c.QueryInput.Tensor(0, c.NQuery, c.QHeads, c.Layer.KeyDim)),
		Output:    turboquant.Float32(output),
		LogSumExp: make([]float32, c.NQuery*c.QHeads),
	}
	if c.NewTokens != 0 {
		fresh := goldenTokens(&c.Tokens, length, c.NQuery)
		item.NewTokens = &fresh
	}
	must(t, cache.Attend(turboquant.AttendOptions{
		QHeads:     c.QHeads,
		NonCausal:  c.Causal == 0,
		Scale:      c.Scale,
		Softcap:    c.Softcap,
		SinkLogits: c.SinkLogits,
	}, item))

	squares, i := 0.0, 0
	for q, heads := range c.Output {
		for h, row := range heads {
			for _, want := range row {
				squares += math.Pow(float64(output[i])-want, 2)
				i++
			}
			got, want := float64(item.LogSumExp[q*c.QHeads+h]), float64(c.LogSumExp[q][h])
			if got != want && !(math.Abs(got-want) <= float64(c.Tolerance.LogSumExp)) {
				t.Errorf("query %d, head %d: log-sum-exp %g, expected %g", q, h, got, want)
			}
		}
	}
	if rms := math.Sqrt(squares / float64(len(output))); i != len(output) || !(rms <= c.Tolerance.OutputRMS) {
		t.Errorf("%d of %d outputs deviate by %g (rms), more than %g", i, len(output), rms, c.Tolerance.OutputRMS)
	}
}
