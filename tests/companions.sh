#!/bin/sh
# SPDX-License-Identifier: MIT
# Scans that compute the products of the next tile's input beside their steps: the reference's
# numbers, and the bits of other batches, chunks and threads, which do without. Numbers of steps are
# around those of one tile and of several.
set -u
gruc=$GRUC_BUILD/gruc
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mask='m: {shape: [~], dtype: bool}'

# check NAME INPUTS LAYERS [MASK]
check() {
  printf 'inputs:\n  x: [~, %s]\n%s\nlayers:\n%s\n' "$2" "${4:+  $4}" "$3" > "$scratch/$1.yaml"
  if ! "$gruc" inspect --batch=1 --cpu=x86-64-v4 "$scratch/$1.yaml" 2> /dev/null |
    grep -q "products of the next tile's input"; then
    echo "not ok companions $1: inspect tells of none"
    return
  fi
  for steps in 1 23 24 25 49 101; do
    for batch in 1 3 5 6; do
      verify "$1" $steps $batch
    done
  done
}

# verify NAME [STEPS BATCH [OPTION...]]
verify() {
  name=$1
  [ $# -gt 1 ] && name="$1, $2 steps, batch $3"
  file=$scratch/$1.yaml
  shift
  if [ $# -gt 0 ]; then
    sizes="--steps=$1 --batch=$2"
    shift 2
  else
    sizes=
  fi
  # shellcheck disable=SC2086
  if answer=$("$gruc" check $sizes "$@" "$file" 2>&1); then
    echo "ok companions $name $*"
  else
    printf '%s\n' "$answer"
    echo "not ok companions $name $*: see above"
  fi
}

check after 70 '  - GRU: {units: 66, return_sequences: true}'
check before 33 '  - GRU: {units: 100, reset_after: false, return_sequences: true}'
check one_output 130 '  - GRU: {units: 64}'
check backwards 64 '  - GRU: {units: 80, go_backwards: true, return_sequences: true}'
check time_major 64 '  - GRU: {units: 64, time_major: true, return_sequences: true}'
check masked 64 '  - GRU: {inputs: x, mask: m, units: 64, return_sequences: true}' "$mask"
check masked_before 40 \
  '  - GRU: {inputs: x, mask: m, units: 90, reset_after: false, return_sequences: true}' "$mask"
check both_ways 64 '  - Bidirectional: {layer: {GRU: {units: 64, return_sequences: true}}}'
check both_ways_twice 64 '  - Bidirectional: {layer: {GRU: {units: 64, return_sequences: true}}}
  - Bidirectional: {layer: {GRU: {units: 65, return_sequences: true}}}'
check both_ways_masked 64 \
  '  - Bidirectional: {inputs: x, mask: m, layer: {GRU: {units: 64, return_sequences: true}}}' \
  "$mask"
check masked_inside 64 '  - Masking: {mask_value: 0.0}
  - GRU: {units: 64, return_sequences: true}'
check masked_twice 64 '  - GRU: {name: one, inputs: x, mask: m, units: 64, return_sequences: true}
  - GRU: {inputs: one, mask: n, units: 65, return_sequences: true}' \
  "$mask
  n: {shape: [~], dtype: bool}"
check layers 36 '  - GRU: {units: 72, return_sequences: true}
  - GRU: {units: 64, return_sequences: true, reset_after: false}
  - Dense: {units: 50, activation: tanh}
  - GRU: {units: 65, return_sequences: true, return_state: true}'
check mixed_layers 5 '  - GRU: {units: 40, return_sequences: true}
  - GRU: {units: 200, activation: softmax, return_sequences: true}'
check stateful 64 '  - GRU: {units: 64, stateful: true, return_sequences: true}'
verify before 77 1 --weights-type=f16
verify both_ways_masked 77 1 --weights-type=f16
verify layers 77 1 -O0

# Where one layer is unrolled, all of them go step by step.
printf 'inputs:\n  x: [30, 40]\nlayers:\n%s\n' \
  '  - GRU: {units: 64, return_sequences: true, unroll: true}
  - GRU: {units: 64, return_sequences: true}' > "$scratch/unrolled.yaml"
verify unrolled 30 1

# Of unknown many steps none is unrolled.
printf 'keras: 3\ninputs:\n  x: [~, 40]\nlayers:\n%s\n' \
  '  - GRU: {units: 64, return_sequences: true, unroll: true}' > "$scratch/not_unrolled.yaml"
if "$gruc" inspect --cpu=x86-64-v4 "$scratch/not_unrolled.yaml" 2> /dev/null |
  grep -q "products of the next tile's input"; then
  verify not_unrolled
else
  echo "not ok companions not_unrolled: inspect tells of none"
fi

# With few registers they pay from twice as large weights on.
check wide 200 '  - GRU: {units: 200, return_sequences: true}'
if grep -q '^flags.* avx2 ' /proc/cpuinfo 2> /dev/null; then
  for model in before backwards masked_before layers wide; do
    verify $model 33 1 --cpu=x86-64-v3
    verify $model 77 1 --cpu=x86-64-v3
  done
else
  echo "skip companions wide with AVX2: this processor has none"
fi
