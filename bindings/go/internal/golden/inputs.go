package golden

import (
	"fmt"
	"math"
)

// Input is a formula for test data. Its values are integers times powers of two.
type Input struct {
	Kind     string
	Exponent int
	Seed     int
	Span     int
	Integer  int
}

// Tensor returns [count][heads][dim] values; the first token is token `first` of the formula.
func (in *Input) Tensor(first, count, heads, dim int) []float32 {
	values := make([]float32, 0, count*heads*dim)
	for t := first; t < first+count; t++ {
		for h := range heads {
			for j := range dim {
				integer, exponent := in.at(t, h, j, dim)
				values = append(values, float32(math.Ldexp(float64(integer), exponent)))
			}
		}
	}
	return values
}

// at returns the value's integer and the exponent of its power of two.
func (in *Input) at(t, h, j, dim int) (integer, exponent int) {
	seed, exponent := in.Seed, in.Exponent
	base := (131*t+37*h+71*j+3*t*j+5*j*j+101*seed)%509 - 254
	switch in.Kind {
	case "pattern":
		return base, exponent
	case "range":
		return base, exponent + (7*t+3*h+5*j+seed)%in.Span
	case "offset":
		return (131*t+37*h+71*j+3*t*j+101*seed)%61 - 30 + 2*((7*j*j+13*h+17*seed)%97-48), exponent
	case "zero":
		return 0, 0
	case "constant":
		return in.Integer, exponent
	case "spike":
		if j == (7*t+3*h+seed)%dim {
			return in.Integer, exponent + t%8
		}
		return 0, 0
	case "loud_token":
		if t%64 == 21 {
			exponent += 20
		}
		return base, exponent
	case "alternating":
		return (1 + t%5) * (1 - j%2*2), exponent
	case "ties":
		if j%8 == 0 {
			return 4096, exponent
		}
		return 2*((13*t+5*h+3*j+seed)%100) + 1, exponent
	case "ties8":
		if j%8 == 0 {
			return 254, exponent
		}
		return 2*((13*t+5*h+3*j+seed)%127) + 1, exponent
	case "ramp":
		return (t*dim+j)%255 - 127, exponent
	case "group_steps":
		return base, exponent - 9*((j/64+t)%4)
	case "integers":
		return (1361*t+37*h+711*j+3*t*j+5*j*j+101*seed)%8191 - 4095, exponent
	case "fine":
		return (1048573*t+524287*h+786433*j+65521*t*j+262139*seed)%16777213 - 8388606, exponent
	}
	panic(fmt.Sprintf("unknown kind of input: %q", in.Kind))
}

// Bits rounds f32 values to "f16" or "bf16", to nearest even, and returns their bits.
func Bits(values []float32, dtype string) []uint16 {
	bits := make([]uint16, len(values))
	for i, value := range values {
		switch dtype {
		case "f16":
			bits[i] = bitsF16(value)
		case "bf16":
			pattern := math.Float32bits(value)
			bits[i] = uint16((pattern + 0x7FFF + pattern>>16&1) >> 16)
		default:
			panic(fmt.Sprintf("not a 16-bit type: %q", dtype))
		}
	}
	return bits
}

// bitsF16 lets float64 arithmetic round: adding and subtracting 2^52 units leaves whole units, ties to even.
func bitsF16(value float32) uint16 {
	sign := uint16(math.Float32bits(value)>>16) & 0x8000
	magnitude := math.Abs(float64(value))
	exponent := max(math.Ilogb(magnitude), -14) // denormal numbers have the unit of the smallest normal ones
	if magnitude == 0 {
		return sign
	}
	units := math.RoundToEven(math.Ldexp(magnitude, 10-exponent))
	// Normal numbers have 1024 to 2048 units; 2048 carry into the exponent by themselves.
	return sign | uint16((exponent+14)<<10+int(units))
}

// Values is the inverse of Bits.
func Values(bits []uint16, dtype string) []float32 {
	values := make([]float32, len(bits))
	for i, pattern := range bits {
		if dtype == "bf16" {
			values[i] = math.Float32frombits(uint32(pattern) << 16)
			continue
		}
		exponent, fraction := int(pattern>>10&31), int(pattern&1023)
		if exponent == 0 {
			exponent = 1
		} else {
			fraction += 1024
		}
		magnitude := float32(math.Ldexp(float64(fraction), exponent-25))
		values[i] = math.Float32frombits(math.Float32bits(magnitude) | uint32(pattern>>15)<<31)
	}
	return values
}
