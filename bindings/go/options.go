//go:build cgo

package turboquant

// #include "bridge.h"
import "C"

// LayerOptions are tq_layer_options: one layer of the model. Start from NewLayerOptions, which fills in the library's
// defaults.
type LayerOptions struct {
	KVHeads            int    // 1 to 65536
	KeyDim             int    // 1 to 1024
	ValueDim           int    // 0 (default): KeyDim
	KeyFormat          Format // FormatTQ4 by default
	ValueFormat        Format // FormatTQ4 by default
	KeyGroupSize       int    // 64 (default) or 32
	ValueGroupSize     int    // 64 (default) or 32
	KeyRotationBlock   int    // as in CodecOptions; 0 (default): the largest
	ValueRotationBlock int    // the same
	CenterKeys         bool   // true (default): code keys relative to the mean key of their block
	ScaleSearch        bool   // true (default)
	SinkTokens         int    // first tokens of a sequence, kept in 16 bit; default 4, 0 to 64
	RecentBlocks       int    // complete blocks kept in 16 bit before they are coded; default 0, at most 1024
	ExactDType         DType  // of sinks and tail: DTypeAuto (default: that of the first append; f16 for f32), F16, BF16
	Window             int    // sliding window: a query at p sees keys p - Window + 1 to p; 0 (default): all
	Seed               uint64 // of the random signs
}

// NewLayerOptions returns the defaults for a layer of kvHeads heads of keyDim values.
func NewLayerOptions(kvHeads, keyDim int) LayerOptions {
	var c C.tq_layer_options
	C.tq_layer_options_init(&c, C.sizeof_tq_layer_options)
	options := layerOptions(&c)
	options.KVHeads, options.KeyDim = kvHeads, keyDim
	return options
}

func layerOptions(c *C.tq_layer_options) LayerOptions {
	return LayerOptions{
		KVHeads:            int(c.kv_heads),
		KeyDim:             int(c.key_dim),
		ValueDim:           int(c.value_dim),
		KeyFormat:          Format(c.key_format),
		ValueFormat:        Format(c.value_format),
		KeyGroupSize:       int(c.key_group_size),
		ValueGroupSize:     int(c.value_group_size),
		KeyRotationBlock:   int(c.key_rotation_block),
		ValueRotationBlock: int(c.value_rotation_block),
		CenterKeys:         c.center_keys != 0,
		ScaleSearch:        c.scale_search != 0,
		SinkTokens:         int(c.sink_tokens),
		RecentBlocks:       int(c.recent_blocks),
		ExactDType:         DType(c.exact_dtype),
		Window:             int(c.window),
		Seed:               uint64(c.seed),
	}
}

// convert writes the options to c, which the init function has filled.
func (o *LayerOptions) convert(c *C.tq_layer_options) error {
	c.key_format = C.tq_format(o.KeyFormat)
	c.value_format = C.tq_format(o.ValueFormat)
	c.center_keys = flag(o.CenterKeys)
	c.scale_search = flag(o.ScaleSearch)
	c.exact_dtype = C.tq_dtype(o.ExactDType)
	c.seed = C.uint64_t(o.Seed)
	return sizeFields{
		{"kv_heads", o.KVHeads, &c.kv_heads},
		{"key_dim", o.KeyDim, &c.key_dim},
		{"value_dim", o.ValueDim, &c.value_dim},
		{"key_group_size", o.KeyGroupSize, &c.key_group_size},
		{"value_group_size", o.ValueGroupSize, &c.value_group_size},
		{"key_rotation_block", o.KeyRotationBlock, &c.key_rotation_block},
		{"value_rotation_block", o.ValueRotationBlock, &c.value_rotation_block},
		{"sink_tokens", o.SinkTokens, &c.sink_tokens},
		{"recent_blocks", o.RecentBlocks, &c.recent_blocks},
		{"window", o.Window, &c.window},
	}.convert()
}

// sizeFields are Go numbers and the fields of a C struct that they belong to.
type sizeFields []struct {
	name  string
	value int
	field *C.uint32_t
}

func (s sizeFields) convert() error {
	for _, size := range s {
		value, err := unsigned(size.name, size.value)
		if err != nil {
			return err
		}
		*size.field = value
	}
	return nil
}

func flag(value bool) C.uint32_t {
	if value {
		return 1
	}
	return 0
}
