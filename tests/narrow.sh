#!/bin/sh
# SPDX-License-Identifier: MIT
# Narrow weights: what they compute, and the same bits in every way and on every target, as
# tests/golden/bits.sh and targets.sh find them for float32, over some of the golden cases.
set -u
cd "$(dirname "$0")/.."
failed=0

# marked TYPE COMMAND...: its lines, with the type in their names.
marked() {
  type=$1
  shift
  GRUC_TEST_WEIGHTS=$type "$@" 2>&1 | sed "s/^\(ok\|not ok\|skip\) /&$type /" > "$log"
  cat "$log"
  grep -q '^not ok' "$log" && failed=1
  grep -q '^ok' "$log" || { echo "not ok $type: nothing ran"; failed=1; }
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
log=$scratch/log
"$GRUC_BUILD/tests/narrow/narrow" || failed=1
for type in bf16 f16 int8; do
  marked $type sh tests/golden/bits.sh k2_size_h
  marked $type sh tests/golden/targets.sh k2_size_h
  marked $type sh tests/golden/targets.sh k2_bidirectional_mask
done
# Dot products of bytes on aarch64; the others have 32-bit multiplications there.
GRUC_TEST_ARM_CPU=cortex-a76
export GRUC_TEST_ARM_CPU
marked int8 sh tests/golden/targets.sh k2_size_h6

# Processors with other sets of instructions than those above: the code generator takes all it gets.
model=$scratch/model.yaml
printf 'inputs: {x: [~, 40]}\nlayers: [{GRU: {units: 40}}]\n' > "$model"
while read -r triple cpus; do
  for cpu in $cpus; do
    for type in bf16 f16 int8; do
      if "$GRUC_BUILD/gruc" compile "$model" --target="$triple" --cpu="$cpu" --emit=obj \
          --weights-type=$type -o "$scratch/model.o" 2> "$log"; then
        echo "ok $type $triple $cpu"
      else
        echo "not ok $type $triple $cpu: $(tail -n 1 "$log")"
        failed=1
      fi
    done
  done
done << 'END'
x86_64-linux-gnu core2 bdver1 haswell alderlake knl skylake-avx512 cooperlake sapphirerapids
aarch64-linux-gnu cortex-a53 neoverse-v1 apple-m1
riscv64-linux-gnu sifive-u74
END
exit $failed
