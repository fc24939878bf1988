# SPDX-License-Identifier: MIT
# Read by run.sh and cliffs.sh: builds gruc for timing. Sets root, build and bench.
# GRUC_BENCH_BUILD  build folder, a release build (default: build-bench beside the sources)
root=$(cd "$(dirname "$0")/.." && pwd)
build=${GRUC_BENCH_BUILD:-$root/build-bench}

sh "$root/tests/setup.sh" examples
[ -f "$build/build.ninja" ] ||
  meson setup "$build" "$root" --buildtype=release -Dtests=disabled > "$build.log" 2>&1 ||
  { cat "$build.log" >&2; exit 1; }
rm -f "$build.log"
output=$(ninja -C "$build" 2>&1) || { printf '%s\n' "$output" >&2; exit 1; }
mkdir -p "$build/bench"
