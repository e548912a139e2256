#!/bin/busybox sh
# shellcheck shell=dash
# The first and only process of the emulated machine: runs what /runs lists and writes to the serial port. Lines that
# start with @@ are for run.sh. /runs has one line per run: program, tab, GoogleTest filter or nothing.
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t tmpfs tmp /tmp
# shellcheck disable=SC1091 # made by run.sh
. /environment

if [ -s /probe ]; then
  echo "@@ begin which target the library picks by itself"
  picked=$(unset TQ_CPU_TARGET && "/programs/$(/bin/busybox cat /probe)" '--gtest_filter=-*' 2>&1)
  status=$?
  echo "$picked"
  case $picked in
    *"CPU target: $TQ_CPU_TARGET"*) ;;
    *) status=1 ;;
  esac
  echo "@@ end $status"
fi

tab=$(printf '\t')
while IFS="$tab" read -r program filter; do
  echo "@@ begin $program $filter"
  if [ -n "$filter" ]; then
    "/programs/$program" "--gtest_filter=$filter" </dev/null
  else
    "/programs/$program" </dev/null
  fi
  echo "@@ end $?"
done </runs
echo "@@ all done"
/bin/busybox sync
/bin/busybox poweroff -f
