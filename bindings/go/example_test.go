package turboquant_test

import (
	"errors"
	"fmt"
	"log"

	turboquant "github.com/libturboquant/libturboquant/bindings/go"
)

// A cache for one layer of 8 kv heads, 4096 tokens, one attention call of 32 query heads.
func Example() {
	const tokens, kvHeads, qHeads, dim = 4096, 8, 32, 128
	keys := make([]float32, tokens*kvHeads*dim) // [token][kv head][dim]
	values := make([]float32, tokens*kvHeads*dim)
	for i := range keys {
		keys[i] = float32(i%251)/125 - 1
		values[i] = keys[i]
	}
	query, output := make([]float32, qHeads*dim), make([]float32, qHeads*dim)
	for i := range query {
		query[i] = float32(i%239)/119 - 1
	}

	cache, err := turboquant.NewCache(turboquant.NewCacheOptions(1, turboquant.NewLayerOptions(kvHeads, dim)))
	if err != nil {
		log.Fatal(err) // names the argument and its value
	}
	defer cache.Close()
	sequence, err := cache.NewSequence() // one per conversation
	if err != nil {
		log.Fatal(err)
	}
	defer sequence.Close()

	kv := turboquant.KV{Count: tokens, Keys: turboquant.Float32(keys), Values: turboquant.Float32(values)}
	if err := sequence.Append(0, kv); err != nil {
		log.Fatal(err)
	}
	item := turboquant.AttendItem{
		Sequence: sequence,
		NQuery:   1,
		Query:    turboquant.Float32(query),
		Output:   turboquant.Float32(output),
	}
	if err := cache.Attend(turboquant.AttendOptions{Layer: 0, QHeads: qHeads}, item); err != nil {
		log.Fatal(err)
	}
	stats, err := cache.Stats()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d tokens in %.2f MB, %.2f times smaller than in 16 bit\n", tokens, float64(stats.Bytes)/1e6, stats.Ratio)
	fmt.Printf("output of the first head: %.1f %.1f %.1f ..\n", output[0], output[1], output[2])
	// Output:
	// 4096 tokens in 4.61 MB, 3.64 times smaller than in 16 bit
	// output of the first head: -0.4 -0.4 -0.5 ..
}

// Vectors to bytes and back. The bytes are the same on every CPU.
func ExampleCodec() {
	codec, err := turboquant.NewCodec(turboquant.NewCodecOptions(4))
	if err != nil {
		log.Fatal(err)
	}
	defer codec.Close()
	vectors := []float32{1, 2, 3, 4, -4, 3, -2, 1}
	codes, err := codec.Encode(turboquant.Rows{Data: turboquant.Float32(vectors), Count: 2})
	if err != nil {
		log.Fatal(err)
	}
	decoded, err := codec.Decode(codes, 1, 1) // the second one
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d bytes per vector: %x\n%.2f\n", codec.VectorBytes(), codes, decoded)
	// Output:
	// 6 bytes per vector: 0b000609fcee000b090efcee
	// [-3.99 3.34 -2.02 0.71]
}

// Prefill: the prompt's own keys and values are attended to at full precision, and appended afterwards.
func ExampleCache_Attend_prefill() {
	const prompt, dim = 3, 2
	layer := turboquant.NewLayerOptions(1, dim)
	layer.KeyFormat, layer.ValueFormat = turboquant.FormatBF16, turboquant.FormatBF16
	cache, err := turboquant.NewCache(turboquant.NewCacheOptions(1, layer))
	if err != nil {
		log.Fatal(err)
	}
	defer cache.Close()
	sequence, err := cache.NewSequence()
	if err != nil {
		log.Fatal(err)
	}
	defer sequence.Close()

	output := make([]float32, prompt*dim)
	fresh := turboquant.KV{
		Count:  prompt,
		Keys:   turboquant.Float32([]float32{0, 0, 0, 0, 0, 0}),
		Values: turboquant.Float32([]float32{1, 10, 2, 20, 3, 30}),
	}
	item := turboquant.AttendItem{
		Sequence:  sequence,
		NQuery:    prompt,
		Query:     turboquant.Float32(make([]float32, prompt*dim)),
		Output:    turboquant.Float32(output),
		NewTokens: &fresh,
	}
	if err := cache.Attend(turboquant.AttendOptions{QHeads: 1}, item); err != nil {
		log.Fatal(err)
	}
	if err := sequence.Append(0, fresh); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.1f\n", output) // equal keys: the mean of the values so far
	// Output:
	// [1.0 10.0 1.5 15.0 2.0 20.0]
}

// A fork shares what it has in common with its origin.
func ExampleSequence_Fork() {
	cache, err := turboquant.NewCache(turboquant.NewCacheOptions(1, turboquant.NewLayerOptions(1, 64)))
	if err != nil {
		log.Fatal(err)
	}
	defer cache.Close()
	origin, err := cache.NewSequence()
	if err != nil {
		log.Fatal(err)
	}
	defer origin.Close()
	x := turboquant.Float32(make([]float32, 1000*64))
	if err := origin.Append(0, turboquant.KV{Count: 1000, Keys: x, Values: x}); err != nil {
		log.Fatal(err)
	}
	fork, err := origin.Fork()
	if err != nil {
		log.Fatal(err)
	}
	defer fork.Close()
	if err := fork.Truncate(900); err != nil {
		log.Fatal(err)
	}
	inOrigin, _ := origin.Length(0)
	inFork, _ := fork.Length(0)
	fmt.Println(inOrigin, inFork)
	// Output:
	// 1000 900
}

func ExampleError() {
	_, err := turboquant.NewCodec(turboquant.NewCodecOptions(5000))
	fmt.Println(err)
	fmt.Println(errors.Is(err, turboquant.ErrInvalidArgument))
	// Output:
	// turboquant: head_dim is 5000; expected 1 to 1024 (TQ_ERR_INVALID_ARGUMENT)
	// true
}
