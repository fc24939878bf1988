#!/bin/sh
# SPDX-License-Identifier: MIT
# Times gruc against ONNX Runtime; README.md tells how and what the columns mean.
#   sh bench/run.sh [--quick] [--clock=thread] [--units=8,64] [--json=FILE] ... (--help: all)
# GRUC_BENCH_BUILD  build folder, a release build (default: build-bench beside the sources)
# GRUC_BENCH_VENV   Python with ONNX Runtime, made when missing (default: ~/.cache/gruc-bench)
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=${GRUC_BENCH_BUILD:-$root/build-bench}
venv=${GRUC_BENCH_VENV:-$HOME/.cache/gruc-bench}
ort_version=1.31

sh "$root/tests/setup.sh" examples
[ -f "$build/build.ninja" ] ||
  meson setup "$build" "$root" --buildtype=release -Dtests=disabled > "$build.log" 2>&1 ||
  { cat "$build.log" >&2; exit 1; }
rm -f "$build.log"
output=$(ninja -C "$build" gruc 2>&1) || { printf '%s\n' "$output" >&2; exit 1; }
mkdir -p "$build/bench"
${CC:-cc} -std=c11 -D_GNU_SOURCE -O2 -Wall -Wextra -Wpedantic -I "$root/include" \
  "$root/bench/gruc_bench.c" "$root/bench/subject_gruc.c" "$root/bench/subject_ort.c" \
  -ldl -o "$build/bench/gruc_bench"

has_packages() {
  "$venv/bin/python" -c "
import numpy, onnx, onnxruntime
assert onnxruntime.__version__.startswith('$ort_version.')" 2> /dev/null
}
if ! has_packages; then
  echo "installing ONNX Runtime $ort_version in $venv" >&2
  if ! python3 -m venv "$venv" >&2; then
    echo "skipped: no Python environment in $venv; Debian has it in python3-venv" >&2
    exit 77
  fi
  if ! "$venv/bin/pip" install --quiet --disable-pip-version-check \
      "onnxruntime==$ort_version.*" onnx numpy >&2 || ! has_packages; then
    echo "skipped: cannot install ONNX Runtime $ort_version from PyPI" >&2
    exit 77
  fi
fi
PYTHONDONTWRITEBYTECODE=1 exec "$venv/bin/python" "$root/bench/compare.py" \
  --gruc="$build/gruc" --bench="$build/bench/gruc_bench" "$@"
