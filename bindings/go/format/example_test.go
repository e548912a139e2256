package format_test

import (
	"fmt"
	"log"

	"github.com/libturboquant/libturboquant/bindings/go/format"
)

// Two vectors of four numbers, as tq_encode writes them.
func ExampleVectors() {
	codes := []byte{0x0b, 0x00, 0x06, 0x09, 0xfc, 0xee, 0x00, 0x0b, 0x09, 0x0e, 0xfc, 0xee}
	reader, err := format.NewVectors(format.NewVectorOptions(4))
	if err != nil {
		log.Fatal(err)
	}
	second := make([]float32, 4)
	if err := reader.Decode(second, codes, 1, 1); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.2f\n", second)
	// Output:
	// [-3.99 3.34 -2.02 0.71]
}

// A page of zeros: 64 tokens of 2 kv heads.
func ExamplePages() {
	reader, err := format.NewPages(format.NewPageOptions(2, 128))
	if err != nil {
		log.Fatal(err)
	}
	page := make([]byte, reader.Bytes())
	keys := make([]float32, format.BlockTokens*2*128)
	if err := reader.Decode(keys, nil, page); err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(page), "bytes for", 2*len(keys), "numbers")
	// Output:
	// 17216 bytes for 32768 numbers
}
