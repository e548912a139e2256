package format

import (
	"encoding/binary"
	"math"
)

// PageOptions are those of tq_layer_options that a reader of pages must know.
type PageOptions struct {
	KVHeads            int // 1 to 65536
	KeyDim             int // 1 to 1024
	ValueDim           int // 0: KeyDim
	KeyFormat          Format
	ValueFormat        Format
	KeyGroupSize       int // 64 or 32
	ValueGroupSize     int // 64 or 32
	KeyRotationBlock   int // a power of two that divides KeyDim; 0: the largest
	ValueRotationBlock int
	CenterKeys         bool // keys are coded relative to the mean of their block
	Seed               uint64
}

// NewPageOptions returns the library's defaults for a layer of kvHeads heads of keyDim values.
func NewPageOptions(kvHeads, keyDim int) PageOptions {
	return PageOptions{KVHeads: kvHeads, KeyDim: keyDim, KeyFormat: TQ4, ValueFormat: TQ4, KeyGroupSize: 64,
		ValueGroupSize: 64, CenterKeys: true, Seed: DefaultSeed}
}

// Pages reads pages: 64 tokens of one layer, all kv heads (docs/format.md, section 5).
type Pages struct {
	keys, values side
	heads        int
	centred      bool
}

// NewPages makes a reader.
func NewPages(o PageOptions) (*Pages, error) {
	if o.KVHeads < 1 || o.KVHeads > 65536 {
		return nil, invalid("kv_heads is %d; expected 1 to 65536", o.KVHeads)
	}
	if o.ValueDim == 0 {
		o.ValueDim = o.KeyDim
	}
	keys, err := newSide("key", o.KeyDim, o.KeyFormat, o.KeyGroupSize, o.KeyRotationBlock, o.Seed)
	if err != nil {
		return nil, err
	}
	values, err := newSide("value", o.ValueDim, o.ValueFormat, o.ValueGroupSize, o.ValueRotationBlock, o.Seed)
	if err != nil {
		return nil, err
	}
	return &Pages{keys, values, o.KVHeads, o.CenterKeys && keys.coded()}, nil
}

// parts are the sizes of a head block's parts, in bytes.
type parts struct{ keyScales, valueScales, mean, keys, values int }

func (p *Pages) parts() parts {
	sizes := parts{keys: BlockTokens * p.keys.rowBytes(), values: p.values.valueBytes()}
	if p.keys.coded() {
		sizes.keyScales = BlockTokens * p.keys.groups()
	}
	if p.values.coded() {
		sizes.valueScales = BlockTokens * p.values.groups()
	}
	if p.centred {
		sizes.mean = roundUp(p.keys.dim, 64)
	}
	return sizes
}

func (s parts) total() int { return s.keyScales + s.valueScales + s.mean + s.keys + s.values }

// headerBytes are those of all heads.
func (p *Pages) headerBytes() int {
	if p.keys.coded() || p.values.coded() {
		return roundUp(8*p.heads, 64)
	}
	return 0
}

// Bytes returns the size of a page.
func (p *Pages) Bytes() int { return p.headerBytes() + p.heads*p.parts().total() }

// Decode writes the keys [64][kv heads][key dim] and the values [64][kv heads][value dim] of a page, the rotation
// undone and the mean added back. Either may be nil: not wanted.
func (p *Pages) Decode(keys, values []float32, page []byte) error {
	if len(page) != p.Bytes() {
		return invalid("page has %d bytes; expected %d", len(page), p.Bytes())
	}
	if keys != nil && len(keys) != BlockTokens*p.heads*p.keys.dim {
		return invalid("keys has %d elements; expected [%d][%d][%d]", len(keys), BlockTokens, p.heads, p.keys.dim)
	}
	if values != nil && len(values) != BlockTokens*p.heads*p.values.dim {
		return invalid("values has %d elements; expected [%d][%d][%d]", len(values), BlockTokens, p.heads, p.values.dim)
	}
	if err := p.checkHeaders(page); err != nil {
		return err
	}
	for h := range p.heads {
		head := p.head(page, h)
		if keys != nil {
			head.decodeKeys(keys, h)
		}
		if values != nil {
			head.decodeValues(values, h)
		}
	}
	return nil
}

