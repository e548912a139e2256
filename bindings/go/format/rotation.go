package format

import "math"

// rotation undoes R of section 1: signs and an unnormalised Walsh-Hadamard transform of every aligned run of n.
type rotation struct {
	n       int
	inverse float32  // 1/n, a power of two
	flips   []uint32 // per coordinate the sign bit, or 0
}

func newRotation(seed uint64, dim, block int) rotation {
	if block == 0 {
		block = dim & -dim // the largest power of two that divides dim
	}
	r := rotation{n: block, inverse: 1 / float32(block), flips: make([]uint32, dim)}
	for j := range r.flips {
		r.flips[j] = uint32(signWord(seed, j/64)>>(j%64)&1) << 31
	}
	return r
}

// signWord is SplitMix64, used as a counter: the signs of coordinates 64 i to 64 i + 63.
func signWord(seed uint64, i int) uint64 {
	z := seed + (uint64(i)+1)*0x9E3779B97F4A7C15
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
	z = (z ^ (z >> 27)) * 0x94D049BB133111EB
	return z ^ (z >> 31)
}

// undo replaces the row y by R^-1(y).
func (r *rotation) undo(y []float32) {
	for first := 0; first < len(y); first += r.n {
		transform(y[first : first+r.n])
	}
	for j, value := range y {
		y[j] = math.Float32frombits(math.Float32bits(float32(value*r.inverse)) ^ r.flips[j])
	}
}

// transform adds and subtracts in the documented order; there is nothing to fuse.
func transform(x []float32) {
	for h := 1; h < len(x); h *= 2 {
		for block := 0; block < len(x); block += 2 * h {
			for i := block; i < block+h; i++ {
				x[i], x[i+h] = x[i]+x[i+h], x[i]-x[i+h]
			}
		}
	}
}
