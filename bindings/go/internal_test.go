//go:build cgo

package turboquant

import (
	"errors"
	"testing"
	"unsafe"
)

func TestUnknownStatusIsKept(t *testing.T) {
	failure := newError()
	err := check(4711, &failure)
	var known *Error
	if !errors.As(err, &known) || known.Status != 4711 || !errors.Is(err, Status(4711)) || errors.Is(err, ErrInternal) {
		t.Errorf("got %v", err)
	}
	if got, want := err.Error(), "turboquant:  (unknown tq_status 4711)"; got != want {
		t.Errorf("got %q, expected %q", got, want)
	}
}

func TestNamesOfStatus(t *testing.T) {
	for status, want := range map[Status]string{
		ErrInvalidArgument: "TQ_ERR_INVALID_ARGUMENT", ErrBusy: "TQ_ERR_BUSY", -1: "unknown tq_status -1", 0: "TQ_OK",
	} {
		if got := status.String(); got != want {
			t.Errorf("got %q, expected %q", got, want)
		}
	}
	if got, want := ErrBusy.Error(), "turboquant: TQ_ERR_BUSY"; got != want {
		t.Errorf("got %q, expected %q", got, want)
	}
}

func TestOnlyCompatibleLibrariesAreUsed(t *testing.T) {
	for _, c := range []struct {
		loaded, built int
		ok            bool
	}{
		{100, 100, true}, {199, 100, true}, {200, 100, false}, {10100, 10000, true}, {20000, 10000, false}, {10000, 100, false},
	} {
		err := compatible(c.loaded, c.built)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrUnsupported) {
			t.Errorf("library %d, program %d: %v", c.loaded, c.built, err)
		}
	}
}

// What readers and writers of a sequence exclude.
func TestBusySequences(t *testing.T) {
	layer := NewLayerOptions(1, 64)
	cache, err := NewCache(NewCacheOptions(1, layer))
	if err != nil {
		t.Fatal(err)
	}
	defer cache.Close()
	sequence, err := cache.NewSequence()
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, 64)
	kv := KV{Count: 1, Keys: Float32(x), Values: Float32(x)}
	if err := sequence.Append(0, kv); err != nil {
		t.Fatal(err)
	}
	item := AttendItem{Sequence: sequence, NQuery: 1, Query: Float32(x), Output: Float32(x)}
	writes := map[string]func() error{
		"Append":   func() error { return sequence.Append(0, kv) },
		"Truncate": func() error { return sequence.Truncate(1) },
	}
	reads := map[string]func() error{
		"Read":        func() error { return sequence.Read(0, 0, kv) },
		"Length":      func() error { _, err := sequence.Length(0); return err },
		"Fork":        func() error { fork, err := sequence.Fork(); return errors.Join(err, fork.Close()) },
		"Attend":      func() error { return cache.Attend(AttendOptions{QHeads: 1}, item) },
		"Attend of 2": func() error { return cache.Attend(AttendOptions{QHeads: 1}, item, item) },
	}
	expect := func(calls map[string]func() error, want error) {
		t.Helper()
		for name, call := range calls {
			if err := call(); !errors.Is(err, want) {
				t.Errorf("%s: got %v, expected %v", name, err, want)
			}
		}
	}
	if _, err := sequence.beginWrite(); err != nil { // somebody writes
		t.Fatal(err)
	}
	expect(writes, ErrBusy)
	expect(reads, ErrBusy)
	if err := sequence.Close(); !errors.Is(err, ErrBusy) {
		t.Errorf("Close: got %v", err)
	}
	sequence.endWrite()
	if _, err := sequence.beginRead(); err != nil { // somebody reads
		t.Fatal(err)
	}
	expect(writes, ErrBusy)
	expect(reads, nil)
	if err := sequence.Close(); !errors.Is(err, ErrBusy) {
		t.Errorf("Close: got %v", err)
	}
	sequence.endRead()
	expect(writes, nil)
	expect(reads, nil)
	if err := sequence.Close(); err != nil {
		t.Error(err)
	}
}

// The last call to end destroys the object of a closed handle, and nobody does it twice.
func TestClosedHandlesOutliveTheirCalls(t *testing.T) {
	destructions := 0
	h := newHandle("test", unsafe.Pointer(new(int)), func(unsafe.Pointer) { destructions++ })
	expect := func(step string, want int) {
		t.Helper()
		if destructions != want {
			t.Errorf("%s: destroyed %d times, expected %d", step, destructions, want)
		}
	}
	for range 2 {
		if _, err := h.acquire(); err != nil {
			t.Fatal(err)
		}
	}
	h.close()
	expect("closed with two calls at work", 0)
	h.release()
	expect("one call has ended", 0)
	if _, err := h.acquire(); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	expect("a call was refused", 0)
	h.release()
	expect("both calls have ended", 1)
	h.close()
	if _, err := h.acquire(); !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	expect("closed again", 1)
}

func TestPinsFollowTheObjects(t *testing.T) {
	shared, own := make([]float32, 100), make([]float32, 10)
	item := func(x []float32) *AttendItem { return &AttendItem{Query: Float32(x), LogSumExp: x} }
	range32 := func(x []float32) pinned {
		first := uintptr(unsafe.Pointer(&x[0]))
		return pinned{first, first + uintptr(4*cap(x))}
	}
	var p pins
	for _, c := range []struct {
		item []float32
		want pinned
	}{
		{shared[:10], range32(shared)},
		{shared[90:], range32(shared)}, // within what is pinned
		{own, range32(own)},
		{shared[50:60:60], range32(shared[50:60:60])}, // cannot be known to be a part of something pinned
	} {
		at := p.pin(item(c.item))
		if uintptr(at.query) != uintptr(unsafe.Pointer(&c.item[0])) || at.query != at.log_sum_exp || at.output != 0 {
			t.Errorf("addresses %+v", at)
		}
		if p.query != c.want || p.lse != c.want {
			t.Errorf("pinned %+v and %+v, expected %+v", p.query, p.lse, c.want)
		}
	}
	p.unpin()
	if p.query != (pinned{}) || p.lse != (pinned{}) {
		t.Error("what was pinned is not forgotten")
	}
}
