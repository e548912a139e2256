//go:build cgo

package turboquant

// #include "bridge.h"
import "C"

import (
	"runtime"
	"sync"
)

// Sequence is one conversation in a Cache. It has one writer at a time (Append, Truncate, Close); any number of
// goroutines may attend to, read or fork it while nobody writes. Calls that exclude each other are refused with
// ErrBusy, not queued.
type Sequence struct {
	cache   *Cache
	id      C.tq_sequence
	lock    sync.RWMutex // held by calls; only ever tried
	closed  bool
	cleanup runtime.Cleanup
}

// NewSequence makes an empty sequence. Close gives its memory back; so does closing the Cache.
func (c *Cache) NewSequence() (*Sequence, error) {
	cache, err := c.acquire()
	if err != nil {
		return nil, err
	}
	defer c.handle.release()
	var id C.tq_sequence
	failure := newError()
	if err := check(C.tq_sequence_create(cache, &id, &failure), &failure); err != nil {
		return nil, err
	}
	return newSequence(c, id), nil
}

func newSequence(cache *Cache, id C.tq_sequence) *Sequence {
	s := &Sequence{cache: cache, id: id}
	s.cleanup = runtime.AddCleanup(s, destroySequence, sequenceInCache{cache.handle, id})
	return s
}

type sequenceInCache struct {
	cache *handle
	id    C.tq_sequence
}

// destroySequence gives back a sequence that became unreachable without Close.
func destroySequence(s sequenceInCache) {
	if s.cache.enter() {
		C.tq_sequence_destroy((*C.tq_cache)(s.cache.object), s.id, nil)
		s.cache.release()
	}
}

// beginRead and beginWrite return the cache for one call, which ends with endRead or endWrite.
func (s *Sequence) beginRead() (*C.tq_cache, error) {
	if err := s.lockRead(); err != nil {
		return nil, err
	}
	cache, err := s.cache.acquire()
	if err != nil {
		s.lock.RUnlock()
	}
	return cache, err
}

func (s *Sequence) endRead() {
	s.cache.handle.release()
	s.lock.RUnlock()
}

// lockRead is beginRead for calls that have the cache already. They end with lock.RUnlock.
func (s *Sequence) lockRead() error {
	if s == nil || s.cache == nil {
		return invalid("sequence is nil or was not made by NewSequence")
	}
	if !s.lock.TryRLock() {
		return s.busyError("written")
	}
	if s.closed {
		s.lock.RUnlock()
		return closedError("sequence")
	}
	return nil
}

func (s *Sequence) beginWrite() (*C.tq_cache, error) {
	if s == nil || s.cache == nil {
		return nil, invalid("sequence is nil or was not made by NewSequence")
	}
	if !s.lock.TryLock() {
		return nil, s.busyError("used")
	}
	cache, err := s.cache.acquire()
	if s.closed && err == nil {
		s.cache.handle.release()
		err = closedError("sequence")
	}
	if err != nil {
		s.lock.Unlock()
	}
	return cache, err
}

func (s *Sequence) endWrite() {
	s.cache.handle.release()
	s.lock.Unlock()
}

func (s *Sequence) busyError(verb string) error {
	return &Error{Status: ErrBusy, Message: "sequence is being " + verb + " by another goroutine"}
}

// Close destroys the sequence; what it shares with forks stays. Closing twice, or a nil Sequence, is a no-op. While
// another goroutine uses the sequence it fails with ErrBusy. See tq_sequence_destroy in turboquant.h.
func (s *Sequence) Close() error {
	cache, err := s.beginWrite()
	if err != nil {
		if busy, ok := err.(*Error); ok && busy.Status == ErrBusy {
			return err
		}
		return nil // closed already, or with its cache
	}
	defer s.endWrite()
	failure := newError()
	if err := check(C.tq_sequence_destroy(cache, s.id, &failure), &failure); err != nil {
		return err
	}
	s.closed = true
	s.cleanup.Stop()
	return nil
}

// Fork makes a new sequence with the same tokens. Coded blocks, first tokens and tail are shared; whoever appends next
// copies the tail. See tq_sequence_fork in turboquant.h.
func (s *Sequence) Fork() (*Sequence, error) {
	cache, err := s.beginRead()
	if err != nil {
		return nil, err
	}
	defer s.endRead()
	var id C.tq_sequence
	failure := newError()
	if err := check(C.tq_sequence_fork(cache, s.id, &id, &failure), &failure); err != nil {
		return nil, err
	}
	return newSequence(s.cache, id), nil
}

// Truncate cuts every layer to at most length tokens; refused if no layer has that many. See tq_sequence_truncate in
// turboquant.h.
func (s *Sequence) Truncate(length int) error {
	cache, err := s.beginWrite()
	if err != nil {
		return err
	}
	defer s.endWrite()
	if length < 0 {
		return invalid("length is %d; expected 0 or more", length)
	}
	failure := newError()
	return check(C.tq_sequence_truncate(cache, s.id, C.size_t(length), &failure), &failure)
}

// Length returns how many tokens have been appended to a layer so far.
func (s *Sequence) Length(layer int) (int, error) {
	cache, err := s.beginRead()
	if err != nil {
		return 0, err
	}
	defer s.endRead()
	if _, err := s.cache.shape(layer); err != nil {
		return 0, err
	}
	var length C.size_t
	failure := newError()
	err = check(C.tq_sequence_length(cache, s.id, C.uint32_t(layer), &length, &failure), &failure)
	return int(length), err
}

// Append appends tokens to one layer: all of them or, on any error, none. The result does not depend on how tokens are
// cut into calls. See tq_cache_append in turboquant.h.
func (s *Sequence) Append(layer int, kv KV) error {
	cache, err := s.beginWrite()
	if err != nil {
		return err
	}
	defer s.endWrite()
	shape, err := s.cache.shape(layer)
	if err != nil {
		return err
	}
	if err := kv.checkBoth(shape); err != nil {
		return err
	}
	var fields C.tqgo_kv
	kv.convert(&fields)
	failure := newError()
	status := C.tqgo_append(cache, s.id, C.uint32_t(layer), &fields, kv.Keys.bytes(), kv.Values.bytes(), &failure)
	return check(status, &failure)
}

// Read decodes tokens first to first + kv.Count - 1 of one layer into kv. Keys or Values may be the zero Buffer: not
// wanted. See tq_cache_read in turboquant.h.
func (s *Sequence) Read(layer, first int, kv KV) error {
	cache, err := s.beginRead()
	if err != nil {
		return err
	}
	defer s.endRead()
	shape, err := s.cache.shape(layer)
	if err != nil {
		return err
	}
	if first < 0 {
		return invalid("first is %d; expected 0 or more", first)
	}
	if err := kv.checkPresent(shape); err != nil {
		return err
	}
	var fields C.tqgo_kv
	kv.convert(&fields)
	failure := newError()
	status := C.tqgo_read(cache, s.id, C.uint32_t(layer), C.size_t(first), &fields, kv.Keys.bytes(), kv.Values.bytes(),
		&failure)
	return check(status, &failure)
}
