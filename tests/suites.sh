# shellcheck shell=bash disable=SC2154 # root and the like are dev's
# The test suites of ./dev test: dev reads this file, it does nothing by itself. One function test_<suite> each.

passed=0
failed=0
skipped=0

# count_results FILE: adds the first <testsuite> of a JUnit file to the totals.
count_results() {
  local suite attribute
  local -A count=([tests]=0 [failures]=0 [errors]=0 [skipped]=0)
  suite=$(tr '\n\t' '  ' <"$1" | grep -o '<testsuite [^>]*>' | head -n 1)
  for attribute in "${!count[@]}"; do
    [[ $suite =~ \ $attribute=\"([0-9]+)\" ]] && count[$attribute]=${BASH_REMATCH[1]}
  done
  local bad=$((count[failures] + count[errors]))
  failed=$((failed + bad))
  skipped=$((skipped + count[skipped]))
  passed=$((passed + count[tests] - bad - count[skipped]))
}

print_totals() { printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"; }

# run_ctest FOLDER OPTION..
run_ctest() {
  local folder=$1 status=0
  shift
  step "test build/$folder"
  rm -f "$root/build/$folder/junit.xml"
  ctest --test-dir "$root/build/$folder" --output-on-failure --no-tests=error --output-junit junit.xml "$@" || status=$?
  [ ! -e "$root/build/$folder/junit.xml" ] || count_results "$root/build/$folder/junit.xml"
  [ $status -eq 0 ] || die "tests failed in build/$folder"
}

run_preset() {
  need_test_tools
  install_needs
  use_cmake
  configure "$1" --preset "$1"
  compile "$1"
  run_ctest "$1"
}

test_dev() { run_preset dev; }
test_release() { run_preset release; }
test_baseline() { run_preset baseline; }
test_asan() { run_preset asan; }
test_tsan() { # only the programs that start threads
  need_test_tools
  install_needs
  use_cmake
  configure tsan --preset tsan
  compile tsan --target capi_threads core_threads
  run_ctest tsan --tests-regex '_threads' --repeat until-fail:3 # a race does not show every time
}
test_clang() {
  need clang "a second opinion on the code" has clang++
  run_preset clang
}
test_aarch64() {
  need g++-aarch64-linux-gnu "cross compiler for 64-bit Arm" has aarch64-linux-gnu-g++
  need qemu-user "runs the Arm tests" has qemu-aarch64
  run_preset aarch64
}

# Kernels that this CPU lacks, on an emulated one: see tests/emulate/run.sh. Both at a time; what the programs print is
# shown only if one fails.
test_avx512-emulated() {
  local targets=() target
  grep -qw avx512bw /proc/cpuinfo || targets+=(avx512)
  grep -w avx512_vnni /proc/cpuinfo | grep -qw avx512vbmi || targets+=(avx512_vnni)
  if [ ${#targets[@]} -eq 0 ]; then
    note "SKIPPED: this CPU has AVX-512 with VNNI and VBMI, so the other tests use it"
    skipped=$((skipped + 1))
    return 0
  fi
  need_test_tools
  need make "builds the emulator" has make
  need xz-utils "unpacks its source" has xz
  need xorriso "the emulated machine starts from a CD" has xorriso
  need cpio "the file system on the CD" has cpio
  install_needs
  use_cmake
  step "emulator"
  if ! "$root/tests/emulate/fetch_system.sh" >/dev/null || ! "$root/tests/emulate/fetch_bochs.sh" >/dev/null; then
    note "SKIPPED: no CPU with AVX-512 can be emulated here"
    skipped=$((skipped + 1))
    return 0
  fi
  configure release --preset release
  compile release
  step "test build/release, emulated: ${targets[*]}"
  local -A job
  for target in "${targets[@]}"; do
    "$root/tests/emulate/run.sh" "$root/build/release" "$target" </dev/null >"$root/build/emulate.$target.log" 2>&1 &
    job[$target]=$!
  done
  local status bad=
  for target in "${targets[@]}"; do
    status=0
    wait "${job[$target]}" || status=$?
    sed -n "s/^---/$target:/p" "$root/build/emulate.$target.log"
    if [ $status -eq 0 ]; then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
      bad+=" $target"
    fi
  done
  for target in $bad; do cat "$root/build/emulate.$target.log"; done
  [ -z "$bad" ] || die "emulated tests failed:$bad"
}

# The whole range of xsimd is supported; the presets use the system's version, this the newest that Debian has.
test_xsimd() {
  need_test_tools
  install_needs
  use_cmake
  step "newest xsimd"
  local folder
  if ! folder=$("$root/cmake/scripts/fetch_newest_xsimd.sh"); then
    note "SKIPPED: no newer xsimd could be fetched, so only the system's version was tested"
    skipped=$((skipped + 1))
    return 0
  fi
  configure xsimd --preset release -DTQ_XSIMD_INCLUDE_DIR="$folder" -DTQ_BUILD_EXAMPLES=OFF -DTQ_BUILD_BENCH=OFF
  compile xsimd
  run_ctest xsimd --label-exclude 'abi|consumer'
}

test_core() {
  local suite
  for suite in "${core_suites[@]}"; do "test_$suite"; done
}

test_reference() {
  need_python
  install_needs
  use_venv 'numpy>=1.24,<3' 'pytest>=7,<10' 'jsonschema>=4,<5'
  local python=$root/build/venv/bin/python status=0
  step "reference implementation"
  (cd "$root" && "$python" -m pytest -q -p no:cacheprovider --junitxml=build/reference.xml tests/reference) || status=$?
  [ ! -e "$root/build/reference.xml" ] || count_results "$root/build/reference.xml"
  [ $status -eq 0 ] || die "tests of the reference implementation failed"
  step "golden files are what the reference writes"
  (cd "$root" && "$python" tests/reference/make_golden.py --check) || die "golden files differ"
  passed=$((passed + 1))
}

# Go is not installed by this script: what Debian has is often too old.
test_go() {
  need_build_tools
  need pkg-config "cgo finds the library with it"
  install_needs
  use_cmake
  step "bindings/go"
  local version log=$root/build/go.log status=0
  version=$(go env GOVERSION 2>/dev/null) || version=go0
  if [ "$(printf 'go1.24\n%s\n' "$version" | sort -V | head -n 1)" != go1.24 ]; then
    note "SKIPPED: the Go package needs Go 1.24 or newer; this machine has ${version/#go0/none}"
    skipped=$((skipped + 1))
    return 0
  fi
  "$root/bindings/go/test.sh" 2>&1 | tee "$log" || status=$?
  passed=$((passed + $(grep -c '^--- PASS: ' "$log" || true)))
  failed=$((failed + $(grep -c '^--- FAIL: ' "$log" || true)))
  [ $status -eq 0 ] || die "tests of bindings/go failed"
}

# Nor is Rust. The script of the crates does everything; this says what the machine must have, and counts.
test_rust() {
  need_build_tools
  need pkg-config "finds the installed library" has pkg-config
  need_python
  install_needs
  use_cmake
  step "bindings/rust"
  local version log=$root/build/rust.log status=0
  version=$(rustc --version 2>/dev/null | cut -d ' ' -f 2) || version=0
  if [ "$(printf '1.85\n%s\n' "${version:-0}" | sort -V | head -n 1)" != 1.85 ]; then
    note "SKIPPED: the Rust crates need Rust 1.85 or newer; this machine has ${version:-none}"
    skipped=$((skipped + 1))
    return 0
  fi
  "$root/bindings/rust/test.sh" 2>&1 | tee "$log" || status=$?
  local result
  while read -r result; do
    [[ $result =~ \ ([0-9]+)\ passed\;\ ([0-9]+)\ failed ]] || continue
    passed=$((passed + BASH_REMATCH[1]))
    failed=$((failed + BASH_REMATCH[2]))
  done < <(grep '^test result: ' "$log")
  [ $status -eq 0 ] || die "tests of bindings/rust failed"
}

test_python() {
  need_build_tools
  need_python
  install_needs
  use_cmake
  step "bindings/python"
  local status=0
  rm -f "$root/build/python.xml"
  "$root/bindings/python/test.sh" || status=$?
  [ ! -e "$root/build/python.xml" ] || count_results "$root/build/python.xml"
  [ $status -eq 0 ] || die "tests of bindings/python failed"
}

# PyTorch and transformers are large, so the script skips itself where they cannot be had.
test_transformers() {
  need_build_tools
  need_python
  install_needs
  use_cmake
  step "transformers"
  local status=0 name
  "$root/bindings/python/test_transformers.sh" || status=$?
  for name in newest oldest evaluation; do
    if [ -e "$root/build/transformers-$name.xml" ]; then
      count_results "$root/build/transformers-$name.xml"
    elif [ $status -eq 0 ]; then
      skipped=$((skipped + 1))
    fi
  done
  [ $status -eq 0 ] || die "tests of the transformers integration failed"
}

core_suites=(release aarch64 asan tsan xsimd reference python transformers go rust)
more_suites=(dev baseline clang avx512-emulated)

run_tests() {
  [ $# -gt 0 ] || set -- core
  trap print_totals EXIT
  local suite
  for suite in "$@"; do
    case " core ${core_suites[*]} ${more_suites[*]} " in
      *" $suite "*) ;;
      *) die "no tests are called '$suite'; there are: core (= ${core_suites[*]}) ${more_suites[*]}" ;;
    esac
  done
  for suite in "$@"; do "test_$suite"; done
  step "all tests passed"
}
