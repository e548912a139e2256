//go:build cgo

package turboquant

// #include <stdlib.h>
// #include "bridge.h"
import "C"

import (
	"strings"
	"unsafe"
)

// Profile holds the options of every layer as they were chosen for one model. It comes from a JSON file, which
// docs/profile.md describes.
type Profile struct {
	Name        string // of the model
	Fingerprint string // of the model
	Layers      []LayerOptions
}

// LoadProfile reads a file, see tq_profile_load in turboquant.h. A fingerprint that is not empty must be that of the
// file. Errors name file, field and value: ErrNotFound if there is no file, ErrInvalidArgument if it cannot be read or
// has another fingerprint, ErrCorruptData and ErrUnsupported for what is in it.
func LoadProfile(path, fingerprint string) (*Profile, error) {
	if strings.ContainsRune(path, 0) {
		return nil, invalid("path is %q; expected no NUL character", path)
	}
	cPath := C.CString(path)
	defer C.free(unsafe.Pointer(cPath))
	return readProfile(fingerprint, func(fingerprint *C.char, out **C.tq_profile, err *C.tq_error) C.tq_status {
		return C.tq_profile_load(cPath, fingerprint, out, err)
	})
}

// ParseProfile is LoadProfile for the text of a file.
func ParseProfile(text []byte, fingerprint string) (*Profile, error) {
	if len(text) == 0 {
		text = []byte(" ") // C wants a pointer to something
	}
	return readProfile(fingerprint, func(fingerprint *C.char, out **C.tq_profile, err *C.tq_error) C.tq_status {
		return C.tq_profile_parse((*C.char)(unsafe.Pointer(&text[0])), C.size_t(len(text)), fingerprint, out, err)
	})
}

// CacheOptions returns the options of a cache for the model of the profile.
func (p *Profile) CacheOptions() CacheOptions {
	options := NewCacheOptions(0, LayerOptions{})
	options.LayerCount, options.Layers = 0, nil
	if p != nil {
		options.LayerCount, options.Layers = len(p.Layers), p.Layers
	}
	return options
}

func readProfile(
	fingerprint string, read func(*C.char, **C.tq_profile, *C.tq_error) C.tq_status,
) (*Profile, error) {
	if err := requireCompatible(); err != nil {
		return nil, err
	}
	if strings.ContainsRune(fingerprint, 0) {
		return nil, invalid("fingerprint is %q; expected no NUL character", fingerprint)
	}
	var wanted *C.char
	if fingerprint != "" {
		wanted = C.CString(fingerprint)
		defer C.free(unsafe.Pointer(wanted))
	}
	var profile *C.tq_profile
	failure := newError()
	if err := check(read(wanted, &profile, &failure), &failure); err != nil {
		return nil, err
	}
	defer C.tq_profile_destroy(profile)
	return profileContent(profile)
}

func profileContent(profile *C.tq_profile) (*Profile, error) {
	layers := make([]LayerOptions, C.tq_profile_layer_count(profile))
	for i := range layers {
		var layer C.tq_layer_options
		C.tq_layer_options_init(&layer, C.sizeof_tq_layer_options)
		failure := newError()
		if err := check(C.tq_profile_layer(profile, C.uint32_t(i), &layer, &failure), &failure); err != nil {
			return nil, err
		}
		layers[i] = layerOptions(&layer)
	}
	return &Profile{
		Name:        C.GoString(C.tq_profile_name(profile)),
		Fingerprint: C.GoString(C.tq_profile_fingerprint(profile)),
		Layers:      layers,
	}, nil
}
