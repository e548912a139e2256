package format

import "math"

// VectorOptions are those of tq_codec_options that a reader must know: they are not stored with the bytes.
type VectorOptions struct {
	HeadDim       int // values per vector, 1 to 1024
	Format        Format
	GroupSize     int // values per scale: 64 or 32
	RotationBlock int // a power of two that divides HeadDim; 0: the largest
	Layout        Layout
	Seed          uint64 // of the random signs
}

// NewVectorOptions returns the library's defaults for vectors of headDim values.
func NewVectorOptions(headDim int) VectorOptions {
	return VectorOptions{HeadDim: headDim, Format: TQ4, GroupSize: 64, Layout: LayoutVectors, Seed: DefaultSeed}
}

// Vectors reads what tq_encode has written (docs/format.md, section 6).
type Vectors struct {
	side   side
	layout Layout
}

// NewVectors makes a reader.
func NewVectors(options VectorOptions) (*Vectors, error) {
	if options.Layout > LayoutBlocks {
		return nil, invalid("layout is %d; expected 0 (vectors) or 1 (blocks)", uint32(options.Layout))
	}
	side, err := newSide("vector", options.HeadDim, options.Format, options.GroupSize, options.RotationBlock, options.Seed)
	if err != nil {
		return nil, err
	}
	return &Vectors{side, options.Layout}, nil
}

// recordBytes are one record, or the 64th part of a block.
func (v *Vectors) recordBytes() int {
	if v.side.coded() {
		return v.side.rowBytes() + v.side.groups() + 1
	}
	return v.side.rowBytes()
}

// EncodedBytes returns the bytes of count encoded vectors.
func (v *Vectors) EncodedBytes(count int) (int, error) {
	if count < 0 || count > math.MaxInt/4096-BlockTokens { // a record has less than 4096 bytes
		return 0, invalid("count is %d", count)
	}
	if v.layout == LayoutBlocks {
		count = roundUp(count, BlockTokens)
	}
	return count * v.recordBytes(), nil
}

// Decode writes vectors first to first + count - 1 of codes to out, which holds exactly count rows of the head size.
func (v *Vectors) Decode(out []float32, codes []byte, first, count int) error {
	if first < 0 || count < 0 || count > math.MaxInt-first {
		return invalid("first is %d and count %d", first, count)
	}
	needed, err := v.EncodedBytes(first + count)
	if err != nil {
		return err
	}
	if len(codes) < needed {
		return invalid("codes has %d bytes; %d vectors take %d", len(codes), first+count, needed)
	}
	if len(out) != count*v.side.dim {
		return invalid("out has %d elements; expected [%d][%d]", len(out), count, v.side.dim)
	}
	for i := range count {
		v.decodeOne(out[i*v.side.dim:(i+1)*v.side.dim], codes, first+i)
	}
	return nil
}

func (v *Vectors) decodeOne(row []float32, codes []byte, i int) {
	bytes := v.recordBytes()
	switch {
	case !v.side.coded(): // rows in either layout
		decode16(row, codes[i*bytes:], v.side.format)
	case v.layout == LayoutVectors:
		v.decodeRecord(row, codes[i*bytes:(i+1)*bytes])
	default:
		first := i / BlockTokens * BlockTokens
		v.decodeInBlock(row, codes[first*bytes:(first+BlockTokens)*bytes], i%BlockTokens)
	}
}

// decodeRecord: codes, scale bytes, offset.
func (v *Vectors) decodeRecord(row []float32, record []byte) {
	codes, scales := record[:v.side.rowBytes()], record[v.side.rowBytes():]
	offset := int8(record[len(record)-1])
	v.side.decode(row, offset,
		func(j int) float32 { return v.side.keyCode(codes, 1, 0, j) },
		func(group int) byte { return scales[group] })
}

// decodeInBlock: offset in 64 bytes, scale bytes by group and token, interleaved codes.
func (v *Vectors) decodeInBlock(row []float32, block []byte, token int) {
	scales, codes := block[BlockTokens:], block[BlockTokens*(1+v.side.groups()):]
	v.side.decode(row, int8(block[0]),
		func(j int) float32 { return v.side.keyCode(codes, BlockTokens, token, j) },
		func(group int) byte { return scales[group*BlockTokens+token] })
}
