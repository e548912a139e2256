package format

// side is what keys, values and vectors have in common: their numbers in one format, and how to decode one row.
type side struct {
	dim, group int
	format     Format
	rotation   rotation
}

func newSide(name string, dim int, f Format, group, block int, seed uint64) (side, error) {
	if dim < 1 || dim > maxHeadDim {
		return side{}, invalid("%s head size is %d; expected 1 to %d", name, dim, maxHeadDim)
	}
	if f < TQ4 || f > BF16 {
		return side{}, invalid("%s format is %d; expected 1 (tq4), 2 (tq8), 3 (f16) or 4 (bf16)", name, uint32(f))
	}
	if group != 32 && group != 64 {
		return side{}, invalid("%s group size is %d; expected 64 or 32", name, group)
	}
	if block < 0 || block&(block-1) != 0 || block > 0 && dim%block != 0 {
		return side{}, invalid("%s rotation block is %d; expected 0 or a power of two that divides %d", name, block, dim)
	}
	return side{dim, group, f, newRotation(seed, dim, block)}, nil
}

func (s *side) coded() bool { return s.format == TQ4 || s.format == TQ8 }

func (s *side) groups() int { return divideUp(s.dim, s.group) }

// rowBytes are the codes of one row in the keys layout, or one row of 16-bit numbers.
func (s *side) rowBytes() int {
	switch s.format {
	case TQ4:
		return 4 * divideUp(s.dim, 8)
	case TQ8:
		return 4 * divideUp(s.dim, 4)
	}
	return 2 * s.dim
}

// keyCode finds the code of coordinate j in `tokens` interleaved rows: [chunk][token][4 bytes].
func (s *side) keyCode(codes []byte, tokens, token, j int) float32 {
	if s.format == TQ8 {
		return float32(int(codes[(j/4*tokens+token)*4+j%4]) - 128)
	}
	pair := codes[(j/8*tokens+token)*4+j%4]
	return nibbleValue(pair >> (j % 8 / 4 * 4) & 15)
}

// valueLanes are the lanes of the chunk that holds coordinate j.
func (s *side) valueLanes(j int) int {
	if s.format == TQ8 {
		return min(16, roundUp(s.dim-j/16*16, 4))
	}
	return min(16, roundUp(divideUp(s.dim-j/32*32, 2), 4))
}

// valueBytes are those of 64 rows in the values layout.
func (s *side) valueBytes() int {
	switch s.format {
	case TQ4:
		return (s.dim-1)/32*1024 + BlockTokens*s.valueLanes(s.dim-1)
	case TQ8:
		return (s.dim-1)/16*1024 + BlockTokens*s.valueLanes(s.dim-1)
	}
	return BlockTokens * 2 * s.dim
}

// valueCode finds the code of coordinate j in the values layout: chunks of [token quad][lane][4 tokens].
func (s *side) valueCode(codes []byte, token, j int) float32 {
	lanes := s.valueLanes(j)
	if s.format == TQ8 {
		return float32(int(codes[j/16*1024+(token/4*lanes+j%16)*4+token%4]) - 128)
	}
	pair := codes[j/32*1024+(token/4*lanes+j%32%lanes)*4+token%4]
	return nibbleValue(pair >> (j % 32 / lanes * 4) & 15)
}

// decode writes one row: code times scale, and the rotation undone. code and scaleByte look into the layout.
func (s *side) decode(row []float32, offset int8, code func(j int) float32, scaleByte func(group int) byte) {
	for g := range s.groups() {
		unit := scale(scaleByte(g), offset)
		for j := g * s.group; j < min((g+1)*s.group, s.dim); j++ {
			row[j] = float32(code(j) * unit) // exact
		}
	}
	s.rotation.undo(row)
}

func divideUp(a, b int) int { return (a + b - 1) / b }

func roundUp(a, multiple int) int { return divideUp(a, multiple) * multiple }
