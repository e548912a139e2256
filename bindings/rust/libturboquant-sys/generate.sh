#!/usr/bin/env bash
# generate.sh [--check]: writes src/bindings.rs and tests/fields.in from turboquant.h, or checks that they are up to date. Needs libclang (Debian and Ubuntu: apt install libclang1) and bindgen-cli, which it installs into build/.
set -euo pipefail

crate=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$crate/../../.." && pwd)
header=$crate/source/capi/include/turboquant/turboquant.h
version=0.73.2
tools=$root/build/rust-tools

if [ "$("$tools/bin/bindgen" --version 2>/dev/null)" != "bindgen $version" ]; then
  cargo install --quiet --locked --root "$tools" --version "$version" bindgen-cli
fi

# The header's comments become documentation. Anonymous enums only name values there; here they are constants of the
# fixed-width type that carries them.
make_bindings() {
  local body
  body=$("$tools/bin/bindgen" "$header" \
    --use-core --rust-target 1.85 --rust-edition 2024 --no-layout-tests --merge-extern-blocks --disable-header-comment \
    --allowlist-item '[tT][qQ]_.*' --default-enum-style consts --no-prepend-enum-name \
    --blocklist-item TQ_API \
    -- -fparse-all-comments |
    sed -E \
      -e '/^pub type _bindgen_ty_[0-9]+ /d' \
      -e 's/^(pub const TQ_(OK|ERR_[A-Z_]+)): _bindgen_ty_[0-9]+/\1: tq_status/' \
      -e 's/^(pub const TQ_(DTYPE_AUTO|F32|F16|BF16)): _bindgen_ty_[0-9]+/\1: tq_dtype/' \
      -e 's/^(pub const TQ_FORMAT_[A-Z0-9_]+): _bindgen_ty_[0-9]+/\1: tq_format/' \
      -e 's/^(pub const TQ_MAX_MAGNITUDE): f64/\1: f32/' \
      -e 's/^(pub const TQ_LAYOUT_[A-Z0-9_]+): _bindgen_ty_[0-9]+/\1: u32/')
  if grep -n '_bindgen_ty_' <<<"$body" >&2; then
    echo "generate.sh: these constants have no type yet: add a line to make_bindings" >&2
    return 1
  fi
  printf '// Made by generate.sh from turboquant.h; do not edit.\n\n%s\n' "$body"
}

# The fields of every struct, for tests/layout.rs.
list_fields() {
  printf '// Made by generate.sh; do not edit.\nlayouts! {\n'
  awk '/^pub struct / { struct = $3; fields = "" }
    struct && /^    pub / { sub(":.*", "", $2); fields = fields (fields ? ", " : "") $2 }
    /^}/ { if (struct && fields) print "    " struct " { " fields " }"; struct = "" }'
  printf '}\n'
}

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
make_bindings >"$made/bindings.rs"
list_fields <"$made/bindings.rs" >"$made/fields.in"

case ${1:-} in
  '') cp "$made/bindings.rs" "$crate/src/" && cp "$made/fields.in" "$crate/tests/" ;;
  --check)
    if ! diff -u "$crate/src/bindings.rs" "$made/bindings.rs" || ! diff -u "$crate/tests/fields.in" "$made/fields.in"; then
      echo "generate.sh: the bindings are not what the header says; run generate.sh" >&2
      exit 1
    fi
    ;;
  *) echo "usage: generate.sh [--check]" >&2 && exit 2 ;;
esac
