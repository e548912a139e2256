//go:build cgo

package turboquant

// #include "bridge.h"
import "C"

import "time"

// Stats is what a cache holds and what it costs, see tq_cache_statistics in turboquant.h. Blocks shared by forks count
// once.
type Stats struct {
	Sequences       int    // alive
	Tokens          uint64 // token entries held, summed over layers
	CodedTokens     uint64 // of these, in coded blocks (or in complete blocks of a 16-bit format)
	Bytes           uint64 // all bytes allocated for blocks, sinks, tails and tables
	PeakBytes       uint64
	BudgetBytes     uint64 // 0: no limit
	CodeBytes       uint64 // the parts of Bytes: ..
	ScaleBytes      uint64
	MeanBytes       uint64
	ExactBytes      uint64  // sinks, tails and recent blocks, tokens in use
	OverheadBytes   uint64  // block headers, padding, unused tail space, tables
	CodedBytes      uint64  // complete blocks as a whole, header and padding included
	Bytes16Bit      uint64  // what Tokens would take in 16 bit, without any overhead
	CodedBytes16Bit uint64  // what CodedTokens would take
	Ratio           float64 // Bytes16Bit / Bytes: the whole cache. 0 if empty
	RatioCoded      float64 // CodedBytes16Bit / CodedBytes: complete blocks only. 0 if there are none

	// Successful calls since the cache was made, summed over goroutines and sequences.
	AppendCalls uint64
	AppendTime  time.Duration // checking, copying, and encoding complete blocks
	AppendBytes uint64        // of keys and values given
	AttendCalls uint64
	AttendTime  time.Duration // merging included
	AttendBytes uint64        // of the cache that had to be read: coded blocks and exact tokens, once per query tile
	MergeTime   time.Duration // of AttendTime: putting ranges of long contexts together
}

// Stats may be called at any time; the numbers are those of one moment only if nobody writes meanwhile.
func (c *Cache) Stats() (Stats, error) {
	cache, err := c.acquire()
	if err != nil {
		return Stats{}, err
	}
	defer c.handle.release()
	var s C.tq_cache_statistics
	C.tq_cache_statistics_init(&s, C.sizeof_tq_cache_statistics)
	failure := newError()
	if err := check(C.tq_cache_stats(cache, &s, &failure), &failure); err != nil {
		return Stats{}, err
	}
	return Stats{
		Sequences:       int(s.sequences),
		Tokens:          uint64(s.tokens),
		CodedTokens:     uint64(s.coded_tokens),
		Bytes:           uint64(s.bytes),
		PeakBytes:       uint64(s.peak_bytes),
		BudgetBytes:     uint64(s.budget_bytes),
		CodeBytes:       uint64(s.code_bytes),
		ScaleBytes:      uint64(s.scale_bytes),
		MeanBytes:       uint64(s.mean_bytes),
		ExactBytes:      uint64(s.exact_bytes),
		OverheadBytes:   uint64(s.overhead_bytes),
		CodedBytes:      uint64(s.coded_bytes),
		Bytes16Bit:      uint64(s.bytes_16bit),
		CodedBytes16Bit: uint64(s.coded_bytes_16bit),
		Ratio:           float64(s.ratio),
		RatioCoded:      float64(s.ratio_coded),
		AppendCalls:     uint64(s.append_calls),
		AppendTime:      time.Duration(s.append_ns),
		AppendBytes:     uint64(s.append_bytes),
		AttendCalls:     uint64(s.attend_calls),
		AttendTime:      time.Duration(s.attend_ns),
		AttendBytes:     uint64(s.attend_bytes),
		MergeTime:       time.Duration(s.merge_ns),
	}, nil
}
