package turboquant_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	turboquant "github.com/libturboquant/libturboquant/bindings/go"
)

// calls are all methods, each on receivers that may be nil, closed or zero values.
func calls(codec *turboquant.Codec, cache *turboquant.Cache, s *turboquant.Sequence) map[string]error {
	second := func(_ any, err error) error { return err }
	floats := make([]float32, 64)
	rows := turboquant.Rows{Data: turboquant.Float32(floats), Count: 1}
	kv := turboquant.KV{Count: 1, Keys: turboquant.Float32(floats), Values: turboquant.Float32(floats)}
	item := turboquant.AttendItem{Sequence: s, NQuery: 1, Query: turboquant.Float32(floats), Output: kv.Values}
	return map[string]error{
		"Encode":      second(codec.Encode(rows)),
		"EncodeInto":  codec.EncodeInto(make([]byte, 64), rows),
		"Decode":      second(codec.Decode(make([]byte, 64), 0, 1)),
		"DecodeInto":  codec.DecodeInto(rows, make([]byte, 64), 0),
		"Rotate":      codec.Rotate(floats),
		"Unrotate":    codec.Unrotate(floats),
		"Scores":      codec.Scores(floats[:1], make([]byte, 64), 1, floats),
		"NewSequence": second(cache.NewSequence()),
		"Stats":       second(cache.Stats()),
		"Attend":      cache.Attend(turboquant.AttendOptions{QHeads: 1}, item),
		"Attend of 2": cache.Attend(turboquant.AttendOptions{QHeads: 1}, item, item),
		"Attend of s": s.Attend(turboquant.AttendOptions{QHeads: 1}, item),
		"Fork":        second(s.Fork()),
		"Truncate":    s.Truncate(0),
		"Length":      second(s.Length(0)),
		"Append":      s.Append(0, kv),
		"Read":        s.Read(0, 0, kv),
	}
}

func TestNilAndZeroReceivers(t *testing.T) {
	for name, err := range calls(nil, nil, nil) {
		t.Run("nil "+name, func(t *testing.T) { refused(t, err, turboquant.ErrInvalidArgument, "nil") })
	}
	for name, err := range calls(new(turboquant.Codec), new(turboquant.Cache), new(turboquant.Sequence)) {
		t.Run("zero "+name, func(t *testing.T) { refused(t, err, turboquant.ErrInvalidArgument, "nil") })
	}
	for _, codec := range []*turboquant.Codec{nil, new(turboquant.Codec)} {
		if codec.VectorBytes() != 0 || codec.EncodedBytes(1) != 0 {
			t.Error("a codec that is none has sizes")
		}
	}
	must(t, (*turboquant.Codec)(nil).Close())
	must(t, (*turboquant.Cache)(nil).Close())
	must(t, (*turboquant.Sequence)(nil).Close())
	must(t, (*turboquant.Pool)(nil).Close())
	must(t, new(turboquant.Codec).Close())
	must(t, new(turboquant.Cache).Close())
	must(t, new(turboquant.Sequence).Close())
	must(t, new(turboquant.Pool).Close())
}

func TestClosedHandles(t *testing.T) {
	layer := turboquant.NewLayerOptions(1, 64)
	for _, close := range []func(*turboquant.Cache, *turboquant.Sequence){
		func(c *turboquant.Cache, s *turboquant.Sequence) { c.Close() },
		func(c *turboquant.Cache, s *turboquant.Sequence) { s.Close(); c.Close() },
	} {
		codec, cache := newCodec(t, turboquant.NewCodecOptions(64)), newCache(t, layer)
		sequence := newSequence(t, cache)
		must(t, sequence.Append(0, tokens(layer, 100, 1)))
		must(t, codec.Close())
		close(cache, sequence)
		for name, err := range calls(codec, cache, sequence) {
			t.Run(name, func(t *testing.T) {
				refused(t, err, turboquant.ErrInvalidArgument, "closed")
				if !errors.Is(err, turboquant.ErrClosed) {
					t.Errorf("%v is not ErrClosed", err)
				}
			})
		}
		must(t, codec.Close())
		must(t, sequence.Close())
		must(t, cache.Close())
		if codec.VectorBytes() != 0 || codec.EncodedBytes(1) != 0 {
			t.Error("a closed codec has sizes")
		}
	}
	cache := newCache(t, layer)
	pool := value[*turboquant.Pool](t)(turboquant.NewPool(2))
	must(t, pool.Close())
	err := cache.Attend(turboquant.AttendOptions{QHeads: 1, Pool: pool})
	refused(t, err, turboquant.ErrInvalidArgument, "pool is closed")
}

func TestClosedSequencesAreGone(t *testing.T) {
	layer := turboquant.NewLayerOptions(1, 64)
	cache := newCache(t, layer)
	first, second := newSequence(t, cache), newSequence(t, cache)
	must(t, first.Append(0, tokens(layer, 100, 1)))
	must(t, second.Append(0, tokens(layer, 10, 1)))
	must(t, first.Close())
	refused(t, first.Append(0, tokens(layer, 1, 1)), turboquant.ErrInvalidArgument, "sequence is closed")
	if stats := value[turboquant.Stats](t)(cache.Stats()); stats.Sequences != 1 || stats.Tokens != 10 {
		t.Errorf("%+v", stats)
	}
}

