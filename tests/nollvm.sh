#!/bin/sh
# SPDX-License-Identifier: MIT
# Without LLVM: front end, IR, ref and runtime build, and their tests pass.
. "$(dirname "$0")/builds.sh"
failed=0
test_build nollvm -Dllvm=disabled || exit 1
if ldd "$other/gruc" | grep -qi llvm; then
  echo "not ok nollvm gruc: it links LLVM"
  failed=1
fi
"$other/tests/unit/unit" | sed -E 's/^(ok|not ok|skip) /&nollvm /' > "$other.unit"
cat "$other.unit"
grep -q '^not ok' "$other.unit" && failed=1
grep -q '^ok' "$other.unit" || failed=1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$other/tests/golden/run_golden" --jobs "${GRUC_JOBS:-2}" tests/golden/keras/cases "$scratch" |
  sed -E 's/^(ok|not ok|skip|#) /&nollvm /' > "$other.golden"
cat "$other.golden"
grep -q '^not ok' "$other.golden" && failed=1
exit $failed
