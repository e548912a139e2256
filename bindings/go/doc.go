// Package turboquant keeps the KV cache of a language model in about a quarter of its 16-bit size, and computes
// attention directly on the compressed cache. It is a thin layer over the C library libturboquant, which must be
// installed; cgo finds it through pkg-config.
//
// In five calls: [NewCache] makes one cache per model, [Cache.NewSequence] one sequence per conversation,
// [Sequence.Append] takes the keys and values of new tokens layer by layer, [Cache.Attend] computes softmax(q K^T) V
// for one or many sequences, and [Cache.Stats] tells how many bytes it really takes. [Codec] turns single vectors into
// bytes and back.
//
// # Numbers
//
// Tensors are slices of float32, or of uint16 that hold the bits of f16 or bf16 numbers, wrapped as a [Buffer]:
// Float32(x), Float16(bits), BFloat16(bits). Nothing is copied. Shapes are row-major, and strides count elements. A
// slice must have exactly the elements that its shape needs; with strides, at least those that they reach.
//
// # Errors
//
// Calls that can fail return an error, a [*Error] that names the argument and the value that was refused. A failed call
// has changed nothing. errors.Is compares with constants such as [ErrBusy], and with [ErrClosed]. Nothing panics on bad
// input, nil and closed receivers included.
//
// # Goroutines
//
// Everything may be used by any number of goroutines. A [Sequence] has one writer at a time, and readers only while
// nobody writes: calls that exclude each other are refused with ErrBusy. Do not change a slice while a call uses it.
//
// # Memory
//
// The library's memory is not the garbage collector's: it does not know how large a cache is. Close what you have made.
// A handle that has become unreachable without Close is destroyed sooner or later. Calls that are at work when their
// handle is closed are allowed to finish.
//
// The package format reads the library's bytes in pure Go.
package turboquant
