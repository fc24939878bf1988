#!/bin/sh
# SPDX-License-Identifier: MIT
# Golden cases give the same bits in every way. sh tests/golden/bits.sh [PART of names]
set -eu
here=$(dirname "$0")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export GRUC_RUNTIME="$GRUC_BUILD/libgruc_rt.a"
"$GRUC_BUILD/tests/golden/run_bits" --jobs "${GRUC_JOBS:-2}" ${1:+--only "$1"} \
  "$here/keras/cases" "$scratch"
