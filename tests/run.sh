#!/bin/sh
# SPDX-License-Identifier: MIT
# Sets up, builds, runs every test; closes with "N passed, N failed, N skipped".
#   sh tests/run.sh            everything
#   sh tests/run.sh golden ... only the suites of these names (see the end of this file)
# A test prints lines "ok NAME", "not ok NAME: why" and "skip NAME: reason"; those are counted.
# GRUC_BUILD names the build directory (default: build beside the sources).
set -u
cd "$(dirname "$0")/.."
root=$PWD
build=${GRUC_BUILD:-$root/build}
jobs=$(nproc 2> /dev/null || echo 2)
export GRUC_BUILD="$build" GRUC_JOBS="$jobs"
passed=0 failed=0 skipped=0
wanted=" $* "

if ! sh tests/setup.sh tests; then
  echo "not ok setup"
  echo "0 passed, 1 failed, 0 skipped"
  exit 1
fi
if [ ! -f "$build/build.ninja" ]; then
  meson setup "$build" > "$build.setup.log" 2>&1 || { cat "$build.setup.log"; rm -rf "$build"; }
  rm -f "$build.setup.log"
fi
if ! output=$(ninja -C "$build" 2>&1); then
  printf '%s\n' "$output" | grep -v '^\[' | head -n 100
  echo "not ok build"
  echo "0 passed, 1 failed, 0 skipped"
  exit 1
fi
logs=$build/test-logs
mkdir -p "$logs"

# suite NAME COMMAND...: runs it, counts its lines, shows failures in full.
suite() {
  name=$1
  shift
  if [ "$wanted" != "  " ]; then
    case $wanted in *" $name "*) ;; *) return ;; esac
  fi
  log=$logs/$name.log
  [ -t 1 ] && printf '%s ...\r' "$name"
  begin=$(date +%s)
  "$@" > "$log" 2>&1
  status=$?
  ok=$(grep -c '^ok ' "$log")
  bad=$(grep -c '^not ok ' "$log")
  skip=$(grep -c '^skip ' "$log")
  if [ $status -ne 0 ] && [ "$bad" -eq 0 ] || [ $((ok + bad + skip)) -eq 0 ]; then
    bad=$((bad + 1))
    echo "not ok $name: exit status $status, its last lines:" >> "$log"
    tail -n 30 "$log" | sed 's/^/    /'
  fi
  printf '%-14s %6d passed %4d failed %4d skipped %5d s\n' \
    "$name" "$ok" "$bad" "$skip" "$(($(date +%s) - begin))"
  grep '^not ok ' "$log" | head -n 50 | sed 's/^/  /'
  grep '^skip ' "$log" | sed 's/^skip [^:]*: //' | sort | uniq -c | sort -rn | head -n 5 |
    sed 's/^ *\([0-9]*\) /  \1 skipped: /'
  sed -n 's/^# /  /p' "$log"
  passed=$((passed + ok)) failed=$((failed + bad)) skipped=$((skipped + skip))
}

suite lines sh tests/lines.sh
suite layering sh tests/layering.sh
suite headers sh tests/headers.sh
suite unit "$build/tests/unit/unit"
suite errors sh tests/golden/errors.sh
suite golden sh tests/golden/run.sh
suite bits sh tests/golden/bits.sh
suite companions sh tests/companions.sh
suite slices sh tests/slices.sh
suite spills sh tests/spills.sh
suite threads sh tests/threads.sh
suite targets sh tests/golden/targets.sh
suite narrow sh tests/narrow.sh
suite random "$build/tests/random/random" --jobs "$jobs"
suite activations "$build/tests/activations/activations" --jobs "$jobs"
suite cli sh tests/cli.sh
suite steps sh tests/steps.sh
suite tune sh tests/tune.sh
suite symbols sh tests/symbols.sh
suite reproducible sh tests/reproducible.sh
suite size sh tests/size.sh
suite memory sh tests/memory.sh
suite compile_time sh tests/compile_time.sh
suite faults "$build/tests/faults/faults"
suite fuzz sh tests/fuzz/run.sh
suite sanitizers sh tests/sanitizers.sh
suite compilers sh tests/compilers.sh
suite nollvm sh tests/nollvm.sh
suite install sh tests/install.sh
suite models sh tests/models.sh

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
