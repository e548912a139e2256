//go:build cgo

package turboquant

import (
	"errors"
	"testing"
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
