package format

import (
	"math"
	"testing"
)

func TestHalfPrecisionNumbers(t *testing.T) {
	for bits, want := range map[uint16]float32{
		0x0000: 0, 0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 0x0400: 0x1p-14, 0x0001: 0x1p-24, 0x83ff: -1023 * 0x1p-24,
		0x7c00: float32(math.Inf(1)), 0xfc00: float32(math.Inf(-1)), 0x3555: 0x1.554p-2,
	} {
		if got := half(bits); got != want {
			t.Errorf("%04x: got %g, expected %g", bits, got, want)
		}
	}
	if zero := half(0x8000); zero != 0 || !math.Signbit(float64(zero)) {
		t.Errorf("8000: got %g, expected -0", zero)
	}
	if nan := half(0x7e00); !math.IsNaN(float64(nan)) {
		t.Errorf("7e00: got %g, expected NaN", nan)
	}
}

func TestScales(t *testing.T) {
	for _, c := range []struct {
		code   byte
		offset int8
		want   float32
	}{
		{0, 100, 0}, {0xf0, -15, 1}, {0xff, -15, 1.9375}, {0x01, 0, 1.0625}, {0x1f, -128, 1.9375 * 0x1p-127},
	} {
		if got := scale(c.code, c.offset); got != c.want {
			t.Errorf("byte %#x with offset %d: got %g, expected %g", c.code, c.offset, got, c.want)
		}
	}
}
