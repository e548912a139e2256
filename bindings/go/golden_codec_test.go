package turboquant_test

import (
	"bytes"
	"math"
	"testing"

	turboquant "github.com/libturboquant/libturboquant/bindings/go"
	"github.com/libturboquant/libturboquant/bindings/go/internal/golden"
)

func TestCodecWritesAndReadsTheGoldenCodes(t *testing.T) {
	for _, file := range []string{"codec_tq4.json", "codec_tq8.json", "codec_16bit.json", "codec_hard.json"} {
		for _, c := range golden.Load[golden.Codec](t, file) {
			t.Run(c.Name, func(t *testing.T) { checkCodec(t, &c) })
		}
	}
}

func goldenCodec(t *testing.T, c *golden.Codec) *turboquant.Codec {
	codec, err := turboquant.NewCodec(turboquant.CodecOptions{
		HeadDim:       c.HeadDim,
		Format:        formats[c.Format],
		GroupSize:     c.GroupSize,
		RotationBlock: c.RotationBlock,
		ScaleSearch:   c.ScaleSearch != 0,
		Layout:        layouts[c.Layout],
		Seed:          uint64(c.Seed),
	})
	must(t, err)
	t.Cleanup(func() { codec.Close() })
	return codec
}

func checkCodec(t *testing.T, c *golden.Codec) {
	codec := goldenCodec(t, c)
	vectors := buffer(c.Input.Tensor(0, c.Count, 1, c.HeadDim), c.InputDType)
	codes, err := codec.Encode(turboquant.Rows{Data: vectors, Count: c.Count})
	must(t, err)
	if len(codes) != c.CodesBytes || !bytes.Equal(codes, c.Codes) {
		t.Fatalf("%d bytes of codes differ from the golden %d", len(codes), c.CodesBytes)
	}
	decoded, err := codec.Decode(codes, 0, c.Count)
	must(t, err)
	same(t, "first values", decoded[:len(c.DecodedFirst)], c.DecodedFirst)
	if digest := golden.Digest(decoded); digest != c.Decoded {
		t.Errorf("digest %#x, expected %#x", digest, c.Decoded)
	}
}

func TestRotateIsTheGoldenRotation(t *testing.T) {
	exact := 0
	for _, c := range golden.Load[golden.Rotation](t, "rotation.json") {
		root := math.Sqrt(float64(c.RotationBlock))
		if math.Mod(math.Log2(root), 1) != 0 {
			continue // dividing by sqrt(n) rounds
		}
		exact++
		t.Run(c.Name, func(t *testing.T) {
			options := turboquant.NewCodecOptions(c.HeadDim)
			options.RotationBlock, options.Seed = c.RotationBlock, uint64(c.Seed)
			codec := value[*turboquant.Codec](t)(turboquant.NewCodec(options))
			defer codec.Close()
			rows := c.Input.Tensor(0, c.Count, 1, c.HeadDim)
			must(t, codec.Rotate(rows))
			want := make([]float32, len(rows))
			for i := range want {
				want[i] = c.Rotated[i] / float32(root)
			}
			same(t, "rotated", rows, want)
		})
	}
	if exact < 5 {
		t.Errorf("only %d cases have an exact root", exact)
	}
}
