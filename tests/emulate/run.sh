#!/usr/bin/env bash
# run.sh BUILD_DIR TARGET [PROGRAM[:FILTER] ...]
#
# Runs test programs on an emulated CPU that has TARGET (avx512, avx512_vnni, avx2 or baseline) and nothing newer, so
# kernels can be tested that the machine's own CPU could not run, and an instruction that a kernel must not use is an
# illegal one. Bochs emulates a whole PC; it starts a kernel of the distribution with the programs in its initramfs.
#
# PROGRAM is a program below BUILD_DIR/tests, or the path of any other executable; FILTER is GoogleTest's. Without
# programs: those that exercise every kernel. They run with TQ_CPU_TARGET=TARGET and TQ_TEST_QUICK=1, and with the
# variables of that kind that are set here (GTEST_*). Needs xorriso and cpio, and downloads the rest once.
#
# Prints what the programs print, with their exit codes. Exits with 1 if one fails or the machine does not get to its
# end, with 77 if it cannot be emulated here. TQ_EMULATE_TIMEOUT limits the whole, in seconds (3600). Everything it
# makes is in BUILD_DIR/emulate/TARGET.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# About 20 to 100 million instructions per second is what Bochs does; the guest's clocks run as if it was exactly this.
readonly ips=50000000
readonly memory=1024 # MiB
called_from=$PWD

die() {
  printf 'run.sh: %s\n' "$*" >&2
  exit 1
}

[ $# -ge 2 ] || die "usage: run.sh BUILD_DIR TARGET [PROGRAM[:FILTER] ...]"
build=$(cd "$1" && pwd) || die "no folder '$1'"
target=$2
shift 2
[ $# -gt 0 ] || set -- core_kernels core_pages capi_codec capi_golden capi_attention \
  'capi_cache:CacheAppend.HandlesEveryPairOfFormats:CacheHistory.*:CacheRead.*'

case $target in
  baseline) model=core2_penryn_t9600 ;;
  avx2) model=corei7_haswell_4770 ;;
  avx512) model=corei7_skylake_x ;;
  avx512_vnni) model=corei7_icelake_u ;;
  *) die "no CPU model for target '$target': baseline, avx2, avx512, avx512_vnni" ;;
esac
for tool in xorriso cpio; do
  command -v $tool >/dev/null || { echo "run.sh: needs $tool" >&2; exit 77; }
done
source_dir=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$build/CMakeCache.txt") || die "$build is no build folder"
system=$("$here/fetch_system.sh")
bochs=$("$here/fetch_bochs.sh")

work=$build/emulate/$target
rm -rf "$work"
mkdir -p "$work"/initramfs/{bin,dev,proc,tmp,programs} "$work/cd"
cd "$work"

# ---- The initramfs --------------------------------------------------------------------------------------------------

# add_program FILE: as /programs/NAME, with the shared libraries it needs where they are here.
add_program() {
  local copy=initramfs/programs/${1##*/}
  [ ! -e "$copy" ] || return 0
  cp "$1" "$copy"
  strip "$copy" 2>/dev/null || true # smaller: every byte is read through an emulated CD drive
  local library
  for library in $(ldd "$1" 2>/dev/null | grep -oE '/[^ ]+'); do
    [ -e "initramfs$library" ] || cp -L --parents "$library" initramfs
  done
}

: >initramfs/probe
for run in "$@"; do
  name=${run%%:*}
  filter=
  [ "$name" = "$run" ] || filter=${run#*:}
  case $name in
    /*) file=$name ;;
    */*) file=$called_from/$name ;;
    *)
      file=$(find "$build/tests" -type f -name "$name" -perm -u+x | head -n 1)
      [ -s initramfs/probe ] || printf '%s\n' "$name" >initramfs/probe
      ;;
  esac
  [ -f "$file" ] || die "no program '$name'"
  add_program "$file"
  printf '%s\t%s\n' "${file##*/}" "$filter" >>initramfs/runs
