#!/bin/sh
# SPDX-License-Identifier: MIT
# Threads change no bit: models whose threads divide rows, units, scans and layers, over several
# tiles of steps, masked and not. `gruc check` runs each with one thread and with two.
set -eu
gruc=$GRUC_BUILD/gruc
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mask='m: {shape: [~], dtype: bool}'

# check NAME BATCH WORDS LAYERS: WORDS is what inspect says of the threads.
check() {
  printf 'inputs:\n  x: [~, 5]\n%s\nlayers:\n%s\n' "${5:+  $5}" "$4" > "$scratch/$1.yaml"
  if ! "$gruc" inspect "$scratch/$1.yaml" 2> /dev/null | grep -q "$3"; then
    echo "not ok threads $1: inspect does not say '$3'"
    return
  fi
  if answer=$("$gruc" check --steps=203 --batch="$2" "$scratch/$1.yaml" 2>&1) &&
    printf '%s' "$answer" | grep -q '^cpu  *same bits 2 threads  *ok'; then
    echo "ok threads $1, batch $2"
  else
    printf '%s\n' "$answer"
    echo "not ok threads $1, batch $2: see above"
  fi
}

for batch in 1 3 9; do
  check units $batch 'a part of the units' \
    '  - GRU: {units: 70, return_sequences: true}'
  check cut_blocks $batch 'a part of the units' \
    '  - GRU: {units: 80, return_sequences: true}
  - GRU: {units: 96, return_sequences: true}'
  check masked_cut_blocks $batch 'a part of the units' \
    '  - GRU: {inputs: x, mask: m, units: 80, return_sequences: true}
  - GRU: {units: 96, return_sequences: true}' "$mask"
  check before $batch 'a part of the units' \
    '  - GRU: {units: 130, reset_after: false, return_sequences: true}'
  check scans $batch 'a scan each' \
    '  - Bidirectional: {layer: {GRU: {units: 40, return_sequences: true}}}'
  check layers $batch 'a layer, a tile apart' \
    '  - GRU: {units: 9, return_sequences: true}
  - GRU: {units: 20, return_sequences: true, reset_after: false}
  - GRU: {units: 7, return_sequences: true}
  - Dense: {units: 3}'
  check masked_layers $batch 'a layer, a tile apart' \
    '  - Dense: {inputs: x, units: 4}
  - GRU: {mask: m, units: 40, return_sequences: true}
  - GRU: {units: 36, return_sequences: true, return_state: true}' "$mask"
  check masked_before $batch 'a part of the units' \
    '  - GRU: {inputs: x, mask: m, units: 130, reset_after: false, return_sequences: true}' "$mask"
  check masked_units $batch 'a part of the units' \
    '  - GRU: {inputs: x, mask: m, units: 200, activation: softmax, return_sequences: true}' "$mask"
  check branches $batch 'a layer, a tile apart' \
    '  - GRU: {name: one, units: 20, return_sequences: true}
  - GRU: {name: two, inputs: x, units: 7, return_sequences: true}
  - GRU: {name: three, inputs: one, units: 7, return_sequences: true}
outputs: [two, three]'
  check softmax $batch 'a part of the units' \
    '  - GRU: {units: 200, activation: softmax, return_sequences: true}
  - Dense: {units: 3, activation: softmax}'
done
