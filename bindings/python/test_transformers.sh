#!/usr/bin/env bash
# Tests the integration into Hugging Face transformers, with the newest 5.x and with 4.56, and `turboquant eval`, `tune`
# and `compare`, which stand on it: our wheel and its extras in a fresh environment, build/transformers-venv. PyTorch and
# transformers lie in the user's cache folder, because they take about 6 GB (the PyTorch of the package index brings
# CUDA); delete that folder to get newer ones. Where they are not there yet and cannot be had, this says so and does
# nothing. Options go to all pytest runs.
set -euo pipefail

folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$folder/../.." && pwd)
venv=$root/build/transformers-venv
wheels=$root/build/python-wheels
cache=${XDG_CACHE_HOME:-$HOME/.cache}/libturboquant
newest_requirements=('torch>=2.4' 'transformers>=5,<6' 'pytest>=7,<10')
oldest_requirements=('transformers>=4.56,<4.57')
need_gib=12

step() { printf '==> [%4d s] %s\n' "$SECONDS" "$*"; }
die() {
  printf 'test_transformers.sh: %s\n' "$*" >&2
  exit 1
}

# quiet LOG COMMAND..: shows what the command wrote only if it fails.
quiet() {
  local log=$root/build/$1
  shift
  "$@" >"$log" 2>&1 || { tail -n 40 "$log"; die "failed: $*"; }
}

python() { "$venv/bin/python" "$@"; }
pip() { python -m pip --disable-pip-version-check "$@"; }

skip() {
  printf '    SKIPPED: %s\n' "$*"
  exit 0
}

# fetch_packages FOLDER REQUIREMENT..: fills FOLDER with these and what they need, unless it exists.
fetch_packages() {
  local folder=$1
  shift
  [ ! -d "$folder" ] || return 0
  step "$*, once for all, into $folder"
  rm -rf "$folder.part"
  pip install --quiet --no-compile --target "$folder.part" "$@" >"$root/build/transformers-packages.log" 2>&1 || return 1
  mv "$folder.part" "$folder"
}

# folder_of NAME REQUIREMENT..: where packages for this Python and these requirements lie.
folder_of() {
  local name=$1 key
  shift
  key=$(printf '%s\n' "$(python -c 'import sys; print(*sys.version_info[:2])')" "$@" | sha256sum | cut -c 1-12)
  printf '%s\n' "$cache/transformers-$name-$key"
}

check_space() {
  [ ! -d "$newest" ] || return 0
  local free
  free=$(df --output=avail -BG "$cache" | tail -n 1 | tr -dc 0-9)
  [ "$free" -ge $need_gib ] || skip "PyTorch and transformers need $need_gib GB in $cache for a while; $free GB are free"
  printf '    about 3 GB to download, 6 GB on disk\n'
}

# The wheel of test.sh, unless sources are newer.
make_wheel() {
  local found=("$wheels"/libturboquant-*.whl) sources=(bindings/python/extension bindings/python/src capi cmake core)
  sources+=(CMakeLists.txt pyproject.toml bindings/python/CMakeLists.txt)
  if [ -e "${found[0]}" ] && [ -z "$(cd "$root" && find "${sources[@]}" -type f -newer "${found[0]}" \
    -not -name '*.so' -not -path '*/__pycache__/*' -print -quit)" ]; then
    return 0
  fi
  step "pip wheel ./bindings/python"
  if command -v ccache >/dev/null; then
    export CMAKE_C_COMPILER_LAUNCHER=${CMAKE_C_COMPILER_LAUNCHER:-ccache}
    export CMAKE_CXX_COMPILER_LAUNCHER=${CMAKE_CXX_COMPILER_LAUNCHER:-ccache}
  fi
  rm -rf "$wheels"
  quiet transformers-wheel.log pip wheel --no-deps --wheel-dir "$wheels" "$folder"
}

# run_tests NAME PYTHONPATH TESTS OPTION..
run_tests() {
  local name=$1 path=$2 tests=$3
  shift 3
  step "pytest with $(PYTHONPATH=$path python -c '
import torch, transformers
print(f"transformers {transformers.__version__} and torch {torch.__version__}")')"
  PYTHONPATH=$path python -m pytest -q -p no:cacheprovider -W ignore::FutureWarning -W ignore::UserWarning \
    --junitxml="$root/build/transformers-$name.xml" "$folder/tests/$tests" "$@"
}

mkdir -p "$root/build" "$cache"
rm -f "$root"/build/transformers-*.xml
cd "$root/build" # so that Python finds the installed package only
rm -rf "$venv"
python3 -m venv "$venv"
newest=$(folder_of newest "${newest_requirements[@]}")
oldest=$(folder_of oldest "${oldest_requirements[@]}")
check_space
if ! fetch_packages "$newest" "${newest_requirements[@]}" || ! fetch_packages "$oldest" "${oldest_requirements[@]}"; then
  skip "PyTorch and transformers could not be installed (build/transformers-packages.log)"
fi
make_wheel
step "build/transformers-venv: pip install 'libturboquant[transformers]', from the wheel"
printf '%s\n' "$newest" >"$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/packages.pth"
wheel=("$wheels"/libturboquant-*.whl)
quiet transformers-install.log pip uninstall --yes setuptools # the venv's own would hide the one that PyTorch needs
quiet transformers-install.log pip install --no-index "${wheel[0]}[transformers]" # all that it needs is there
run_tests newest "" with_transformers "$@"
run_tests oldest "$oldest" with_transformers "$@"
quiet transformers-install.log pip install "${wheel[0]}[eval,prometheus]"
run_tests evaluation "" evaluation "$@"
step "the transformers integration has passed"
