#!/usr/bin/env bash
# Prints the include folder of the newest xsimd that the distribution has in any of its suites, downloading it once a
# week into the user's cache folder. Exits with 77 if that is not possible here. Needs no root.
set -euo pipefail

# shellcheck source=SCRIPTDIR/apt_suites.sh
. "$(dirname "${BASH_SOURCE[0]}")/apt_suites.sh"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/libturboquant/xsimd
newest=$cache/newest # a link to the folder of a version

say() { printf '    %s\n' "$*" >&2; }
answer() {
  say "xsimd $(readlink "$newest")"
  printf '%s/usr/include\n' "$newest"
  exit 0
}
give_up() {
  say "$*"
  if [ -e "$newest/usr/include/xsimd/xsimd.hpp" ]; then answer; fi
  exit 77
}

if [ -n "$(find "$cache" -maxdepth 1 -name checked -mtime -7 2>/dev/null)" ]; then
  if [ -e "$newest/usr/include/xsimd/xsimd.hpp" ]; then answer; fi
fi
for tool in apt-get dpkg-deb; do
  command -v $tool >/dev/null || give_up "needs $tool"
done

find_server || give_up "apt names no source of Debian or Ubuntu"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$cache"
private_apt "$work"

for suite in "${newest_suites[@]}"; do
  printf 'deb %s%s %s %s\n' "$signed" "$uri" "$suite" "$component" >"$work/sources.list"
  if apt-get "${apt_options[@]}" update -qq >"$work/log" 2>&1 &&
    (cd "$work" && apt-get "${apt_options[@]}" download -qq libxsimd-dev >>"$work/log" 2>&1); then
    break
  fi
  say "suite $suite: $(tail -n 1 "$work/log")"
done

package=$(find "$work" -maxdepth 1 -name 'libxsimd-dev_*.deb' | head -n 1)
[ -n "$package" ] || give_up "no newer xsimd could be downloaded"
version=$(dpkg-deb --field "$package" Version)
rm -rf "${cache:?}/$version"
dpkg-deb -x "$package" "$cache/$version"
ln -sfn "$version" "$newest"
touch "$cache/checked"
answer
