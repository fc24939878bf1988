#!/bin/sh
# SPDX-License-Identifier: MIT
# Sets up, builds gruc and runs three models with trained weights on recorded data, each in three
# ways: compiled in the process (JIT), ahead of time into a C program, and as a program of its own.
# Exit status 0 only when the three agree bit for bit and with Keras.
# GRUC_BUILD names the build directory (default: build-examples beside the sources).
set -u
cd "$(dirname "$0")/.." || exit 1
build=${GRUC_BUILD:-$PWD/build-examples}
gruc=$build/gruc
out=$build/examples
failed=0

stop() {
  echo "examples/run.sh: $1" >&2
  exit 1
}

# ---- set up and build ----
begin=$(date +%s)
sh tests/setup.sh examples || exit 1
mkdir -p "$build" && log=$build/examples.log || exit 1
if [ ! -f "$build/build.ninja" ]; then
  echo "building in $build"
  meson setup "$build" --buildtype=release -Dtests=disabled > "$log" 2>&1 ||
    { cat "$log"; stop 'meson setup failed'; }
fi
ninja -C "$build" > "$log" 2>&1 || { tail -n 50 "$log"; stop 'the build failed'; }
mkdir -p "$out" || exit 1
export PKG_CONFIG_PATH="$build/meson-uninstalled"
echo "$("$gruc" --version), ready after $(($(date +%s) - begin)) s"

# ---- the three ways ----
# c OUTPUT PACKAGE SOURCES...: an ordinary C program that uses libgruc or libgruc_rt.
c() {
  program=$out/$1 package=$2
  shift 2
  # shellcheck disable=SC2046
  cc -std=c11 -O2 -Wall -Wextra -Wpedantic -I"$out" -Iexamples/common "$@" \
    examples/common/example.c $(pkg-config --cflags --libs "$package") -lm -Wl,-rpath,"$build" \
    -o "$program" || stop "$program was not built"
}

# compile NAME: the model ahead of time, as NAME.h and NAME.a and as the program NAME.
compile() {
  "$gruc" compile "examples/$1/model.yaml" -o "$out/$1.a" --emit=header,static --cpu=native ||
    stop "$1.a was not compiled"
  "$gruc" compile "examples/$1/model.yaml" -o "$out/$1" --cpu=native ||
    stop "the program $1 was not compiled"
}

# try COMMAND...: counts a failure and goes on.
try() {
  "$@" || { failed=1 && echo "  FAILED: $*"; }
}

# compare KERAS JIT LINKED PROGRAM: with Keras, and the three bit for bit.
compare() {
  difference=$("$out/compare" "$2" "$1") || { failed=1 && difference="$difference: TOO LARGE"; }
  echo "  Keras     $difference"
  if cmp "$2" "$3" && cmp "$2" "$4"; then
    echo '  bits      the same in process, linked into C, and as a program'
  else
    failed=1 && echo '  bits      THE THREE WAYS DIFFER'
  fi
}

c jit_host gruc examples/common/jit_host.c
c compare gruc_rt examples/common/compare.c

printf '\nco2: ten times the 52 weeks after two years of measurements, 1992 to 2001\n'
compile co2
c forecast gruc_rt examples/co2/forecast.c examples/co2/plot.c "$out/co2.a"
data=examples/co2
try "$out/forecast" $data "$out/co2.linked.npy" "$out/co2.svg"
try "$out/jit_host" $data/model.yaml $data/x.npy "$out/co2.jit.npy"
try "$out/co2" --input $data/x.npy --output "$out/co2.program.npy"
compare $data/keras.npy "$out/co2.jit.npy" "$out/co2.linked.npy" "$out/co2.program.npy"
# The program also takes raw float32: the first window is 104 x 3 numbers after 128 bytes of header.
tail -c +129 $data/x.npy | head -c $((104 * 3 * 4)) | "$out/co2" > "$out/co2.raw"
if tail -c +129 "$out/co2.program.npy" | head -c $((52 * 4)) | cmp - "$out/co2.raw"; then
  echo '  raw       float32 from standard input gives them too'
else
  failed=1 && echo '  RAW INPUT GIVES ANOTHER RESULT'
fi

printf '\ndigits: 899 handwritten digits that were held out, and the same one row lower\n'
compile digits
c classify gruc_rt examples/digits/classify.c "$out/digits.a"
data=examples/digits
for images in x moved; do
  keras=$data/keras.npy
  [ $images = x ] || keras=$data/moved_keras.npy
  printf '  %-9s ' "$images.npy"
  try "$out/classify" $data/$images.npy $data/labels.npy $keras "$out/$images.linked.npy"
  try "$out/jit_host" $data/model.yaml $data/$images.npy "$out/$images.jit.npy"
  try "$out/digits" --input $data/$images.npy --output "$out/$images.program.npy"
  compare $keras "$out/$images.jit.npy" "$out/$images.linked.npy" "$out/$images.program.npy"
done

printf '\ntext: a licence goes on, character by character, the state kept by the caller\n'
compile text
c generate gruc examples/text/generate.c examples/text/sampler.c
c continue gruc_rt examples/text/continue.c examples/text/sampler.c "$out/text.a"
data=examples/text
try "$out/generate" $data "$out/text.jit.npy" > "$out/text.jit.txt"
try "$out/continue" $data "$out/text.linked.npy" > "$out/text.linked.txt"
try "$out/text" --input $data/prompt.npy --output "$out/text.program.npy"
fold -s -w 96 "$out/text.jit.txt" | sed 's/^/  | /; s/ *$//'
compare $data/keras.npy "$out/text.jit.npy" "$out/text.linked.npy" "$out/text.program.npy"
cmp "$out/text.jit.txt" "$out/text.linked.txt" || { failed=1 && echo '  THE TEXTS DIFFER'; }

printf '\n'
[ $failed -eq 0 ] || stop 'something disagrees, see above'
echo "All agree. Programs and results: $out, $(($(date +%s) - begin)) s in all"
