#!/bin/sh
# SPDX-License-Identifier: MIT
# A CPU object needs no symbol, has no writable data and no initialiser, whatever the target and
# the optimisation. One line an object.
set -u
cd "$(dirname "$0")/.."
gruc=$GRUC_BUILD/gruc
cases=tests/golden/keras/cases
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
nm=$(command -v llvm-nm-19 || command -v nm)
readelf=$(command -v llvm-readelf-19 || command -v readelf)
failed=0

# look NAME OBJECT
look() {
  undefined=$("$nm" -u "$2" | sed 's/^ *U //; /^$/d' | tr '\n' ' ')
  writable=$("$nm" "$2" | awk '$2 ~ /^[dDbBC]$/ {printf "%s ", $3}')
  sections=$("$readelf" -SW "$2" | sed 's/\[ *\([0-9]*\)\]/\1/' | awk '
    $2 ~ /^\.(data|bss|tdata|tbss|init_array|fini_array|ctors|dtors)/ && $6 !~ /^0+$/ &&
    $2 !~ /^\.data\.rel\.ro/ {printf "%s ", $2}')
  if [ -z "$undefined$writable$sections" ]; then
    echo "ok symbols $1"
  else
    echo "not ok symbols $1: undefined: $undefined; writable: $writable; sections: $sections"
    failed=1
  fi
}

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

# Each golden model, less the many that differ in their data only.
for path in "$cases"/k[23]_*.yaml; do
  model=$(basename "$path" .yaml)
  case $model in
  *_table_* | *_spread_* | *_mask_*) continue ;;
  esac
  compile "$model" "$model"
done
for model in k2_gru_return_state k2_gru_softmax_sigmoid_h33 k2_gru_unroll_after k2_embedding_mask_zero; do
  for level in 0 1 3; do
    compile "$model -O$level" $model -O$level
  done
  compile "$model sse2" $model --cpu=x86-64
  compile "$model sse2 -O0" $model --cpu=x86-64 -O0
  compile "$model avx512" $model --cpu=x86-64-v4
  compile "$model aarch64" $model --target=aarch64-linux-gnu
  compile "$model riscv64" $model --target=riscv64-linux-gnu

done
exit $failed
