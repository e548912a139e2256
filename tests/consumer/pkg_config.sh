#!/bin/sh
# pkg_config.sh PREFIX KIND COMPILER LANGUAGE WORK: builds main.c with what pkg-config says, and runs it.
set -eu
prefix=$1 kind=$2 compiler=$3 language=$4 work=$5
here=$(dirname "$0")

PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name libturboquant.pc)")
export PKG_CONFIG_PATH
option=
if [ "$kind" = static ]; then
  option=--static
  libs=$(pkg-config --static --libs libturboquant)
  for needed in -lstdc++ -lm -lpthread; do
    case " $libs " in
      *" $needed "*) ;;
      *) echo "pkg-config --static --libs lacks $needed: $libs"; exit 1 ;;
    esac
  done
fi

mkdir -p "$work"
# shellcheck disable=SC2046,SC2086 # flags are meant to be split
"$compiler" -Wall -Wextra -Werror -x "$language" "$here/main.c" -x none -o "$work/consumer" \
  $(pkg-config $option --cflags --libs libturboquant)

if [ "$kind" = shared ]; then
  LD_LIBRARY_PATH=$(pkg-config --variable=libdir libturboquant)
  export LD_LIBRARY_PATH
elif readelf -d "$work/consumer" | grep -q libturboquant; then
  echo "linked statically, yet needs the shared library"
  exit 1
fi
"$work/consumer"
