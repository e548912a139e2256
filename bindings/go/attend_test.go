package turboquant_test

import (
	"fmt"
	"math"
	"testing"

	turboquant "github.com/libturboquant/libturboquant/bindings/go"
	"github.com/libturboquant/libturboquant/bindings/go/internal/golden"
)

const qHeads = 4

var attendLayer = turboquant.NewLayerOptions(2, 64)

// newItem is an item of n queries whose memory is its own.
func newItem(sequence *turboquant.Sequence, n, seed int, fresh bool) turboquant.AttendItem {
	item := turboquant.AttendItem{
		Sequence:  sequence,
		NQuery:    n,
		Query:     turboquant.Float32(pattern(n*qHeads*64, seed)),
		Output:    turboquant.Float32(make([]float32, n*qHeads*64)),
		LogSumExp: make([]float32, n*qHeads),
	}
	if fresh {
		kv := tokens(attendLayer, n, seed+1)
		item.NewTokens = &kv
	}
	return item
}

// outputs runs a call and returns what it wrote, item after item.
func outputs(t *testing.T, cache *turboquant.Cache, options turboquant.AttendOptions, n []int, fresh bool,
	sequences []*turboquant.Sequence) []float32 {
	items, memory := make([]turboquant.AttendItem, len(n)), [][]float32{}
	for i := range items {
		items[i] = newItem(sequences[i], n[i], i+1, fresh)
		out := make([]float32, n[i]*qHeads*64)
		items[i].Output = turboquant.Float32(out)
		memory = append(memory, out, items[i].LogSumExp)
	}
	must(t, cache.Attend(options, items...))
	var all []float32
	for _, part := range memory {
		all = append(all, part...)
	}
	return all
}

// A batch gives the bits that its items give one by one, with and without threads.
func TestBatchesGiveWhatSingleCallsGive(t *testing.T) {
	cache := newCache(t, attendLayer)
	sequences, n := []*turboquant.Sequence{}, []int{}
	for i, length := range []int{300, 5, 64, 1000, 90} {
		sequence := newSequence(t, cache)
		must(t, sequence.Append(0, tokens(attendLayer, length, i)))
		sequences, n = append(sequences, sequence), append(n, 1+i%3)
	}
	pool := value[*turboquant.Pool](t)(turboquant.NewPool(3))
	defer pool.Close()
	for _, fresh := range []bool{false, true} {
		options := turboquant.AttendOptions{QHeads: qHeads, SinkLogits: []float32{1, -1, 0, 2}}
		batch := outputs(t, cache, options, n, fresh, sequences)
		options.Pool = pool
		same(t, "with a pool", outputs(t, cache, options, n, fresh, sequences), batch)
		var single []float32
		for i := range sequences {
			item := newItem(sequences[i], n[i], i+1, fresh)
			out := make([]float32, n[i]*qHeads*64)
			item.Output = turboquant.Float32(out)
			item.Sequence = nil
			must(t, sequences[i].Attend(options, item))
			single = append(append(single, out...), item.LogSumExp...)
		}
		same(t, "one by one", single, batch)
	}
}

// The same with the memory of all items in one slice each, strides included.
func TestBatchInSharedSlices(t *testing.T) {
	cache := newCache(t, attendLayer)
	const count, row = 6, qHeads * 65
	query, output, lse := make([]float32, count*row), make([]float32, count*row), make([]float32, count*qHeads)
	items, want := make([]turboquant.AttendItem, count), []float32{}
	for i := range items {
		sequence := newSequence(t, cache)
		must(t, sequence.Append(0, tokens(attendLayer, 100+10*i, i)))
		single := newItem(sequence, 1, i, false)
		out := make([]float32, qHeads*64)
		single.Output = turboquant.Float32(out)
		must(t, cache.Attend(turboquant.AttendOptions{QHeads: qHeads}, single))
		want = append(want, out...)
		copy(query[i*row:], apart(pattern(qHeads*64, i), 1, qHeads, 64, row))
		items[i] = turboquant.AttendItem{
			Sequence: sequence, NQuery: 1, Query: turboquant.Float32(query[i*row : (i+1)*row]), QueryTokenStride: row,
			QueryHeadStride: 65, Output: turboquant.Float32(output[i*row : (i+1)*row]), OutputTokenStride: row,
			OutputHeadStride: 65, LogSumExp: lse[i*qHeads : (i+1)*qHeads],
		}
	}
	must(t, cache.Attend(turboquant.AttendOptions{QHeads: qHeads}, items...))
	same(t, "outputs", output, apart(want, count, qHeads, 64, row))
}

