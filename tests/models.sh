#!/bin/sh
# SPDX-License-Identifier: MIT
# Trained models of other projects, where their folder lies beside this one: the outputs within the
# tolerance that their README states.
set -u
cd "$(dirname "$0")/.."
models=../shared/models
gruc=$GRUC_BUILD/gruc
failed=0
if [ ! -d "$models" ]; then
  echo "skip models: $models is not there"
  exit 0
fi

# model NAME INPUT OUTPUT TOLERANCE
model() {
  folder=$models/$1
  if [ ! -f "$folder/model.yaml" ]; then
    echo "skip models $1: it has no model in the short form"
    return
  fi
  answer=$("$gruc" run "$folder/model.yaml" --input "$folder/$2.npy" \
    --expect "$folder/$3.npy" --max-abs="$4" 2>&1)
  status=$?
  if [ $status -eq 0 ]; then
    echo "ok models $1: $(echo "$answer" | tail -n 1)"
  elif echo "$answer" | grep -q 'unknown layer'; then
    echo "skip models $1: a layer of it is not in gruc yet"
  else
    echo "not ok models $1: $(echo "$answer" | head -n 3 | tr '\n' ' ')"
    failed=1
  fi
}

model dot-res gru_1_input expect.dense_6 1e-5
model inflation input_layer expect.dense_1 1e-5
model traffic-flow gru_1_input expect.dense_1 1e-5
model amp-gru9-bassman x expect.out 1e-5
model pose-fall input expect.fc3 3e-5
model circuit-rnn gru_input expect.dense_1 1e-5
model toxic-comments embedding_2_input expect.dense_2 1e-5
exit $failed
