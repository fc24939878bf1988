#!/bin/sh
# SPDX-License-Identifier: MIT
# The address and undefined-behaviour sanitizers find nothing in unit tests, golden cases, random
# models and failing calls.
. "$(dirname "$0")/builds.sh"
failed=0
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1:exitcode=99
test_build sanitizers -Db_sanitize=address,undefined -Db_lundef=false -Dbuildtype=debugoptimized ||
  exit 1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export GRUC_RUNTIME="$GRUC_BUILD/libgruc_rt.a"

# each NAME COMMAND...: its lines, and what a sanitizer said.
each() {
  name=$1
  shift
  log=$other.$name
  "$@" > "$log" 2>&1
  status=$?
  sed -nE 's/^(ok|not ok|skip) /&sanitizers /p' "$log"
  if grep -qE 'ERROR: (Address|Leak)Sanitizer|runtime error:' "$log"; then
    echo "not ok sanitizers $name: $(grep -E 'ERROR: (Address|Leak)Sanitizer|runtime error:' \
      "$log" | head -n 3 | tr '\n' ' ')"
    grep -E -A12 'ERROR: (Address|Leak)Sanitizer|runtime error:' "$log" | head -n 30 |
      sed 's/^/    /'
    failed=1
  elif [ $status -ne 0 ]; then
    failed=1
    grep -q '^not ok' "$log" || echo "not ok sanitizers $name: exit status $status"
  fi
}

each unit "$other/tests/unit/unit"
for path in ref cpu; do
  each golden-$path "$other/tests/golden/run_golden" --jobs "${GRUC_JOBS:-2}" --path $path \
    --only k2_ tests/golden/keras/cases "$scratch"
done
each random "$other/tests/random/random" --jobs "${GRUC_JOBS:-2}" --count 100
each faults "$other/tests/faults/faults"
exit $failed