func TestAttendIn16Bit(t *testing.T) {
	cache := newCache(t, attendLayer)
	sequence := newSequence(t, cache)
	must(t, sequence.Append(0, tokens(attendLayer, 150, 1)))
	for _, dtype := range []string{"f16", "bf16"} {
		query := golden.Bits(pattern(qHeads*64, 2), dtype)
		exact, bits := make([]float32, qHeads*64), make([]uint16, qHeads*64)
		item := turboquant.AttendItem{Sequence: sequence, NQuery: 1, Query: turboquant.Bits16(dtypes[dtype], query)}
		item.Output = turboquant.Float32(exact)
		must(t, cache.Attend(turboquant.AttendOptions{QHeads: qHeads}, item))
		item.Output = turboquant.Bits16(dtypes[dtype], bits)
		must(t, cache.Attend(turboquant.AttendOptions{QHeads: qHeads}, item))
		same(t, dtype, golden.Values(bits, dtype), golden.Values(golden.Bits(exact, dtype), dtype))
	}
}

// One token gets all the weight, so its value comes out: as it was for new tokens, to 16 bit for cached ones.
func TestAttendOfOneToken(t *testing.T) {
	cache := newCache(t, attendLayer)
	sequence := newSequence(t, cache)
	item := newItem(sequence, 1, 1, true)
	out := make([]float32, qHeads*64)
	item.Output = turboquant.Float32(out)
	must(t, cache.Attend(turboquant.AttendOptions{QHeads: qHeads}, item))
	values := pattern(2*64, 3)
	for h := range qHeads {
		same(t, fmt.Sprint("head ", h), out[h*64:(h+1)*64], values[h/2*64:(h/2+1)*64])
	}
}

func TestAttendOfNothing(t *testing.T) {
	cache := newCache(t, attendLayer)
	must(t, cache.Attend(turboquant.AttendOptions{QHeads: qHeads}))
	sequence := newSequence(t, cache)
	item := newItem(sequence, 2, 1, false)
	must(t, cache.Attend(turboquant.AttendOptions{QHeads: qHeads, NonCausal: true}, item))
	for _, lse := range item.LogSumExp {
		if !math.IsInf(float64(lse), -1) {
			t.Errorf("log-sum-exp of nothing is %g", lse)
		}
	}
	none := turboquant.AttendItem{Sequence: sequence, Query: turboquant.Float32(nil), Output: turboquant.Float32(nil)}
	must(t, cache.Attend(turboquant.AttendOptions{QHeads: qHeads}, none))
}

