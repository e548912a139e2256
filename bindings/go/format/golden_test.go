package format_test

import (
	"testing"

	"github.com/libturboquant/libturboquant/bindings/go/format"
	"github.com/libturboquant/libturboquant/bindings/go/internal/golden"
)

var formats = map[string]format.Format{"tq4": format.TQ4, "tq8": format.TQ8, "f16": format.F16, "bf16": format.BF16}

var layouts = map[string]format.Layout{"vectors": format.LayoutVectors, "blocks": format.LayoutBlocks}

func TestVectorsDecodeTheGoldenCodes(t *testing.T) {
	for _, file := range []string{"codec_tq4.json", "codec_tq8.json", "codec_16bit.json", "codec_hard.json"} {
		for _, c := range golden.Load[golden.Codec](t, file) {
			t.Run(c.Name, func(t *testing.T) { checkVectors(t, &c) })
		}
	}
}

func checkVectors(t *testing.T, c *golden.Codec) {
	reader, err := format.NewVectors(format.VectorOptions{
		HeadDim:       c.HeadDim,
		Format:        formats[c.Format],
		GroupSize:     c.GroupSize,
		RotationBlock: c.RotationBlock,
		Layout:        layouts[c.Layout],
		Seed:          uint64(c.Seed),
	})
	if err != nil {
		t.Fatal(err)
	}
	if bytes, err := reader.EncodedBytes(c.Count); err != nil || bytes != c.CodesBytes {
		t.Errorf("EncodedBytes is %d (%v), expected %d", bytes, err, c.CodesBytes)
	}
	all := make([]float32, c.Count*c.HeadDim)
	if err := reader.Decode(all, c.Codes, 0, c.Count); err != nil {
		t.Fatal(err)
	}
	if difference := golden.Difference(all[:len(c.DecodedFirst)], c.DecodedFirst); difference != "" {
		t.Error(difference)
	}
	if digest := golden.Digest(all); digest != c.Decoded {
		t.Errorf("digest %#x, expected %#x", digest, c.Decoded)
	}
	one := make([]float32, c.HeadDim)
	for i := range c.Count { // random access gives the same
		if err := reader.Decode(one, c.Codes, i, 1); err != nil {
			t.Fatal(err)
		}
		if difference := golden.Difference(one, all[i*c.HeadDim:(i+1)*c.HeadDim]); difference != "" {
			t.Fatalf("vector %d alone: %s", i, difference)
		}
	}
}

func TestPagesDecodeTheGoldenPages(t *testing.T) {
	digests := 0
	for _, file := range []string{"cache_sizes.json", "cache_formats.json", "cache_steps.json", "cache_hard.json"} {
		for _, c := range golden.Load[golden.Cache](t, file) {
			t.Run(c.Name, func(t *testing.T) {
				if checkPages(t, &c) {
					digests++
				}
			})
		}
	}
	if digests < 70 {
		t.Errorf("only %d cases were compared as a whole", digests)
	}
}

// checkPages decodes the pages of a case and compares the sample token, if it lies in a page, and the digests of all
// tokens, if the exact ones are those of the formula. That is so unless a cut has decoded a page into them.
func checkPages(t *testing.T, c *golden.Cache) (whole bool) {
	reader := newPages(t, &c.Layer)
	if reader.Bytes() != c.PageBytes {
		t.Fatalf("Bytes is %d, expected %d", reader.Bytes(), c.PageBytes)
	}
	heads, keyDim, valueDim := c.Layer.KVHeads, c.Layer.KeyDim, c.Layer.Values()
	keys := exactTokens(&c.KeyInput, c, keyDim)
	values := exactTokens(&c.ValueInput, c, valueDim)
	first := min(c.Layer.SinkTokens, c.Length)
	for i, page := range c.Pages {
		from, to := first+i*format.BlockTokens, first+(i+1)*format.BlockTokens
		k, v := keys[from*heads*keyDim:to*heads*keyDim], values[from*heads*valueDim:to*heads*valueDim]
		if err := reader.Decode(k, v, page); err != nil {
			t.Fatal(err)
		}
	}
	if s := c.SampleToken; s >= first && s < first+len(c.Pages)*format.BlockTokens {
		if d := golden.Difference(keys[s*heads*keyDim:(s+1)*heads*keyDim], c.SampleKeys); d != "" {
			t.Errorf("keys of token %d: %s", s, d)
		}
		if d := golden.Difference(values[s*heads*valueDim:(s+1)*heads*valueDim], c.SampleValues); d != "" {
			t.Errorf("values of token %d: %s", s, d)
		}
	}
	for _, step := range c.Steps {
		if step.Call == "truncate" {
			return false
		}
	}
	if digest := golden.Digest(keys); digest != c.ReadKeys {
		t.Errorf("digest of the keys %#x, expected %#x", digest, c.ReadKeys)
	}
	if digest := golden.Digest(values); digest != c.ReadValues {
		t.Errorf("digest of the values %#x, expected %#x", digest, c.ReadValues)
	}
	return true
}

func newPages(t *testing.T, layer *golden.Layer) *format.Pages {
	reader, err := format.NewPages(format.PageOptions{
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
		Seed:               uint64(layer.Seed),
	})
	if err != nil {
		t.Fatal(err)
	}
	return reader
}

// exactTokens are all tokens of a case as the 16-bit type of its sequence holds them.
func exactTokens(in *golden.Input, c *golden.Cache, dim int) []float32 {
	values := in.Tensor(0, c.Length, c.Layer.KVHeads, dim)
	return golden.Values(golden.Bits(values, c.StoredDType), c.StoredDType)
}
