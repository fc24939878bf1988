#!/bin/sh
# SPDX-License-Identifier: MIT
# Replays the corpora, then fuzzes each target for GRUC_FUZZ_SECONDS (20) with clang and the address
# and undefined-behaviour sanitizers. What is found stays in the build folder for a look.
. "$(dirname "$0")/../builds.sh"
seconds=${GRUC_FUZZ_SECONDS:-20}
failed=0

# seeds TARGET: folders with inputs for it.
seeds() {
  echo "$PWD/tests/fuzz/corpus/$1"
  [ "$1" = yaml ] && echo "$PWD/tests/golden/errors"
  return 0
}

for target in yaml safetensors npy; do
  log=$GRUC_BUILD/fuzz-replay.log
  # shellcheck disable=SC2046
  if "$GRUC_BUILD/tests/fuzz/fuzz_$target" $(seeds $target) > "$log" 2>&1; then
    echo "ok fuzz $target replay: $(tail -n 1 "$log")"
  else
    echo "not ok fuzz $target replay: $(tail -n 2 "$log" | tr '\n' ' ')"
    failed=1
  fi
done

if ! command -v clang-19 > /dev/null; then
  echo "skip fuzz: clang-19 is not installed"
  exit $failed
fi
export CC=clang-19
test_build fuzz -Dfuzz=true -Dllvm=disabled -Db_sanitize=address,undefined -Db_lundef=false \
  -Dc_args=-fsanitize=fuzzer-no-link || exit 1
for target in yaml safetensors npy; do
  corpus=$other/corpus-$target
  mkdir -p "$corpus" "$other/found"
  dictionary=
  [ -f "tests/fuzz/$target.dict" ] && dictionary=-dict=$PWD/tests/fuzz/$target.dict
  folders=$(seeds $target)
  # shellcheck disable=SC2086
  (cd "$corpus" && UBSAN_OPTIONS=halt_on_error=1 "$other/tests/fuzz/fuzz_$target" \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=4096 -verbosity=1 \
    -print_final_stats=1 $dictionary -artifact_prefix="$other/found/$target-" "$corpus" \
    $folders) > "$other/fuzz-$target.log" 2>&1
  status=$?
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$other/fuzz-$target.log")
  if [ $status -eq 0 ] && [ "${runs:-0}" -gt 0 ]; then
    echo "ok fuzz $target: $runs inputs in $seconds s"
  else
    echo "not ok fuzz $target: $(grep -E 'ERROR|runtime error|SUMMARY' "$other/fuzz-$target.log" |
      head -n 2 | tr '\n' ' ') input in $other/found"
    failed=1
  fi
done
exit $failed