func TestBadAttendCallsAreRefused(t *testing.T) {
	cache, other := newCache(t, attendLayer), newCache(t, attendLayer)
	sequence, foreign := newSequence(t, cache), newSequence(t, other)
	must(t, sequence.Append(0, tokens(attendLayer, 20, 1)))
	closed := newSequence(t, cache)
	must(t, closed.Close())
	bits := make([]uint16, 2*qHeads*64)
	type item = turboquant.AttendItem
	type options = turboquant.AttendOptions
	for _, c := range []struct {
		change  func(*item)
		options options
		words   string
	}{
		{func(i *item) { i.Sequence = nil }, options{}, "items[0]: sequence is nil"},
		{func(i *item) { i.Sequence = &turboquant.Sequence{} }, options{}, "sequence is nil"},
		{func(i *item) { i.Sequence = foreign }, options{}, "another cache"},
		{func(i *item) { i.Sequence = closed }, options{}, "sequence is closed"},
		{func(i *item) { i.NQuery = 3 }, options{}, "Query has 512 elements; expected [3][4][64]"},
		{func(i *item) { i.NQuery = -1 }, options{}, "count is -1"},
		{func(i *item) { i.Output = turboquant.Float32(nil) }, options{}, "Output has 0 elements"},
		{func(i *item) { i.Query = turboquant.Bits16(turboquant.F32, bits) }, options{}, "Query: 16-bit"},
		{func(i *item) { i.QueryHeadStride, i.QueryTokenStride = 65, 256 }, options{}, "Query has 512 elements, but"},
		{func(i *item) { i.OutputTokenStride = 8 }, options{}, "Output: token stride 8"},
		{func(i *item) { i.LogSumExp = i.LogSumExp[:1] }, options{}, "LogSumExp has 1 elements"},
		{func(i *item) { i.NewTokens = &turboquant.KV{Count: 2} }, options{}, "keys has 0 elements"},
		{func(i *item) { kv := tokens(attendLayer, 3, 1); i.NewTokens = &kv }, options{}, "new_tokens holds 3"},
		{func(i *item) { *i = newItem(sequence, 21, 1, false) }, options{}, "n_query is 21"},
		{func(i *item) {}, options{Layer: 1}, "layer is 1"},
		{func(i *item) {}, options{Layer: -1}, "layer is -1"},
		{func(i *item) {}, options{QHeads: -4}, "q_heads is -4"},
		{func(i *item) {}, options{SinkLogits: make([]float32, 3)}, "SinkLogits has 3 elements"},
		{func(i *item) {}, options{Scale: float32(math.NaN())}, "scale is nan"},
		{func(i *item) {}, options{Softcap: -1}, "softcap is -1"},
		{func(i *item) {}, options{Pool: &turboquant.Pool{}}, "nil"},
	} {
		good, bad := newItem(sequence, 2, 1, false), newItem(sequence, 2, 1, false)
		c.change(&bad)
		if c.options.QHeads == 0 {
			c.options.QHeads = qHeads
		}
		refused(t, cache.Attend(c.options, bad), turboquant.ErrInvalidArgument, c.words)
		if len(c.words) > 8 && c.words[:8] == "items[0]" {
			c.words = "items[1]" + c.words[8:]
		}
		refused(t, cache.Attend(c.options, good, bad), turboquant.ErrInvalidArgument, c.words)
		must(t, cache.Attend(turboquant.AttendOptions{QHeads: qHeads}, good)) // no lock is left behind
		must(t, sequence.Truncate(20))
	}
	mixed := newItem(sequence, 2, 1, false)
	mixed.Query = turboquant.Float16(bits)
	err := cache.Attend(turboquant.AttendOptions{QHeads: qHeads}, newItem(sequence, 2, 1, false), mixed)
	refused(t, err, turboquant.ErrInvalidArgument, "items[1]: Query is f16 and Output is f32")
	none := item{Sequence: sequence, Query: turboquant.Float32(nil), Output: turboquant.Float32(nil)}
	refused(t, cache.Attend(options{QHeads: 3}, none), turboquant.ErrInvalidArgument, "q_heads is 3")
	refused(t, cache.Attend(options{}, none), turboquant.ErrInvalidArgument, "q_heads is 0")
	refused(t, sequence.Attend(options{QHeads: qHeads}, newItem(closed, 2, 1, false)), turboquant.ErrInvalidArgument,
		"the item's Sequence is another one")
	_, err = turboquant.NewPool(0)
	refused(t, err, turboquant.ErrInvalidArgument, "threads is 0")
	_, err = turboquant.NewPool(-1)
	refused(t, err, turboquant.ErrInvalidArgument, "threads is -1")
}
