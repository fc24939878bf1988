#!/bin/sh
# SPDX-License-Identifier: MIT
# Golden cases as objects linked into a C program, here and for other processors under qemu-user:
# the bits of each are those of AVX2. sh tests/golden/targets.sh [PART of names]
set -u
here=$(dirname "$0")
root=$here/../..
part=${1:-}
runtime=$(find "$root/runtime" -name '*.c' ! -name standalone_entry.c)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

# target NAME TRIPLE CPU COMPILER EMULATOR
target() {
  name=$1 triple=$2 cpu=$3 compiler=$4 emulator=$5
  for tool in "$compiler" $emulator; do
    if ! command -v "$tool" > /dev/null; then
      echo "skip $name: $tool is not installed"
      return
    fi
  done
  out=$scratch/$name
  mkdir -p "$out" "$scratch/calls"
  "$GRUC_BUILD/tests/golden/emit_objects" "$here/keras/cases" "$scratch/calls" "$out" "$triple" \
    "$cpu" "${GRUC_JOBS:-2}" ${part:+"$part"} > "$out/list"
  grep '^not ok' "$out/list" > "$out/answers"
  {
    echo '#include "tests/golden/object_runner.h"'
    grep -v '^not ok' "$out/list" | while read -r case prefix; do
      echo "const struct gruc_module_info *${prefix}_describe(void);"
      echo "int ${prefix}_run_batch(const struct gruc_args *args);"
    done
    echo 'const struct object_case object_cases[] = {'
    grep -v '^not ok' "$out/list" | while read -r case prefix; do
      echo "    {\"$case\", ${prefix}_describe, ${prefix}_run_batch},"
    done
    echo '    {0, 0, 0}};'
  } > "$out/table.c"
  # shellcheck disable=SC2086
  if ! "$compiler" -std=c11 -D_GNU_SOURCE -O1 -ffp-contract=off -static -I"$root" \
      -I"$root/include" "$out/table.c" "$root/tests/golden/object_runner.c" $runtime \
      "$out"/*.o -lm -lpthread -o "$out/runner" 2> "$out/errors"; then
    echo "not ok $name: linking failed: $(head -n 3 "$out/errors" | tr '\n' ' ')" \
      >> "$out/answers"
    return
  fi
  sh "$root/tests/symbols.sh" "$name" "$out" >> "$out/answers"
  rm -f "$out"/*.o
  { $emulator "$out/runner" "$scratch/calls" "$name" ||
    grep -q '^not ok' "$out/answers" || echo "not ok $name: it ended early"; } \
    >> "$out/answers" 2>&1 &
}

target object x86_64-linux-gnu x86-64-v3 cc ''
target aarch64 aarch64-linux-gnu "${GRUC_TEST_ARM_CPU:-}" aarch64-linux-gnu-gcc qemu-aarch64
target riscv64 riscv64-linux-gnu '' riscv64-linux-gnu-gcc qemu-riscv64
wait
for answers in "$scratch"/*/answers; do
  cat "$answers"
  grep -q '^not ok' "$answers" && failed=1
done
exit $failed
