#!/bin/sh
# SPDX-License-Identifier: MIT
# Batches whose weights come from far, where blocks of rows take the steps of their sums slice by
# slice: the reference's numbers, for whole blocks and what is left beside them.
set -u
gruc=$GRUC_BUILD/gruc
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mask='m: {shape: [~], dtype: bool}'

if ! grep -q '^flags.* avx2 ' /proc/cpuinfo 2> /dev/null; then
  echo "skip slices: this processor has no AVX2, with which vectors are shorter than lines"
  exit 0
fi

# verify NAME FILE OPTION...
verify() {
  name=$1 file=$2
  shift 2
  if answer=$("$gruc" check "$@" "$file" 2>&1); then
    echo "ok slices $name $*"
  else
    printf '%s\n' "$answer"
    echo "not ok slices $name $*: see above"
  fi
}

# check NAME INPUTS LAYERS [MASK [OPTION...]]
check() {
  name=$1
  file=$scratch/$1.yaml
  printf 'inputs:\n  x: [~, %s]\n%s\nlayers:\n%s\n' "$2" "${4:+  $4}" "$3" > "$file"
  shift 3
  [ $# -gt 0 ] && shift
  set -- --cpu=x86-64-v3 "$@"
  if ! "$gruc" compile --emit=asm -o - "$@" "$file" 2> /dev/null | grep -q prefetch; then
    echo "not ok slices $name: no code asks for weights"
    return
  fi
  verify "$name" "$file" "$@" # 33 rows, and each by itself
  case $* in *weights-type*) return ;; esac # those have errors of their own
  for batch in 4 5 6 7 8 11 32 38; do
    verify "$name" "$file" --steps=3 --batch=$batch "$@"
  done
}

bias='bias_initializer: {class_name: RandomUniform, config: {minval: -0.1, maxval: 0.1}}'
check whole 304 '  - GRU: {units: 304, '"$bias"', return_sequences: true}'
check part 299 '  - GRU: {units: 303, '"$bias"', return_sequences: true}'
check before 33 '  - GRU: {units: 521, '"$bias"', reset_after: false}'
check masked 40 '  - GRU: {inputs: x, mask: m, units: 310, '"$bias"', return_sequences: true}' "$mask"
check backwards 310 '  - Bidirectional: {layer: {GRU: {units: 300, '"$bias"', time_major: true}}}'
check layers 310 '  - GRU: {units: 300, '"$bias"', return_sequences: true}
  - Dense: {units: 900, '"$bias"', activation: tanh}
  - GRU: {units: 301, '"$bias"', return_state: true}'
check halves 440 '  - GRU: {units: 440, '"$bias"', return_sequences: true}' '' --weights-type=f16
check pairs 640 '  - GRU: {units: 640, '"$bias"', return_sequences: true}' '' --weights-type=bf16
check odd_pairs 641 '  - GRU: {units: 640, '"$bias"', return_sequences: true}' '' --weights-type=bf16
check threads 400 '  - GRU: {units: 400, '"$bias"', return_sequences: true}' '' --threads=2
