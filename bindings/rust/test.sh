#!/usr/bin/env bash
# test.sh [asan]: everything about the Rust crates: formatting, clippy, documentation, tests with the installed library and
# with the vendored one, the packed crates outside the repository, the README's quick start. Stops at the first failure.
#
# TQ_PREFIX names an installed libturboquant (shared, with libturboquant.pc); without it the library is built and
# installed into build/prefix. What cargo makes lies in build/rust-target.
#
# With `asan` the tests run against a library that is built with the address and undefined-behaviour sanitizers: what C
# reads and writes of the memory of Rust is checked. Only with the baseline kernels, because others take minutes to compile
# with sanitizers. Nothing else happens then.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$root/build
export CARGO_TARGET_DIR=$build/rust-target
export TQ_GOLDEN_DIR=$root/tests/golden
export CARGO_TERM_COLOR=never
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS

step() { printf '==> [%4d s] rust: %s\n' "$SECONDS" "$*"; }
die() {
  printf 'test.sh: %s\n' "$*" >&2
  exit 1
}

for tool in cargo cmake pkg-config python3; do
  command -v "$tool" >/dev/null || die "$tool is missing (the crates need Rust 1.85 or newer, for instance from rustup)"
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

test_asan() {
  local host runner
  install_library rust-asan-library "$build/asan-prefix" -DTQ_SANITIZE=address,undefined \
    -DTQ_BASELINE_ONLY=ON -DTQ_BUILD_STATIC=OFF
  use_library "$build/asan-prefix"
  host=$(rustc -vV | sed -n 's/^host: //p')
  runner=CARGO_TARGET_$(tr 'a-z-' 'A-Z_' <<<"$host")_RUNNER
  export "$runner=env LD_PRELOAD=$(cc -print-file-name=libasan.so)"
  export CARGO_TARGET_DIR=$build/rust-asan-target UBSAN_OPTIONS=halt_on_error=1
  step "tests with sanitizers in the library"
  cargo test --quiet --tests -p libturboquant
  cargo test --quiet -p libturboquant-sys --test calls # the layout test runs a compiler, which would be preloaded, too
}

# A folder from which the repository's own files cannot be found by accident. Set here, so that the trap can name it.
outside=$(mktemp -d)
trap 'rm -rf "$outside"' EXIT
copy=$outside/libturboquant/bindings/rust

without_library() { env -u PKG_CONFIG_PATH -u LD_LIBRARY_PATH "$@"; }

# The crates as they would be published, and the example beside them.
test_copy() {
  step "pack the crates, unpack them outside the repository"
  (cd "$here" && cargo package --quiet --allow-dirty --no-verify -p libturboquant-sys)
  mkdir -p "$copy"
  cp -rL "$here"/{Cargo.toml,Cargo.lock,libturboquant,candle-llama} "$copy/"
  tar -xzf "$CARGO_TARGET_DIR"/package/libturboquant-sys-0.1.0.crate -C "$copy"
  mv "$copy"/libturboquant-sys-* "$copy/libturboquant-sys"
  cd "$copy"
  step "tests of the copy with the installed library"
  cargo test --quiet
  step "tests of the copy with the packed sources"
  # All packed files bear the same date, so CMake would take what an earlier copy left for up to date.
  cargo clean --quiet -p libturboquant-sys
  without_library cargo test --quiet --features libturboquant/vendored
}

# In a folder beside the copy, where its path leads.
test_quick_start() {
  step "quick start of the README"
  python3 "$root/tests/consumer/extract_snippets.py" "$here/README.md" "$outside/hello" >/dev/null
  cd "$outside/hello"
  local output
  output=$(without_library cargo run --quiet)
  printf '    %s\n' "$output"
  grep -qF "${output% on *}" "$here/README.md" || die "the README shows something else"
}

mkdir -p "$build"
cd "$here"
case ${1:-} in
  asan)
    test_asan
    exit
    ;;
  '') ;;
  *) die "usage: test.sh [asan]" ;;
esac

if [ -n "${TQ_PREFIX:-}" ]; then
  use_library "$TQ_PREFIX"
else
  install_library rust-library "$build/prefix"
  use_library "$build/prefix"
fi

step "formatting"
cargo fmt --all --check
step "clippy"
cargo clippy --quiet --workspace --all-targets -- -D warnings
step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps -p libturboquant-sys -p libturboquant --features libturboquant/candle
step "tests with the installed library, candle included"
cargo test --quiet --workspace
test_copy
test_quick_start
step "all tests passed"
