package format

import "math"

// codebook holds the magnitudes of tq4 codes, in units of their scale.
var codebook = [8]float32{3, 9, 15, 21, 28, 36, 46, 61}

// nibbleValue is the value of a tq4 code: three bits of magnitude and a sign.
func nibbleValue(code byte) float32 {
	if code&8 != 0 {
		return -codebook[code&7]
	}
	return codebook[code&7]
}

// scale is what a scale byte stands for beside the offset of its block (section 2).
func scale(code byte, offset int8) float32 {
	if code == 0 {
		return 0
	}
	exponent := int(code>>4) + int(offset)
	return float32(math.Ldexp(float64(16+code&15), exponent-4))
}

// half returns the value of an IEEE 754 half-precision number.
func half(bits uint16) float32 {
	sign := uint32(bits>>15) << 31
	exponent, fraction := uint32(bits>>10)&31, uint32(bits)&1023
	switch exponent {
	case 0: // zero and denormal numbers: fraction * 2^-24
		magnitude := float32(fraction) * 0x1p-24
		return math.Float32frombits(sign | math.Float32bits(magnitude))
	case 31: // infinity and NaN
		return math.Float32frombits(sign | 0x7F800000 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}

// decode16 writes little-endian 16-bit numbers to row.
func decode16(row []float32, data []byte, f Format) {
	for j := range row {
		bits := uint16(data[2*j]) | uint16(data[2*j+1])<<8
		if f == BF16 {
			row[j] = math.Float32frombits(uint32(bits) << 16)
		} else {
			row[j] = half(bits)
		}
	}
}
