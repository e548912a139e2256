//go:build !cgo

package turboquant

// This package calls the C library through cgo. Without a C compiler, or with CGO_ENABLED=0, only its sub-package
// format can be built, which reads encoded bytes in pure Go. The undefined name below is there to say so.
var _ = this_package_needs_cgo__set_CGO_ENABLED_to_1_or_import_its_sub_package_format
