#!/bin/sh
# SPDX-License-Identifier: MIT
# The same model gives the same bytes in any folder, at any time, under any umask and locale.
set -u
cd "$(dirname "$0")/.."
root=$PWD
gruc=$GRUC_BUILD/gruc
export GRUC_RUNTIME="$GRUC_BUILD/libgruc_rt.a"
cases=$root/tests/golden/keras/cases
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
kinds='obj static shared exe header asm llvm-ir ir dot'
failed=0

# emit FOLDER UMASK LOCALE ZONE MODEL: every kind into FOLDER, from a copy of the model there.
emit() {
  mkdir -p "$1/out" && cp "$cases/$5.yaml" "$cases/$5.npz" "$1" || return 1
  (
    cd "$1" && umask "$2" && export LC_ALL="$3" TZ="$4" TMPDIR="$1"
    for kind in $kinds; do
      "$gruc" compile "$5.yaml" -o "out/model.$kind" --emit=$kind || exit 1
    done
  ) 2> "$1/errors"
}

for model in k2_gru_return_state k2_bidirectional_h33 k2_embedding_mask_zero; do
  first=$scratch/$model/one
  second=$scratch/$model/two/with/a/much/longer/path
  third=$scratch/$model/three
  if ! emit "$first" 022 C UTC $model || ! sleep 1.1 ||
    ! emit "$second" 077 C.UTF-8 Asia/Tokyo $model ||
    ! emit "$third" 000 POSIX America/New_York $model; then
    echo "not ok reproducible $model: $(cat "$scratch/$model"/*/errors | head -n 2 | tr '\n' ' ')"
    failed=1
    continue
  fi
  for kind in $kinds; do
    if cmp -s "$first/out/model.$kind" "$second/out/model.$kind" &&
      cmp -s "$first/out/model.$kind" "$third/out/model.$kind"; then
      echo "ok reproducible $model $kind"
    else
      echo "not ok reproducible $model $kind: the bytes differ"
      failed=1
    fi
  done
done
exit $failed
