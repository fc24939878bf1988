#!/bin/sh
# SPDX-License-Identifier: MIT
# Golden cases on every path. sh tests/golden/run.sh [PART of names]
set -eu
here=$(dirname "$0")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export GRUC_RUNTIME="$GRUC_BUILD/libgruc_rt.a"
"$GRUC_BUILD/tests/golden/run_golden" --jobs "${GRUC_JOBS:-2}" ${1:+--only "$1"} \
  "$here/keras/cases" "$scratch"
