#!/usr/bin/env bash
# Checks and tests the Go package. The C library is built and installed into build/prefix; or give the prefix of an
# installed one in TQ_PREFIX (it is installed there if it is missing).
set -euo pipefail

folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$folder/../.." && pwd)
prefix=${TQ_PREFIX:-$root/build/prefix}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

step() { printf '==> [%4d s] %s\n' "$SECONDS" "$*"; }
die() {
  printf 'test.sh: %s\n' "$*" >&2
  exit 1
}

need() { command -v "$1" >/dev/null || die "$1 is missing: $2"; }

# go_is_at_least VERSION
go_is_at_least() { [ "$(printf 'go%s\n%s\n' "$1" "$(go env GOVERSION)" | sort -V | head -n 1)" = "go$1" ]; }

need_go() {
  need go "the Go toolchain, 1.24 or newer"
  go_is_at_least 1.24 || die "this is $(go env GOVERSION); Go 1.24 or newer is needed"
  need pkg-config "cgo finds the library with it"
  need cc "cgo compiles with it"
}

pc_folder() { find "$prefix" -name libturboquant.pc -printf '%h\n' -quit 2>/dev/null; }

# A library of our own is brought up to date, one in TQ_PREFIX is left as it is.
install_library() {
  [ -z "${TQ_PREFIX:-}" ] || [ -z "$(pc_folder)" ] || return 0
  step "install libturboquant into $prefix"
  need cmake "it configures the library"
  need ninja "it builds the library"
  local build=$root/build/bindings launcher=()
  ! command -v ccache >/dev/null ||
    launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_LIBDIR=lib -DTQ_BUILD_TESTS=OFF \
    -DTQ_BUILD_EXAMPLES=OFF "${launcher[@]}" >"$scratch/configure.log" || { cat "$scratch/configure.log"; exit 1; }
  cmake --build "$build" --parallel "$(nproc)" >"$scratch/build.log" || { cat "$scratch/build.log"; exit 1; }
  cmake --install "$build" --prefix "$prefix" >/dev/null
}

use_library() {
  install_library
  local pc
  pc=$(pc_folder)
  [ -n "$pc" ] || die "there is no libturboquant.pc in $prefix"
  export PKG_CONFIG_PATH=$pc${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
  local lib
  lib=$(dirname "$pc")
  export LD_LIBRARY_PATH=$lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
}

check_style() {
  step "gofmt, go vet, staticcheck"
  cmp LICENSE "$root/LICENSE"
  local unformatted
  unformatted=$(gofmt -l .)
  [ -z "$unformatted" ] || die "gofmt would change: $unformatted"
  go vet ./...
  go vet -tags tqdebuggc .
  local staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.8.2
  go_is_at_least 1.26 || staticcheck=${staticcheck%@*}@v0.6.1
  go run "$staticcheck" ./...
  go run "$staticcheck" -tags tqdebuggc .
}

# Prints go test's lines without those of passed subtests, of which the golden files make a thousand.
without_subtests() { grep -vE '^(=== |[[:space:]]+--- PASS)' || true; }

run_tests() {
  step "go test"
  go test -count=1 -v ./... | without_subtests
  step "go test -race"
  go test -count=1 -race -short ./...
  step "go test -tags tqdebuggc: garbage is collected in the middle of every call"
  go test -count=1 -short -tags tqdebuggc .
}

test_without_cgo() {
  step "CGO_ENABLED=0: the sub-package format works, the package says what it needs"
  CGO_ENABLED=0 go test -count=1 ./format
  GOARCH=arm64 CGO_ENABLED=0 go vet ./format
  if CGO_ENABLED=0 go build . 2>"$scratch/nocgo.log"; then die "the package builds without cgo"; fi
  grep -q this_package_needs_cgo "$scratch/nocgo.log" || { cat "$scratch/nocgo.log"; die "the message is missing"; }
  ! command -v qemu-aarch64 >/dev/null || [ "$(uname -m)" = aarch64 ] ||
    GOARCH=arm64 CGO_ENABLED=0 go test -count=1 -exec qemu-aarch64 ./format
}

# The examples as a program of somebody else.
test_from_outside() {
  step "go test in a module outside of this repository"
  local module=github.com/libturboquant/libturboquant/bindings/go
  mkdir -p "$scratch/user/format"
  cp example_test.go "$scratch/user/"
  cp format/example_test.go "$scratch/user/format/"
  cd "$scratch/user"
  export GOWORK=off
  go mod init example.com/user 2>/dev/null
  go mod edit -require="$module@v0.1.0" -replace="$module=$folder"
  go test -count=1 ./...
}

cd "$folder"
need_go
use_library
check_style
run_tests
test_without_cgo
test_from_outside
step "the Go package has passed"
