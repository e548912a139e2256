#!/usr/bin/env bash
# Prints the path of a Bochs that emulates AVX-512 correctly: built once from the source package of the newest suite of
# the distribution, and kept in the user's cache folder. That takes some minutes. Exits with 77 if it is not possible
# here. Needs no root.
#
# Not the packaged one: up to 2.7 it rounds f32 to f16 wrongly (ties away from even), and Debian compiles the debugger
# in, which makes it slow.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=SCRIPTDIR/../../cmake/scripts/apt_suites.sh
. "$here/../../cmake/scripts/apt_suites.sh"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/libturboquant/emulate
bochs=$cache/bochs

say() { printf '    %s\n' "$*" >&2; }
give_up() {
  say "$*"
  exit 77
}

if [ -x "$bochs" ]; then
  printf '%s\n' "$bochs"
  exit 0
fi
for tool in apt-get make g++ tar xz; do
  command -v $tool >/dev/null || give_up "needs $tool"
done
find_server || give_up "apt names no source of Debian or Ubuntu"

mkdir -p "$cache"
work=$(mktemp -d "$cache/bochs.XXXXXX")
trap 'rm -rf "$work"' EXIT
private_apt "$work"

# The first suite that has at least 2.8. The Debian part of the source package is not used, so it does not matter if a
# server lacks that.
archive=
for suite in "${newest_suites[@]}" stable; do
  printf 'deb-src %s%s %s %s\n' "$signed" "$uri" "$suite" "$component" >"$work/sources.list"
  (cd "$work" && apt-get "${apt_options[@]}" update -qq &&
    apt-get "${apt_options[@]}" source --download-only -qq bochs) >"$work/log" 2>&1 || true
  archive=$(find "$work" -maxdepth 1 -name 'bochs_*.orig.tar.*' | sort -V | tail -n 1)
  case ${archive##*/} in
    '') say "suite $suite: $(tail -n 1 "$work/log")" ;;
    bochs_2.[0-7]*) archive= ;;
    *) break ;;
  esac
done
[ -n "$archive" ] || give_up "no source of Bochs 2.8 or newer could be downloaded"

say "building ${archive##*/} (once)"
mkdir "$work/source"
tar -C "$work/source" --strip-components 1 -xf "$archive"
cd "$work/source"
launcher=
if command -v ccache >/dev/null; then launcher='ccache '; fi
CC="${launcher}gcc" CXX="${launcher}g++" CFLAGS=-O2 CXXFLAGS=-O2 ./configure --with-nogui --enable-x86-64 --enable-avx --enable-evex \
  --enable-all-optimizations --disable-plugins --disable-docbook --disable-gameport >"$work/log" 2>&1 ||
  { tail -n 20 "$work/log" >&2; give_up "configuring Bochs failed"; }
make -j "$(nproc)" >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; give_up "building Bochs failed"; }
strip bochs
mv bochs "$bochs"
printf '%s\n' "$bochs"
