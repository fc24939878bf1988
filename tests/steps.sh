#!/bin/sh
# SPDX-License-Identifier: MIT
# NAME_step, which has code of its own, gives the outputs and the state of NAME_run bit by bit.
set -u
cd "$(dirname "$0")/.."
gruc=$GRUC_BUILD/gruc
export GRUC_RUNTIME="$GRUC_BUILD/libgruc_rt.a"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
failed=0

cat > main.c << 'EOF'
#include <stdlib.h>
#include <string.h>
#include "m.h"
enum { STEPS = 41 };
static m_state whole, single;
static INPUT x[STEPS][INPUTS];
static float y[STEPS][OUTPUTS], z[STEPS][OUTPUTS];
int main(void)
{
    for (int i = 0; i < STEPS * INPUTS; i++) /* every fifth step is masked by zeros */
        x[0][i] = (INPUT)(i / INPUTS % 5 == 4 ? 0 : (i * 37 % 11) * (INPUT)0.5);
    m_reset(&whole);
    m_reset(&single);
    for (int first = 0; first < STEPS; first += STEPS / 2 + 1) {
        int count = STEPS - first < STEPS / 2 + 1 ? STEPS - first : STEPS / 2 + 1;
        if (m_run(&whole, x[first], (size_t)count, y[first]) != 0)
            return 1;
        for (int i = first; i < first + count; i++)
            m_step(&single, x[i], z[i]);
        if (memcmp(&whole, &single, sizeof whole) != 0)
            return 2;
    }
    for (int i = 0; i < OUTPUTS; i++)
        if (y[0][i] == y[STEPS - 1][i] && OUTPUTS > 3 && y[0][i] != 0)
            return 3; /* numbers that do not change would prove nothing */
    return memcmp(y, z, sizeof y) != 0 ? 4 : 0;
}
EOF

# compare NAME INPUTS OUTPUTS TYPE: the model on stdin.
compare() {
  cat > m.yaml
  if ! "$gruc" compile m.yaml -o m --emit=header,static 2> errors ||
    ! cc -std=c11 -O1 -D INPUTS="$2" -D OUTPUTS="$3" -D INPUT="$4" main.c m.a -o main 2>> errors; then
    echo "not ok steps $1: $(grep -v note: errors | head -n 2 | tr '\n' ' ')"
    failed=1
    return
  fi
  ./main
  status=$?
  if [ $status -eq 0 ]; then
    echo "ok steps $1"
  else
    echo "not ok steps $1: exit status $status"
    failed=1
  fi
}

for reset_after in true false; do
  for units in 1 5 8 16 17 24 33 64 80; do
    compare "$units units, reset_after $reset_after" 7 $units float << EOF
model: m
inputs: {x: [~, 7]}
layers:
  - GRU: {units: $units, return_sequences: true, reset_after: $reset_after}
EOF
  done
  # NAME_run has room on the stack for tiles of many steps, of some and of a few.
  for units in 70 130 250 600; do
    compare "$units units and inputs, reset_after $reset_after" $units $units float << EOF
model: m
inputs: {x: [~, $units]}
layers:
  - GRU: {units: $units, return_sequences: true, reset_after: $reset_after}
EOF
  done
  compare "mask and stack, reset_after $reset_after" 40 12 float << EOF
model: m
inputs: {x: [~, 40]}
layers:
  - Masking
  - GRU: {units: 36, return_sequences: true, reset_after: $reset_after, activation: relu}
  - GRU: {units: 12, return_sequences: true, reset_after: $reset_after}
EOF
  compare "embedding and softmax, reset_after $reset_after" 1 6 int32_t << EOF
model: m
inputs: {x: [~]}
layers:
  - Embedding: {input_dim: 9, output_dim: 40}
  - GRU: {units: 48, return_sequences: true, reset_after: $reset_after}
  - Dense: {units: 6, activation: softmax}
EOF
done
exit $failed
