#!/bin/sh
# SPDX-License-Identifier: MIT
# Looks for sizes that are much slower than their neighbours; README.md tells the rule.
#   sh bench/cliffs.sh [--quick] [--list]
# GRUC_BENCH_BUILD  as for run.sh
set -eu
. "$(dirname "$0")/build.sh"
${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Wpedantic -I "$root/include" \
  "$root/bench/cliffs.c" -L "$build" -Wl,-rpath,"$build" -lgruc -lgruc_rt \
  -o "$build/bench/cliffs"
exec "$build/bench/cliffs" "$@"
