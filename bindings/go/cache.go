//go:build cgo

package turboquant

// #include "bridge.h"
import "C"

import "unsafe"

// CacheOptions are tq_cache_options.
type CacheOptions struct {
	LayerCount int            // 1 to 65536
	Layers     []LayerOptions // one per layer, or a single one that describes every layer
	ByteBudget uint64         // most bytes of blocks, tails and tables; 0: no limit
}

// NewCacheOptions returns the defaults for a model of layerCount layers that are all alike.
func NewCacheOptions(layerCount int, layer LayerOptions) CacheOptions {
	var c C.tq_cache_options
	C.tq_cache_options_init(&c, C.sizeof_tq_cache_options)
	return CacheOptions{
		LayerCount: layerCount,
		Layers:     []LayerOptions{layer},
		ByteBudget: uint64(c.byte_budget),
	}
}

// Cache is the KV cache of one model; its sequences are the conversations. Any number of goroutines may use it at
// once, on the same and on different sequences: Sequence says what excludes each other.
type Cache struct {
	handle *handle
	layers []shape // as many as were given: 1 or one per layer
	count  int
}

// shape is what the lengths of slices are checked against.
type shape struct{ kvHeads, keyDim, valueDim int }

// NewCache makes a cache, see tq_cache_create in turboquant.h. Close gives its memory back.
func NewCache(options CacheOptions) (*Cache, error) {
	if err := requireCompatible(); err != nil {
		return nil, err
	}
	count, err := unsigned("layer_count", options.LayerCount)
	if err != nil {
		return nil, err
	}
	given, err := unsigned("the length of Layers", len(options.Layers))
	if err != nil {
		return nil, err
	}
	if given == 0 {
		return nil, invalid("Layers is empty; expected 1 or %d", options.LayerCount)
	}
	layers := make([]C.tq_layer_options, given)
	shapes := make([]shape, given)
	for i := range layers {
		C.tq_layer_options_init(&layers[i], C.sizeof_tq_layer_options)
		layer := &options.Layers[i]
		if err := layer.convert(&layers[i]); err != nil {
			return nil, invalid("Layers[%d]: %s", i, err.(*Error).Message)
		}
		shapes[i] = shape{layer.KVHeads, layer.KeyDim, layer.ValueDim}
		if layer.ValueDim == 0 {
			shapes[i].valueDim = layer.KeyDim
		}
	}

	var cache *C.tq_cache
	failure := newError()
	status := C.tqgo_cache_create(count, &layers[0], given, C.uint64_t(options.ByteBudget), &cache, &failure)
	if err := check(status, &failure); err != nil {
		return nil, err
	}
	destroy := func(object unsafe.Pointer) { C.tq_cache_destroy((*C.tq_cache)(object)) }
	return &Cache{newHandle("cache", unsafe.Pointer(cache), destroy), shapes, options.LayerCount}, nil
}

// Close destroys the cache and every sequence in it, as soon as no call uses it any more. Closing twice, or a nil
// Cache, is a no-op.
func (c *Cache) Close() error {
	if c != nil {
		c.handle.close()
	}
	return nil
}

func (c *Cache) acquire() (*C.tq_cache, error) {
	if c == nil {
		return nil, invalid("cache is nil")
	}
	object, err := c.handle.acquire()
	return (*C.tq_cache)(object), err
}

func (c *Cache) shape(layer int) (shape, error) {
	if layer < 0 || layer >= c.count {
		return shape{}, invalid("layer is %d; expected 0 to %d", layer, c.count-1)
	}
	return c.layers[layer%len(c.layers)], nil
}