// Nobody but the call itself knows the handle. With the build tag tqdebuggc this finds every missing KeepAlive.
func TestHandlesLiveAsLongAsTheirCalls(t *testing.T) {
	layer := turboquant.NewLayerOptions(1, 64)
	newCodec := func() *turboquant.Codec {
		return value[*turboquant.Codec](t)(turboquant.NewCodec(turboquant.NewCodecOptions(64)))
	}
	newCache := func() *turboquant.Cache {
		return value[*turboquant.Cache](t)(turboquant.NewCache(turboquant.NewCacheOptions(1, layer)))
	}
	newSequence := func() *turboquant.Sequence { return value[*turboquant.Sequence](t)(newCache().NewSequence()) }
	floats, codes := pattern(64, 1), make([]byte, newCodec().EncodedBytes(1))
	rows := turboquant.Rows{Data: turboquant.Float32(floats), Count: 1}
	kv := turboquant.KV{Count: 1, Keys: rows.Data, Values: rows.Data}
	for range 5 {
		if bytes := newCodec().VectorBytes(); bytes != 34 {
			t.Errorf("VectorBytes is %d", bytes)
		}
		value[[]byte](t)(newCodec().Encode(rows))
		must(t, newCodec().EncodeInto(codes, rows))
		value[[]float32](t)(newCodec().Decode(codes, 0, 1))
		must(t, newCodec().Rotate(floats))
		must(t, newCodec().Unrotate(floats))
		must(t, newCodec().Scores(make([]float32, 1), codes, 1, floats))
		value[turboquant.Stats](t)(newCache().Stats())
		must(t, newSequence().Append(0, kv))
		must(t, newSequence().Truncate(0))
		value[int](t)(newSequence().Length(0))
		value[*turboquant.Sequence](t)(newSequence().Fork())
		must(t, newSequence().Read(0, 0, turboquant.KV{Keys: turboquant.Float32(nil)}))
		must(t, newSequence().Close())
		cache := newCache()
		item := turboquant.AttendItem{
			Sequence: value[*turboquant.Sequence](t)(cache.NewSequence()), NQuery: 1, Query: rows.Data,
			Output: turboquant.Float32(make([]float32, 64)), NewTokens: &kv,
		}
		pool := value[*turboquant.Pool](t)(turboquant.NewPool(1))
		must(t, cache.Attend(turboquant.AttendOptions{QHeads: 1, Pool: pool}, item))
	}
}

// inParallel runs f(0) to f(n - 1) on goroutines that start together.
func inParallel(n int, f func(i int)) {
	start, done := make(chan struct{}), sync.WaitGroup{}
	for i := range n {
		done.Add(1)
		go func() {
			defer done.Done()
			<-start
			f(i)
		}()
	}
	close(start)
	done.Wait()
}

// Calls on one sequence that exclude each other are refused as busy; what succeeded is there, and nothing else.
func TestManyWritersOfOneSequence(t *testing.T) {
	layer := turboquant.NewLayerOptions(1, 64)
	sequence := newSequence(t, newCache(t, layer))
	kv := tokens(layer, 1024, 1)
	var busy atomic.Int64
	for round := 0; round < 500 && busy.Load() < 10; round++ {
		var appended atomic.Int64
		inParallel(4, func(int) {
			switch err := sequence.Append(0, kv); {
			case err == nil:
				appended.Add(1024)
			case errors.Is(err, turboquant.ErrBusy):
				busy.Add(1)
			default:
				t.Error(err)
			}
		})
		if length := value[int](t)(sequence.Length(0)); length != int(appended.Load()) || length == 0 {
			t.Fatalf("%d tokens, but %d were appended", length, appended.Load())
		}
		must(t, sequence.Truncate(0))
	}
	if busy.Load() == 0 {
		t.Error("four writers at once never met")
	}
}

func TestManySequencesAtOnce(t *testing.T) {
	layer := turboquant.NewLayerOptions(1, 64)
	cache := newCache(t, layer)
	pool := value[*turboquant.Pool](t)(turboquant.NewPool(2))
	defer pool.Close()
	origin := newSequence(t, cache)
	must(t, origin.Append(0, tokens(layer, 100, 1)))
	want, _ := read(t, origin, layer)
	inParallel(4, func(i int) {
		for round := range 10 {
			fork, err := origin.Fork()
			if err != nil {
				t.Error(err)
				return
			}
			item := turboquant.AttendItem{
				Sequence: fork, NQuery: 1, Query: turboquant.Float32(pattern(64, i)),
				Output: turboquant.Float32(make([]float32, 64)),
			}
			err = errors.Join(fork.Append(0, tokens(layer, 50+round, i)),
				cache.Attend(turboquant.AttendOptions{QHeads: 1, Pool: pool}, item),
				cache.Attend(turboquant.AttendOptions{QHeads: 1}, item, item),
				fork.Truncate(120), fork.Close())
			if err != nil {
				t.Error(err)
			}
		}
	})
	got, _ := read(t, origin, layer)
	same(t, "the origin", got, want)
	if stats := value[turboquant.Stats](t)(cache.Stats()); stats.Sequences != 1 {
		t.Errorf("%d sequences are left, expected 1", stats.Sequences)
	}
}

// Close in the middle of calls: each of them succeeds or finds the handle closed.
func TestCloseDuringCalls(t *testing.T) {
	layer := turboquant.NewLayerOptions(1, 64)
	for range 20 {
		codec, cache := newCodec(t, turboquant.NewCodecOptions(64)), newCache(t, layer)
		sequence := newSequence(t, cache)
		must(t, sequence.Append(0, tokens(layer, 100, 1)))
		rows := turboquant.Rows{Data: turboquant.Float32(pattern(64*64, 1)), Count: 64}
		inParallel(4, func(i int) {
			for round := range 10 {
				if i == 0 && round == 5 {
					codec.Close()
					cache.Close()
				}
				_, err := codec.Encode(rows)
				_, err2 := sequence.Length(0)
				_, err3 := cache.Stats()
				for _, err := range []error{err, err2, err3} {
					if err != nil && !errors.Is(err, turboquant.ErrClosed) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
}
