package turboquant_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	turboquant "github.com/libturboquant/libturboquant/bindings/go"
	"github.com/libturboquant/libturboquant/bindings/go/internal/golden"
)

const exampleProfile = "profiles/read_the_example_of_the_documentation.json"

func TestGoldenProfiles(t *testing.T) {
	statuses := map[string]turboquant.Status{
		"TQ_ERR_INVALID_ARGUMENT": turboquant.ErrInvalidArgument,
		"TQ_ERR_CORRUPT_DATA":     turboquant.ErrCorruptData,
		"TQ_ERR_UNSUPPORTED":      turboquant.ErrUnsupported,
	}
	for _, c := range golden.Load[golden.Profile](t, "profiles.json") {
		t.Run(c.Name, func(t *testing.T) {
			if c.Fingerprint != nil && *c.Fingerprint == "" {
				t.Skip("in Go an empty fingerprint asks for none")
			}
			path, fingerprint := golden.Path(c.File), ""
			if c.Fingerprint != nil {
				fingerprint = *c.Fingerprint
			}
			text := value[[]byte](t)(os.ReadFile(path))
			loaded, loadErr := turboquant.LoadProfile(path, fingerprint)
			parsed, parseErr := turboquant.ParseProfile(text, fingerprint)
			if c.Status != "TQ_OK" {
				for _, words := range append(c.Message, filepath.Base(path)+": ") {
					refused(t, loadErr, statuses[c.Status], words)
				}
				for _, words := range append(c.Message, "text: ") {
					refused(t, parseErr, statuses[c.Status], words)
				}
				return
			}
			must(t, loadErr)
			must(t, parseErr)
			expected := &turboquant.Profile{Name: c.ModelName, Fingerprint: c.ModelFingerprint}
			for i := range c.Layers {
				expected.Layers = append(expected.Layers, goldenLayer(&c.Layers[i]))
			}
			if !reflect.DeepEqual(loaded, expected) || !reflect.DeepEqual(parsed, expected) {
				t.Errorf("loaded %+v, parsed %+v, expected %+v", loaded, parsed, expected)
			}
			must(t, value[*turboquant.Cache](t)(turboquant.NewCache(loaded.CacheOptions())).Close())
		})
	}
}

func TestProfilesThatCannotBeRead(t *testing.T) {
	golden.Load[golden.Profile](t, "profiles.json") // skips without the golden files
	load := func(path, fingerprint string) error {
		_, err := turboquant.LoadProfile(path, fingerprint)
		return err
	}
	example := golden.Path(exampleProfile)
	folder := t.TempDir()
	refused(t, load(filepath.Join(folder, "none.json"), ""), turboquant.ErrNotFound, "none.json: cannot be read")
	refused(t, load(folder, ""), turboquant.ErrInvalidArgument, "cannot be read: Is a directory")
	refused(t, load("a\x00b", ""), turboquant.ErrInvalidArgument, `path is "a\x00b"`)
	refused(t, load(example, "a\x00b"), turboquant.ErrInvalidArgument, `fingerprint is "a\x00b"`)
	refused(t, load(example, "another"), turboquant.ErrInvalidArgument, "fingerprint is 'another'")
	for _, text := range [][]byte{nil, {}, []byte("{")} {
		_, err := turboquant.ParseProfile(text, "")
		refused(t, err, turboquant.ErrCorruptData, "text: not JSON")
	}
}

func TestNoProfileIsNoCache(t *testing.T) {
	for _, profile := range []*turboquant.Profile{nil, {}} {
		_, err := turboquant.NewCache(profile.CacheOptions())
		refused(t, err, turboquant.ErrInvalidArgument, "Layers is empty")
	}
}
