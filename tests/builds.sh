#!/bin/sh
# SPDX-License-Identifier: MIT
# For scripts that build a second time. test_build NAME MESON-OPTIONS...: a build in the folder
# $GRUC_BUILD/builds/NAME (named $other then), kept between runs. Answers whether it built.
# Scripts that read this file stand at the root of the project afterwards.
set -u
cd "$(dirname "$0")" || exit 1
while [ ! -f meson_options.txt ]; do cd ..; done
other=

test_build() {
  other=$GRUC_BUILD/builds/$1
  label=$1
  shift
  mkdir -p "$GRUC_BUILD/builds"
  if [ ! -f "$other/build.ninja" ] &&
    ! meson setup "$other" "$@" > "$other.log" 2>&1; then
    rm -rf "$other"
    echo "not ok $label: meson setup: $(tail -n 3 "$other.log" | tr '\n' ' ')"
    return 1
  fi
  if ! ninja -C "$other" > "$other.log" 2>&1; then
    echo "not ok $label: build: $(grep -E 'error|FAILED' "$other.log" | head -n 3 | tr '\n' ' ')"
    return 1
  fi
  echo "ok $label builds"
}
