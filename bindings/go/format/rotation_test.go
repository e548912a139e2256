package format

import (
	"math"
	"testing"

	"github.com/libturboquant/libturboquant/bindings/go/internal/golden"
)

func TestRotationIsTheGoldenOne(t *testing.T) {
	for _, c := range golden.Load[golden.Rotation](t, "rotation.json") {
		t.Run(c.Name, func(t *testing.T) {
			for i, word := range c.SignWords {
				if got := signWord(uint64(c.Seed), i); got != uint64(word) {
					t.Errorf("sign word %d is %#x, expected %#x", i, got, uint64(word))
				}
			}
			rotation := newRotation(uint64(c.Seed), c.HeadDim, c.RotationBlock)
			rows := c.Input.Tensor(0, c.Count, 1, c.HeadDim)
			for i := range c.Count {
				rotation.apply(rows[i*c.HeadDim : (i+1)*c.HeadDim])
			}
			if difference := golden.Difference(rows, c.Rotated); difference != "" {
				t.Error(difference)
			}
		})
	}
}

// Small integers make every step exact, so the inverse must give them back.
func TestUndoIsTheInverse(t *testing.T) {
	for _, dim := range []int{1, 2, 3, 64, 80, 96, 128, 1000, 1024} {
		rotation := newRotation(DefaultSeed, dim, 0)
		row, want := make([]float32, dim), make([]float32, dim)
		for j := range row {
			row[j] = float32(1 + (7*j+dim)%31)
			want[j] = row[j]
		}
		rotation.apply(row)
		rotation.undo(row)
		if difference := golden.Difference(row, want); difference != "" {
			t.Errorf("dim %d: %s", dim, difference)
		}
	}
}

// apply replaces the row x by R(x).
func (r *rotation) apply(x []float32) {
	for j, value := range x {
		x[j] = math.Float32frombits(math.Float32bits(value) ^ r.flips[j])
	}
	for first := 0; first < len(x); first += r.n {
		transform(x[first : first+r.n])
	}
}