func (p *Pages) checkHeaders(page []byte) error {
	if p.headerBytes() == 0 {
		return nil
	}
	for h := range p.heads {
		header := page[8*h : 8*h+8]
		if header[2] != 0 || header[3] != 0 {
			return corrupt("kv head %d: bytes 2 and 3 of the header are %d and %d; expected 0", h, header[2], header[3])
		}
		mean := math.Float32frombits(binary.LittleEndian.Uint32(header[4:]))
		if math.Signbit(float64(mean)) || !(mean <= math.MaxFloat32) || mean != 0 && !p.centred {
			return corrupt("kv head %d: the scale of the mean is %g", h, mean)
		}
	}
	for i, b := range page[8*p.heads : p.headerBytes()] {
		if b != 0 {
			return corrupt("byte %d of the headers is %d; expected padding of 0", 8*p.heads+i, b)
		}
	}
	return nil
}

// headBlock is one kv head of a page.
type headBlock struct {
	*Pages
	keyOffset, valueOffset       int8
	meanScale                    float32
	keyScales, valueScales, mean []byte
	keyCodes, valueCodes         []byte
}

func (p *Pages) head(page []byte, h int) headBlock {
	b := headBlock{Pages: p}
	if p.headerBytes() != 0 {
		header := page[8*h : 8*h+8]
		b.keyOffset, b.valueOffset = int8(header[0]), int8(header[1])
		b.meanScale = math.Float32frombits(binary.LittleEndian.Uint32(header[4:]))
	}
	sizes := p.parts()
	rest := page[p.headerBytes()+h*sizes.total():]
	cut := func(n int) []byte {
		part := rest[:n]
		rest = rest[n:]
		return part
	}
	b.keyScales, b.valueScales, b.mean = cut(sizes.keyScales), cut(sizes.valueScales), cut(sizes.mean)
	b.keyCodes, b.valueCodes = cut(sizes.keys), cut(sizes.values)
	return b
}

// row is where token t of kv head h lies in [token][kv head][dim].
func (p *Pages) row(all []float32, t, h, dim int) []float32 {
	first := (t*p.heads + h) * dim
	return all[first : first+dim]
}

func (b *headBlock) decodeKeys(out []float32, h int) {
	mean := b.decodeMean()
	for t := range BlockTokens {
		row := b.row(out, t, h, b.keys.dim)
		if !b.keys.coded() {
			decode16(row, b.keyCodes[t*b.keys.rowBytes():], b.keys.format)
			continue
		}
		b.keys.decode(row, b.keyOffset,
			func(j int) float32 { return b.keys.keyCode(b.keyCodes, BlockTokens, t, j) },
			func(group int) byte { return b.keyScales[group*BlockTokens+t] })
		for j := range mean { // the two parts are computed apart and added last
			row[j] += mean[j]
		}
	}
}

// decodeMean returns R^-1 of the mean key; nil if the keys are not centred.
func (b *headBlock) decodeMean() []float32 {
	if !b.centred {
		return nil
	}
	mean := make([]float32, b.keys.dim)
	for j := range mean {
		mean[j] = float32(float32(int8(b.mean[j])) * b.meanScale)
	}
	b.keys.rotation.undo(mean)
	return mean
}

func (b *headBlock) decodeValues(out []float32, h int) {
	for t := range BlockTokens {
		row := b.row(out, t, h, b.values.dim)
		if !b.values.coded() {
			decode16(row, b.valueCodes[t*b.values.rowBytes():], b.values.format)
			continue
		}
		b.values.decode(row, b.valueOffset,
			func(j int) float32 { return b.values.valueCode(b.valueCodes, t, j) },
			func(group int) byte { return b.valueScales[group*BlockTokens+t] })
	}
}
