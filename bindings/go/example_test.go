package turboquant_test

import (
	"fmt"
	"log"

	turboquant "github.com/libturboquant/libturboquant/bindings/go"
)

// A cache for one layer, 4096 tokens, one attention call.
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
	if err := cache.Attend(turboquant.AttendOptions{QHeads: qHeads}, item); err != nil {
		log.Fatal(err)
	}
	stats, err := cache.Stats()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d tokens in %.2f MB, %.2f times smaller than in 16 bit\n", tokens, float64(stats.Bytes)/1e6, stats.Ratio)
	fmt.Printf("output of the first head: %.2f %.2f %.2f ..\n", output[0], output[1], output[2])
	// Output:
	// 4096 tokens in 4.61 MB, 3.64 times smaller than in 16 bit
	// output of the first head: -0.37 -0.43 -0.48 ..
}
