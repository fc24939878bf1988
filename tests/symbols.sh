#!/bin/sh
# SPDX-License-Identifier: MIT
# A CPU object needs no symbol, has no writable data and no initialiser, whatever the target and
# the optimisation.
#   sh tests/symbols.sh                  compiles some models in many ways; one line an object
#   sh tests/symbols.sh NAME FOLDER      the objects of a folder; one line for all
set -u
cd "$(dirname "$0")/.."
nm=$(command -v llvm-nm-19 || command -v nm)
readelf=$(command -v llvm-readelf-19 || command -v readelf)
failed=0

# look NAME OBJECTS...
look() {
  name=$1
  shift
  faults=$({
    "$nm" -A -u "$@" | awk '/ U /{print $1 " needs " $NF}'
    "$nm" -A "$@" | awk '$(NF - 1) ~ /^[dDbBC]$/ {print $1 " can write " $NF}'
    "$readelf" -SW "$@" | sed 's/\[ *\([0-9]*\)\]/\1/' | awk '
      /^File: / {file = $2}
      $2 ~ /^\.(data|bss|tdata|tbss|init_array|fini_array|ctors|dtors)/ && $6 !~ /^0+$/ &&
      $2 !~ /^\.data\.rel\.ro/ {print file " has " $2}'
  } | sed 's|^[^ ]*/||' | head -n 5 | tr '\n' ';')
  if [ -z "$faults" ]; then
    echo "ok symbols $name: $# objects"
  else
    echo "not ok symbols $name: $faults"
    failed=1
  fi
}

if [ $# = 2 ]; then
  look "$1" "$2"/*.o
  exit $failed
fi

gruc=$GRUC_BUILD/gruc
cases=tests/golden/keras/cases
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# compile NAME MODEL OPTIONS...
compile() {
  name=$1 model=$2
  shift 2
  if "$gruc" compile "$cases/$model.yaml" -o "$scratch/model.o" --emit=obj "$@" \
      2> "$scratch/errors"; then
    look "$name" "$scratch/model.o"
  else
    echo "not ok symbols $name: $(head -n 2 "$scratch/errors" | tr '\n' ' ')"
    failed=1
  fi
}

for model in k2_gru_return_state k2_gru_softmax_sigmoid_h33 k2_gru_unroll_after \
  k2_embedding_mask_zero; do
  for level in 0 1 2 3; do
    compile "$model -O$level" $model -O$level
    compile "$model sse2 -O$level" $model -O$level --cpu=x86-64
    compile "$model aarch64 -O$level" $model -O$level --target=aarch64-linux-gnu
    compile "$model riscv64 -O$level" $model -O$level --target=riscv64-linux-gnu
  done
  compile "$model avx512" $model --cpu=x86-64-v4
done
exit $failed
