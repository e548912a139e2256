package turboquant_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	turboquant "github.com/libturboquant/libturboquant/bindings/go"
	"github.com/libturboquant/libturboquant/bindings/go/internal/cloop"
)

// benchSequence has the shape that cloop gives its own.
type benchSequence struct {
	*turboquant.Sequence
	cache   *turboquant.Cache
	options turboquant.AttendOptions
	item    turboquant.AttendItem
	kv      turboquant.KV
	length  int
}

func newBenchSequence(b *testing.B, heads, dim, length, count int) *benchSequence {
	layer := turboquant.NewLayerOptions(heads, dim)
	cache := newCache(b, layer)
	s := &benchSequence{Sequence: newSequence(b, cache), cache: cache, length: length}
	must(b, s.Append(0, tokens(layer, length, 1)))
	s.kv = tokens(layer, count, 2)
	s.options = turboquant.AttendOptions{QHeads: heads}
	s.item = turboquant.AttendItem{
		Sequence: s.Sequence, NQuery: 1, Query: turboquant.Float32(pattern(heads*dim, 3)),
		Output: turboquant.Float32(make([]float32, heads*dim)),
	}
	return s
}

func (s *benchSequence) attend(times int) (err error) {
	for i := 0; i < times && err == nil; i++ {
		err = s.cache.Attend(s.options, s.item)
	}
	return err
}

func (s *benchSequence) append(times int) (err error) {
	for i := 0; i < times && err == nil; i++ {
		err = s.Append(0, s.kv)
	}
	return err
}

func (s *benchSequence) truncate() error { return s.Truncate(s.length) }

// benchCall makes a number of calls, and takes back what they have done; only the first is timed.
type benchCall struct {
	run  func(times int) error
	undo func() error
}

// compare times the two in turns, in batches of about 100 microseconds, so that whatever else the machine does hits
// both alike. It reports the best and the median time of a call, and the median of what Go takes longer than C.
func compare(b *testing.B, fromGo, fromC benchCall) {
	start := time.Now()
	must(b, fromC.run(64))
	times := max(1, int(100*time.Microsecond*64/(time.Since(start)+1)))
	must(b, fromC.undo())
	measure := func(call benchCall) float64 {
		start := time.Now()
		must(b, call.run(times))
		elapsed := time.Since(start)
		must(b, call.undo())
		return float64(elapsed) / float64(times)
	}
	var inGo, inC, difference []float64
	for b.Loop() {
		c, g := measure(fromC), measure(fromGo)
		inC, inGo, difference = append(inC, c), append(inGo, g), append(difference, g-c)
	}
	b.ReportMetric(0, "ns/op") // of a batch: means nothing
	b.ReportMetric(slices.Min(inC), "C-min-ns")
	b.ReportMetric(slices.Min(inGo), "Go-min-ns")
	b.ReportMetric(median(inC), "C-ns")
	b.ReportMetric(median(inGo), "Go-ns")
	b.ReportMetric(median(difference), "more-ns")
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

// What a call from Go costs beyond the same call from C.
func BenchmarkOverhead(b *testing.B) {
	for _, c := range []struct{ heads, dim, length int }{{1, 64, 1}, {1, 64, 100}, {8, 128, 1000}} {
		name := fmt.Sprintf("heads=%d/dim=%d/tokens=%d", c.heads, c.dim, c.length)
		loop, err := cloop.New(c.heads, c.dim, c.length, 64)
		must(b, err)
		defer loop.Close()
		sequence := newBenchSequence(b, c.heads, c.dim, c.length, 64)
		nothing := func() error { return nil }
		b.Run("Attend/"+name, func(b *testing.B) {
			compare(b, benchCall{sequence.attend, nothing}, benchCall{loop.Attend, nothing})
		})
		b.Run("Append64/"+name, func(b *testing.B) {
			compare(b, benchCall{sequence.append, sequence.truncate}, benchCall{loop.Append, loop.Truncate})
		})
	}
}

// Calls with memory of one item, of items with memory of their own, which is pinned object by object, and of items cut
// out of shared slices, which are pinned once.
func BenchmarkAttend(b *testing.B) {
	const count, dim = 32, 64
	layer := turboquant.NewLayerOptions(1, dim)
	cache := newCache(b, layer)
	query, output := pattern(count*dim, 1), make([]float32, count*dim)
	own, shared := make([]turboquant.AttendItem, count), make([]turboquant.AttendItem, count)
	for i := range own {
		sequence := newSequence(b, cache)
		must(b, sequence.Append(0, tokens(layer, 1, i)))
		own[i] = turboquant.AttendItem{
			Sequence: sequence, NQuery: 1, Query: turboquant.Float32(pattern(dim, i)),
			Output: turboquant.Float32(make([]float32, dim)),
		}
		shared[i] = own[i]
		shared[i].Query = turboquant.Float32(query[i*dim : (i+1)*dim])
		shared[i].Output = turboquant.Float32(output[i*dim : (i+1)*dim])
	}
	options := turboquant.AttendOptions{QHeads: 1}
	for _, c := range []struct {
		name  string
		items []turboquant.AttendItem
	}{{"one item", own[:1]}, {"32 items, own memory", own}, {"32 items, shared slices", shared}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				must(b, cache.Attend(options, c.items...))
			}
			b.ReportMetric(float64(b.Elapsed())/float64(b.N*len(c.items)), "ns/item")
		})
	}
}

func BenchmarkAppend64AndTruncate(b *testing.B) {
	b.ReportAllocs()
	sequence := newBenchSequence(b, 1, 64, 1, 64)
	for b.Loop() {
		must(b, sequence.append(1))
		must(b, sequence.truncate())
	}
}
