#!/bin/sh
# SPDX-License-Identifier: MIT
# The loops of products as they are emitted for several processors, of which none need be here: sums
# stay in registers, as LLVM keeps them in memory where a block leaves none for what it multiplies.
set -u
gruc=$GRUC_BUILD/gruc
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Innermost loops of four multiplications and more that divide nothing: how many there are, and what
# of vectors they read or write on the stack where that is more than an eighth of the multiplications.
# A number that is broadcast from there is part of a row.
loops='
/^[A-Za-z_.][A-Za-z_.0-9]*:/ { label = $1; sub(":.*", "", label); n = stack = divides = 0; next }
/^\tvfn?m(add|sub)|^\t[^#]*v(pmadd|pdpb|dpbf)/ { n++ }
/^\tvdiv|^\tvrcp/ { divides = 1 }
/[0-9]*\(%rsp\)/ && /[xyz]mm/ && !/broadcast/ { stack++ }
/^\tj/ {
  if ($2 == label && n >= 4 && !divides) {
    count++
    if (stack * 8 > n) { printf "# %s: %d multiplications, %d on the stack\n", label, n, stack; bad++ }
  }
  n = stack = divides = 0
}
END { print count + 0, bad + 0 }'

# check CPU UNITS RESET_AFTER TYPE
check() {
  name="spills $1 $2 units reset_after $3 $4"
  printf 'inputs:\n  x: [~, %s]\nlayers:\n  - GRU: {units: %s, reset_after: %s}\n' "$2" "$2" "$3" \
    > "$scratch/model.yaml"
  if ! "$gruc" compile --emit=asm --target=x86_64-linux-gnu --cpu="$1" --weights-type="$4" \
      -o "$scratch/model.s" "$scratch/model.yaml" 2> "$scratch/errors"; then
    cat "$scratch/errors"
    echo "not ok $name: it does not compile"
    return
  fi
  awk "$loops" "$scratch/model.s" > "$scratch/found"
  case $(tail -n 1 "$scratch/found") in
    '0 0') echo "not ok $name: no loop was found" ;;
    *' 0') echo "ok $name" ;;
    *) cat "$scratch/found"; echo "not ok $name: sums are in memory" ;;
  esac
}

for cpu in x86-64-v3 znver3 alderlake skylake-avx512 znver4; do
  for units in 64 200; do
    for form in true false; do
      for type in f32 f16 bf16 int8; do
        check $cpu $units $form $type
      done
    done
  done
done