done
mkdir -p "initramfs$source_dir/tests"
cp -r "$source_dir/tests/golden" "initramfs$source_dir/tests/"
{
  printf 'export TQ_CPU_TARGET=%q TQ_TEST_QUICK=1 GTEST_COLOR=no\n' "$target"
  env | sed -nE "s/^(GTEST_[A-Z_]+)=([a-zA-Z0-9_.:*-]*)$/export \1='\2'/p"
} >initramfs/environment
cp "$system/busybox" initramfs/bin/
cp "$here/init.sh" initramfs/init
chmod +x initramfs/init
(cd initramfs && find . | cpio -o -H newc --quiet) >cd/initrd

# ---- The CD ---------------------------------------------------------------------------------------------------------

# The CPU models announce fast short string moves (FSRM) while the MSR that enables string moves is off. The kernel then
# drops ERMS but keeps FSRM, and its memmove takes for granted that these come together. Programs see what CPUID says.
broken=fsrm
# What takes long and tests nothing of ours: the kernel's self-tests, certificates, tracing.
slow=load_system_certificate_list,trace_eval_init,init_kprobe_trace,cubictcp_register
cp "$system/bios.bin" "$system/vgabios.bin" .
cp "$system/vmlinuz" "$system/isolinux.bin" "$system/ldlinux.c32" cd/
cat >cd/isolinux.cfg <<CONFIG
DEFAULT linux
PROMPT 0
LABEL linux
KERNEL /vmlinuz
INITRD /initrd
APPEND console=ttyS0,115200 quiet loglevel=2 panic=-1 reboot=triple clearcpuid=$broken \
tsc_early_khz=$((ips / 1000)) tsc=reliable clocksource=tsc no_timer_check mitigations=off audit=0 apparmor=0 \
nowatchdog cryptomgr.notests initcall_blacklist=$slow
CONFIG
xorriso -as mkisofs -quiet -o cd.iso -b isolinux.bin -c boot.cat -no-emul-boot -boot-load-size 4 -boot-info-table cd \
  2>xorriso.log || die "no CD: $(cat xorriso.log)"
sed -e "s/@MODEL@/$model/" -e "s/@IPS@/$ips/" -e "s/@MEMORY@/$memory/g" "$here/bochsrc.in" >bochsrc

# ---- The run --------------------------------------------------------------------------------------------------------

# show_results: from the serial port to the reader; the exit codes also into the file "results".
show_results() {
  local line running='' began=0
  while IFS= read -r line; do
    line=${line%$'\r'}
    case $line in
      '@@ begin '*)
        running=${line#@@ begin }
        began=$SECONDS
        printf -- '--- %s\n' "$running"
        ;;
      '@@ end '*)
        printf -- '--- exit code %s after %d s\n' "${line#@@ end }" $((SECONDS - began))
        printf '%s\t%s\n' "${line#@@ end }" "$running" >>results
        running=
        ;;
      '@@ all done') printf 'all done\n' >>results ;;
      *) [ -z "$running" ] || printf '%s\n' "$line" ;;
    esac
  done
}

: >serial.txt
: >results
timeout "${TQ_EMULATE_TIMEOUT:-3600}" "$bochs" -q -f bochsrc </dev/null >screen.txt 2>&1 &
machine=$!
trap 'kill $machine 2>/dev/null || true' EXIT
tail --pid=$machine -s 0.5 -n +1 -f serial.txt 2>/dev/null | show_results

if ! grep -qx 'all done' results; then
  printf 'run.sh: the emulated machine stopped early; its last words (%s):\n' "$work" >&2
  tail -n 30 serial.txt | cut -c1-200 >&2
  grep -a PANIC bochs.log screen.txt | head -n 5 >&2 || true
  exit 1
fi
if grep -vE '^(0	|all done$)' results; then
  die "failed: see above"
fi
printf -- '--- all passed on %s (%s) after %d s\n' "$target" "$model" $SECONDS
