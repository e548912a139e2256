// Package golden reads tests/golden/v1 for the tests of this module. Its README.md there says what the fields mean.
package golden

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
)

// Rotation is a case of rotation.json.
type Rotation struct {
	Name          string
	HeadDim       int    `json:"head_dim"`
	RotationBlock int    `json:"rotation_block"`
	Seed          Number `json:"seed"`
	Input         Input
	Count         int
	SignWords     []Number `json:"sign_words"`
	Rotated       Floats   `json:"rotated_f32"`
}

// Codec is a case of codec_*.json.
type Codec struct {
	Name          string
	HeadDim       int `json:"head_dim"`
	Format        string
	GroupSize     int `json:"group_size"`
	RotationBlock int `json:"rotation_block"`
	ScaleSearch   int `json:"scale_search"`
	Layout        string
	Seed          Number
	Input         Input
	InputDType    string `json:"input_dtype"`
	Count         int
	Codes         Bytes
	CodesBytes    int    `json:"codes_bytes"`
	DecodedFirst  Floats `json:"decoded_first"`
	Decoded       Number `json:"decoded_fnv1a64"`
}

// Layer holds the fields of tq_layer_options.
type Layer struct {
	KVHeads            int    `json:"kv_heads"`
	KeyDim             int    `json:"key_dim"`
	ValueDim           int    `json:"value_dim"`
	KeyFormat          string `json:"key_format"`
	ValueFormat        string `json:"value_format"`
	KeyGroupSize       int    `json:"key_group_size"`
	ValueGroupSize     int    `json:"value_group_size"`
	KeyRotationBlock   int    `json:"key_rotation_block"`
	ValueRotationBlock int    `json:"value_rotation_block"`
	CenterKeys         int    `json:"center_keys"`
	ScaleSearch        int    `json:"scale_search"`
	SinkTokens         int    `json:"sink_tokens"`
	RecentBlocks       int    `json:"recent_blocks"`
	ExactDType         string `json:"exact_dtype"`
	Window             int
	Seed               Number
}

// Values returns the head size of the values.
func (l *Layer) Values() int {
	if l.ValueDim == 0 {
		return l.KeyDim
	}
	return l.ValueDim
}

// Tokens is what cases of cache_*.json and attention.json have in common.
type Tokens struct {
	Name       string
	Layer      Layer
	DType      string
	KeyInput   Input `json:"key_input"`
	ValueInput Input `json:"value_input"`
	Steps      []Step
}

// Cache is a case of cache_*.json.
type Cache struct {
	Tokens
	StoredDType  string `json:"stored_dtype"`
	Length       int
	PageBytes    int `json:"page_bytes"`
	Pages        []Bytes
	SampleToken  int    `json:"sample_token"`
	SampleKeys   Floats `json:"sample_keys"`
	SampleValues Floats `json:"sample_values"`
	ReadKeys     Number `json:"read_keys_fnv1a64"`
	ReadValues   Number `json:"read_values_fnv1a64"`
}

// Attention is a case of attention.json.
type Attention struct {
	Tokens
	QHeads     int `json:"q_heads"`
	Causal     int
	Scale      float32
	Softcap    float32
	SinkLogits []float32 `json:"sink_logits"`
	QueryInput Input     `json:"query_input"`
	NQuery     int       `json:"n_query"`
	NewTokens  int       `json:"new_tokens"`
	Output     [][][]float64
	LogSumExp  [][]Logarithm `json:"log_sum_exp"`
	Tolerance  struct {
		OutputRMS float64   `json:"output_rms"`
		LogSumExp Logarithm `json:"log_sum_exp"`
	}
}

// Profile is a case of profiles.json.
type Profile struct {
	Name             string
	File             string
	Fingerprint      *string
	Status           string
	Message          []string
	ModelName        string `json:"model_name"`
	ModelFingerprint string `json:"model_fingerprint"`
	Layers           []Layer
}

// folder is that of this repository, or $TQ_GOLDEN.
func folder() string {
	if folder := os.Getenv("TQ_GOLDEN"); folder != "" {
		return folder
	}
	_, source, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(source), "..", "..", "..", "..", "tests", "golden", "v1")
}

// Path returns where a file lies that a case names.
func Path(file string) string { return filepath.Join(folder(), file) }

// Load returns the cases of a golden file. A copy of this module without the repository around it has no golden files:
// the test is skipped, unless $TQ_GOLDEN names their folder.
func Load[Case any](t testing.TB, file string) []Case {
	t.Helper()
	if _, err := os.Stat(folder()); errors.Is(err, fs.ErrNotExist) && os.Getenv("TQ_GOLDEN") == "" {
		t.Skip("the golden files are not part of this copy of the module; TQ_GOLDEN names their folder")
	}
	data, err := os.ReadFile(Path(file))
	if err != nil {
		t.Fatal(err)
	}
	var content struct {
		Version int
		Cases   []Case
	}
	if err := json.Unmarshal(data, &content); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if content.Version != 1 || len(content.Cases) == 0 {
		t.Fatalf("%s: version %d with %d cases", file, content.Version, len(content.Cases))
	}
	return content.Cases
}

// Digest is FNV-1a over the little-endian bytes of f32 values.
func Digest(values []float32) Number {
	hash := fnv.New64a()
	var four [4]byte
	for _, value := range values {
		binary.LittleEndian.PutUint32(four[:], math.Float32bits(value))
		hash.Write(four[:])
	}
	return Number(hash.Sum64())
}

// Difference tells where two slices differ, bit by bit; "" if they do not.
func Difference(got, want []float32) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d values, expected %d", len(got), len(want))
	}
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			return fmt.Sprintf("value %d is %g (%08x), expected %g (%08x)", i, got[i], math.Float32bits(got[i]), want[i],
				math.Float32bits(want[i]))
		}
	}
	return ""
}

// Number is a 64-bit number in a string such as "0x0123456789abcdef".
type Number uint64

func (n *Number) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	value, err := strconv.ParseUint(text, 0, 64)
	*n = Number(value)
	return err
}

// Bytes are written in hexadecimal digits.
type Bytes []byte

func (b *Bytes) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	value, err := hex.DecodeString(text)
	*b = value
	return err
}

// Floats are f32 values written as the hexadecimal digits of their little-endian bytes.
type Floats []float32

func (f *Floats) UnmarshalJSON(data []byte) error {
	var raw Bytes
	if err := raw.UnmarshalJSON(data); err != nil {
		return err
	}
	if len(raw)%4 != 0 {
		return fmt.Errorf("%d bytes are no whole f32 values", len(raw))
	}
	*f = make(Floats, len(raw)/4)
	for i := range *f {
		(*f)[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
	}
	return nil
}

// Logarithm is a number or the string "-inf".
type Logarithm float64

func (l *Logarithm) UnmarshalJSON(data []byte) error {
	if string(data) == `"-inf"` {
		*l = Logarithm(math.Inf(-1))
		return nil
	}
	return json.Unmarshal(data, (*float64)(l))
}

// Step is a call: ["append", n] or ["truncate", n].
type Step struct {
	Call  string
	Count int
}

func (s *Step) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&s.Call, &s.Count})
}
