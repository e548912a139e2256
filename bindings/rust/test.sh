#!/usr/bin/env bash
# test.sh [asan]: everything about the Rust crates: formatting, clippy, tests with the installed library and with the
# vendored one, tests of a copy outside the repository, packaging. Stops at the first failure.
#
# TQ_PREFIX names an installed libturboquant (shared, with libturboquant.pc); without it the library is built and
# installed into build/prefix. Everything else lies in build/rust-target. With `asan` the tests run once against a
# library that is built with the address and undefined-behaviour sanitizers, and nothing else happens.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$root/build
export CARGO_TARGET_DIR=$build/rust-target
export TQ_GOLDEN_DIR=$root/tests/golden
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS

step() { printf '==> [%4d s] rust: %s\n' "$SECONDS" "$*"; }
die() {
  printf 'test.sh: %s\n' "$*" >&2
  exit 1
}

for tool in cargo cmake pkg-config; do
  command -v "$tool" >/dev/null || die "$tool is missing; the crates need Rust 1.85 or newer, for instance from rustup"
done
if command -v ccache >/dev/null; then
  export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
fi
CMAKE_BUILD_PARALLEL_LEVEL=$(nproc)
export CMAKE_BUILD_PARALLEL_LEVEL

# install_library FOLDER PREFIX OPTION..: builds libturboquant in build/FOLDER and installs it.
install_library() {
  local folder=$1 prefix=$2
  shift 2
  step "install libturboquant into ${prefix#"$root"/}"
  if ! build_and_install "$@" >"$build/$folder.log" 2>&1; then
    tail -n 30 "$build/$folder.log"
    die "building libturboquant failed"
  fi
}
build_and_install() {
  cmake -S "$root" -B "$build/$folder" -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_LIBDIR=lib -DTQ_BUILD_TESTS=OFF \
    -DTQ_BUILD_EXAMPLES=OFF -DTQ_BUILD_BENCH=OFF "$@" &&
    cmake --build "$build/$folder" &&
    cmake --install "$build/$folder" --prefix "$prefix"
}

# use_library PREFIX: what follows builds with and runs with this library.
use_library() {
  local package
  package=$(find "$1" -name libturboquant.pc -print -quit)
  [ -n "$package" ] || die "there is no libturboquant.pc in $1"
  PKG_CONFIG_PATH=$(dirname "$package")
  LD_LIBRARY_PATH=$(dirname "$PKG_CONFIG_PATH")
  export PKG_CONFIG_PATH LD_LIBRARY_PATH
}

mkdir -p "$build"
cd "$here"

if [ -n "${TQ_PREFIX:-}" ]; then
  use_library "$TQ_PREFIX"
else
  install_library rust-library "$build/prefix"
  use_library "$build/prefix"
fi

step "formatting"
cargo fmt --check
step "clippy"
cargo clippy --quiet --workspace --all-targets -- -D warnings
step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --workspace
step "tests with the installed library"
cargo test --quiet --workspace

step "tests with the vendored library"
env -u PKG_CONFIG_PATH -u LD_LIBRARY_PATH cargo test --quiet --workspace --features libturboquant/vendored

step "all tests passed"
