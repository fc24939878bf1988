#!/bin/sh
# SPDX-License-Identifier: MIT
# Each errors/NAME.yaml must make `gruc inspect` say exactly what NAME.err holds, with exit status 1
# when that has an error and 0 when it has warnings only; every code of the front end must occur.
#   sh tests/golden/errors.sh [--write]     --write: makes the .err files anew, to be read and kept
set -u
cd "$(dirname "$0")/errors" || exit 1
gruc=${GRUC_BUILD:-../../../build}/gruc
case $gruc in /*) ;; *) gruc=$PWD/$gruc ;; esac
export NO_COLOR=1 LC_ALL=C
[ -x "$gruc" ] || { echo "not ok errors: there is no $gruc"; exit 1; }
said=$(mktemp)
trap 'rm -f "$said"' EXIT
failed=0

fail() {
  echo "not ok errors/$1: $2"
  failed=1
}

for model in *.yaml; do
  name=${model%.yaml}
  "$gruc" inspect "$model" > /dev/null 2> "$said"
  status=$?
  [ "${1:-}" = --write ] && cp "$said" "$name.err"
  wanted=0
  grep -q ' error: ' "$name.err" && wanted=1
  if [ ! -s "$name.err" ]; then
    fail "$name" "there is no $name.err, or it is empty"
  elif [ $status -ne $wanted ]; then
    fail "$name" "exit status $status, not $wanted"
  elif ! cmp -s "$said" "$name.err"; then
    fail "$name" "says something else"
    diff "$name.err" "$said" | sed 's/^/    /'
  else
    echo "ok errors/$name"
  fi
done

# The codes below 800 are the front end's and of the weights.
for code in $(sed -n 's/^GRUC_ERROR_ROW(\([1-7][0-9][0-9]\),.*/E0\1/p' ../../../ir/base/errors.def); do
  if grep -q "\[$code\]" ./*.err; then
    echo "ok errors/$code is shown"
  else
    fail "$code" "no model shows it"
  fi
done

# The tables of the manual come from the same file as the parser.
awk -f ../../../doc/layers.awk ../../../frontend/layers.def > "$said"
if sed '1,/^<!-- the rest is made by/d' ../../../doc/model.md | cmp -s - "$said"; then
  echo "ok errors/doc-model"
else
  fail doc-model "make the tables of doc/model.md anew: the comment before them says how"
fi
exit $failed
