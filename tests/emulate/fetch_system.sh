#!/usr/bin/env bash
# Prints a folder with what a PC with a tiny Linux is made of: vmlinuz, busybox, isolinux.bin, ldlinux.c32, bios.bin,
# vgabios.bin. They are taken out of packages of the machine's own distribution (Debian or Ubuntu), once, and kept in
# the user's cache folder; remove the folder to get newer ones. Exits with 77 if that is not possible here.
#
# Nothing is installed: apt gets a state of its own, so this needs no root either.
set -euo pipefail

cache=${XDG_CACHE_HOME:-$HOME/.cache}/libturboquant/emulate
system=$cache/system

give_up() {
  printf '    %s\n' "$*" >&2
  exit 77
}

if [ -e "$system/vmlinuz" ]; then
  printf '%s\n' "$system"
  exit 0
fi
[ "$(uname -m)" = x86_64 ] || give_up "needs a machine with x86-64"
for tool in apt-get apt-cache dpkg-deb; do
  command -v $tool >/dev/null || give_up "needs $tool"
done

mkdir -p "$cache"
work=$(mktemp -d "$cache/fetch.XXXXXX") # beside $system: finished by renaming a folder
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/archives/archives/partial" "$work/packages" "$work/files" "$work/system"
private=(-o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/archives" -o APT::Sandbox::User=
  -o Acquire::Languages=none)

# A source that cannot be reached is no reason to stop: what is missing shows below.
apt-get "${private[@]}" update -qq >"$work/log" 2>&1 || true

# The package of the newest kernel for virtual machines: small, and its drivers for a serial port are built in.
kernel=
for meta in linux-image-cloud-amd64 linux-image-virtual; do
  kernel=$(apt-cache "${private[@]}" depends "$meta" 2>/dev/null |
    sed -nE 's/^ *Depends: (linux-image-[0-9][^ ]*)$/\1/p' | head -n 1)
  [ -z "$kernel" ] || break
done
[ -n "$kernel" ] || give_up "apt knows no kernel for virtual machines: $(tail -n 1 "$work/log")"

for package in "$kernel" busybox-static isolinux syslinux-common bochsbios vgabios; do
  (cd "$work/packages" && apt-get "${private[@]}" download -qq "$package" >>"$work/log" 2>&1) ||
    give_up "$package could not be downloaded: $(tail -n 1 "$work/log")"
done
for package in "$work"/packages/*.deb; do
  dpkg-deb -x "$package" "$work/files"
done

# take NAME PATTERN: the file whose path in the packages fits
take() {
  local found
  found=$(find "$work/files" -type f -path "$2" | head -n 1)
  [ -n "$found" ] || give_up "the packages have no $1"
  cp "$found" "$work/system/$1"
}
take vmlinuz '*/boot/vmlinuz-*'
take busybox '*/bin/busybox'
take isolinux.bin '*/isolinux.bin'
take ldlinux.c32 '*/bios/ldlinux.c32'
take bios.bin '*/BIOS-bochs-latest'
take vgabios.bin '*/vgabios/vgabios.bin'
rm -rf "$system"
mv "$work/system" "$system"
printf '%s\n' "$system"
