#!/bin/sh
# SPDX-License-Identifier: MIT
# From YAML to code that can run in under 100 ms at 128 units; the best of five, for the machine may
# be busy.
set -u
cd "$(dirname "$0")/.."
gruc=$GRUC_BUILD/gruc
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cat > "$scratch/model.yaml" << 'END'
inputs:
  x: [~, 128]
layers:
  - GRU: {units: 128, return_sequences: true}
END
best=
for _ in 1 2 3 4 5; do
  if ! "$gruc" bench "$scratch/model.yaml" --batch=1 --steps=2 --threads=1 --json \
      > "$scratch/bench" 2> "$scratch/errors"; then
    echo "not ok compile_time: $(head -n 2 "$scratch/errors" | tr '\n' ' ')"
    exit 1
  fi
  time=$(tr ',{}' '\n\n\n' < "$scratch/bench" | sed -n 's/.*"compile_ms": *//p' | head -n 1)
  best=$(printf '%s\n%s\n' "${best:-$time}" "$time" | sort -g | head -n 1)
done
if [ -n "$best" ] && awk "BEGIN {exit !($best < 100)}"; then
  echo "ok compile_time: $best ms at 128 units"
else
  echo "not ok compile_time: '$best' ms at 128 units, the limit is 100"
  exit 1
fi
