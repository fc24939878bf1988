#!/bin/sh
# SPDX-License-Identifier: MIT
# `gruc run` needs at most 100 MB besides the weights.
set -u
cd "$(dirname "$0")/.."
gruc=$GRUC_BUILD/gruc
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

# memory UNITS: peak resident memory of a run with two layers.
memory() {
  units=$1
  cat > "$scratch/model.yaml" << END
inputs:
  x: [200, $units]
layers:
  - GRU: {units: $units, return_sequences: true}
  - GRU: {units: $units}
END
  weights=$((2 * 4 * (2 * units * 3 * units + 6 * units) / 1000))
  if ! "$GRUC_BUILD/tests/peak" "$scratch/zeros.npy" "$units" "$gruc" run "$scratch/model.yaml" \
      --input "$scratch/zeros.npy" --output "$scratch/y.npy" > "$scratch/peak" \
      2> "$scratch/errors"; then
    echo "not ok memory of $units units: $(tail -n 2 "$scratch/errors" | tr '\n' ' ')"
    failed=1
    return
  fi
  peak=$(sed -n 's/^peak //p' "$scratch/peak")
  if [ "$peak" -le $((100000 + weights)) ]; then
    echo "ok memory of $units units: $peak kB, weights $weights kB"
  else
    echo "not ok memory of $units units: $peak kB, the limit is 100000 kB + weights $weights kB"
    failed=1
  fi
}

memory 8
memory 128
memory 512
exit $failed
