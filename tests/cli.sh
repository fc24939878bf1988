#!/bin/sh
# SPDX-License-Identifier: MIT
# The command line: exit statuses, what goes where, emitted files in use, no partial files.
set -u
cd "$(dirname "$0")/.."
root=$PWD
build=${GRUC_BUILD:-$root/build}
gruc=$build/gruc
cases=$root/tests/golden/keras/cases
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
export NO_COLOR=1 LC_ALL=C
failed=0 suite=cli

. "$root/tests/support/check.sh"

# says NAME FILE TEXT: the file of the last check must hold the text.
says() {
  if grep -q -e "$3" "$2"; then
    echo "ok cli/$1"
  else
    echo "not ok cli/$1: no '$3' in: $(head -n 3 "$2" | tr '\n' ' ')"
    failed=1
  fi
}

# same NAME FILE FILE
same() {
  if cmp -s "$2" "$3"; then
    echo "ok cli/$1"
  else
    echo "not ok cli/$1: $2 and $3 differ"
    failed=1
  fi
}

# empty NAME FILE
empty() {
  if [ ! -s "$2" ]; then
    echo "ok cli/$1"
  else
    echo "not ok cli/$1: $(head -n 1 "$2")"
    failed=1
  fi
}

examples=$root/examples
co2="$examples/co2/model.yaml"
if ! "$gruc" targets | grep -q '^cpu  *machine'; then
  echo "skip cli: this build has no cpu back end"
  exit 0
fi

check version 0 "$gruc" --version
says version-on-stdout out '^gruc [0-9]'
check help 0 "$gruc" help compile
says help-lists-emit out '--emit'
check no-command 2 "$gruc"
check unknown-command 2 "$gruc" complie "$co2"
says suggestion err 'compile'
check unknown-option 2 "$gruc" run "$co2" --inptu x.npy
check import-is-not-here 2 "$gruc" import model.h5 -o model.yaml
check explain 0 "$gruc" explain E0302
check explain-unknown 2 "$gruc" explain E9999
check targets-json 0 "$gruc" targets --json
says targets-json out '"cpu"'
check inspect-json 0 "$gruc" inspect "$co2" --json
says inspect-json out '"back_ends"\|"backends"\|"layers"'

check run 0 "$gruc" run "$co2" --input x="$examples/co2/x.npy" --output forecast=y.npy
empty run-quiet-on-stdout out
check run-expect 0 "$gruc" run "$co2" --input "$examples/co2/x.npy" --output y1.npy \
  --expect "$examples/co2/keras.npy" --max-abs=2e-6
check run-expect-too-far 3 "$gruc" run "$co2" --input "$examples/co2/x.npy" --output y2.npy \
  --expect "$examples/co2/truth.npy" --max-abs=1e-3
check run-ref 0 "$gruc" run "$co2" --backend=ref --input "$examples/co2/x.npy" --output ref.npy \
  --expect y.npy --max-abs=2e-6
check run-cuda 77 "$gruc" run "$co2" --backend=cuda --input "$examples/co2/x.npy" --output z.npy
says run-cuda-reason err 'CUDA'
check run-cudnn 77 "$gruc" run "$co2" --backend=cudnn --input "$examples/co2/x.npy" --output z.npy
check run-no-input 1 "$gruc" run "$co2" --input nothing.npy --output z.npy
check run-wrong-input 1 "$gruc" run "$co2" --input "$examples/co2/scale.npy" --output z.npy
for left in z.npy; do
  if [ -e $left ]; then
    echo "not ok cli/no-partial-file: $left"
    failed=1
  else
    echo "ok cli/no-partial-file"
  fi
done
"$gruc" run "$co2" --input - --output - < "$examples/co2/x.npy" > piped.npy 2> err
same run-piped y.npy piped.npy

prompt=$examples/text/prompt.npy text=$examples/text/model.yaml
check run-whole 0 "$gruc" run "$text" --input "$prompt" --output whole.npy
for size in 1 7 1000; do
  check "chunk-$size" 0 "$gruc" run "$text" --input "$prompt" --output chunk.npy --chunk=$size
  same "chunk-$size-same-bits" whole.npy chunk.npy
done

check compile-exe 0 "$gruc" compile "$co2" -o forecast
check exe 0 ./forecast --input "$examples/co2/x.npy" --output exe.npy
same exe-same-bits y.npy exe.npy
check exe-usage 2 ./forecast --nonsense
check exe-wrong 1 ./forecast --input "$examples/co2/scale.npy" --output z.npy
check compile-several 0 "$gruc" compile "$co2" -o co2 \
  --emit=header,static,obj,asm,llvm-ir,ir,dot,shared
for kind in h a o s ll ir dot so; do
  if [ -s co2.$kind ]; then
    echo "ok cli/emit-$kind"
  else
    echo "not ok cli/emit-$kind: co2.$kind is missing or empty"
    failed=1
  fi
done
# Devices and pipes are written, not replaced.
mkfifo pipe
timeout 10 cat pipe > piped.o &
check compile-to-pipe 0 "$gruc" compile "$co2" --emit=obj -o pipe
wait
same pipe-same-object co2.o piped.o
check pipe-stays 0 [ -p pipe ]
ln -s /dev/null nowhere
check compile-to-device 0 "$gruc" compile "$co2" --emit=obj -o nowhere
check device-stays 0 [ -L nowhere ]
check compile-unknown-cpu 1 "$gruc" compile "$co2" -o bad.o --emit=obj --cpu=nonsense
for features in -sse2 +soft-float +avx512f; do
  check "compile-features$features" 1 "$gruc" compile "$co2" -o bad.o --emit=obj \
    --target=x86_64-linux-gnu --cpu=x86-64-v3 --features=$features
  says "compile-features$features-reason" err 'LLVM cannot emit code for.*E0803'
done
check compile-other-target 1 "$gruc" compile "$co2" -o bad.o --emit=obj \
  --target=powerpc64le-linux-gnu --cpu=pwr9
says compile-other-target-names-ours err 'none of x86_64, aarch64 and riscv64'
check compile-more-features 0 "$gruc" compile "$co2" --emit=asm -o more.s \
  --target=riscv64-linux-gnu --features=+zba
says more-features-keep-the-base more.s 'fmadd.s'
# LLVM 19 has no code for vectors that hold integers only, and ends the process that asks for it.
check compile-vectors-of-integers 0 sh -c '"$1" compile "$2" --emit=obj -o bad.o --weights-type=int8 \
  --target=riscv64-linux-gnu --features=+zve32x; [ $? -le 1 ]' sh "$gruc" "$co2"
rm -f bad.o
check compile-unknown-target 1 "$gruc" compile "$co2" -o bad.o --emit=obj --target=nonsense
check compile-bad-model 1 "$gruc" compile "$root/tests/golden/errors/cycle.yaml" -o bad --emit=obj,header
for left in bad bad.o bad.h; do
  if [ -e $left ]; then
    echo "not ok cli/no-partial-output: $left"
    failed=1
  else
    echo "ok cli/no-partial-output-$left"
  fi
done

cat > main.c << 'EOF'
#include "co2.h"
#include <stdio.h>
static co2_state state, again;
int main(void)
{
    static float x[104][3], y[52], z[52];
    for (int i = 0; i < 104; i++)
        x[i][0] = (float)(i % 7) * 0.25f, x[i][1] = (float)(i % 3) * 0.5f, x[i][2] = 0.125f;
    co2_reset(&state);
    if (co2_run(&state, &x[0][0], 104, y) != 0)
        return 1;
    co2_reset(&again);
    for (int i = 0; i < 104; i++)
        co2_step(&again, x[i], z);
    for (int i = 0; i < 52; i++)
        if (y[i] != z[i])
            return 2;
    if (co2_run(&state, &x[0][0], 0, y) == 0)
        return 3; /* no steps is an error */
    for (size_t i = 0; i < sizeof state; i++)
        if (((unsigned char *)&state)[i] != ((unsigned char *)&again)[i])
            return 4; /* and leaves the state as it was */
    return co2_info()[0] == '{' ? 0 : 5;
}
EOF
for compiler in cc clang-19; do
  command -v $compiler > /dev/null || continue
  check "link-$compiler" 0 $compiler -std=c11 -Wall -Wextra -Wpedantic -Werror main.c co2.a -o main
  check "linked-$compiler" 0 ./main
done

check check 0 "$gruc" check "$cases/k2_gru_defaults.yaml"
# Rows of one number fill a tile to its end.
printf 'keras: 3\ninputs:\n  i: {shape: [~], dtype: int32}\nlayers:\n%s\n%s\n' \
  '  - Embedding: {input_dim: 7, output_dim: 1}' '  - GRU: {units: 1}' > one_number.yaml
check check-one-number 0 "$gruc" check one_number.yaml --batch=16 --steps=9
check check-int8 0 "$gruc" check "$co2" --weights-type=int8
says check-int8-is-not-judged out 'not compared with ref'
says check-int8-is-measured out 'int8 weights: max abs'
check check-bf16 0 "$gruc" check "$co2" --weights-type=bf16
says check-bf16-is-not-judged out 'not compared with ref: bf16'
says check-bf16-is-measured out 'bf16 weights: max abs'
check check-f16 0 "$gruc" check "$co2" --weights-type=f16
says check-f16-is-judged out 'forecast  *worst error .*ok'
says check-f16-is-measured out 'f16 *weights: max abs'
check check-calibrate 0 "$gruc" check "$co2" --calibrate "$examples/co2/x.npy"
for type in f32 bf16 f16 int8; do
  says check-calibrate-$type out "$type *weights: max abs"
done
check check-calibrate-name 1 "$gruc" check "$co2" --calibrate q="$examples/co2/x.npy"
says check-calibrate-name err "no input 'q'"
check weights-type 2 "$gruc" run "$co2" --weights-type=int4 --input x.npy
check inspect-int8 0 "$gruc" inspect "$co2" --weights-type=int8
says inspect-int8-product out 'over 32 (int8, 3072 bytes)'
says inspect-f32-product out 'over 3 (f32, '
check inspect-bf16 0 "$gruc" inspect "$co2" --weights-type=bf16
says inspect-bf16-product out 'over 32 (bf16_dot, 6144 bytes)'
says inspect-bf16-small-product out 'over 3 (bf16, '
check dump-int8 0 "$gruc" compile "$co2" -o narrow.o --weights-type=int8 --dump-after=narrow_products
says dump-int8 err 'weights="int8"'
check bench 0 "$gruc" bench "$cases/k2_gru_defaults.yaml" --batch=1 --steps=10 --json
says bench-json out '"ns_per_step":'

# tags FILE: every tag of a page is closed in turn, and nothing is left that is no text.
tags() {
  awk 'BEGIN { RS = "<" }
    NR == 1 || /^!DOCTYPE/ { next }
    {
      close_at = index($0, ">")
      tag = substr($0, 1, close_at - 1); text = $0
      gsub(/&#[0-9]+;/, "", text)
      if (close_at == 0 || text ~ /&/) { print "text: " $0; exit 1 }
      name = tag; sub(/^\//, "", name); sub(/[ \/\n].*/, "", name)
      if (tag ~ /^\//) {
        if (open[depth--] != name) { print "not open: " name; exit 1 }
      } else if (tag !~ /\/$/) open[++depth] = name
    }
    END { if (depth != 0) { print "left open: " open[depth]; exit 1 } }' "$1"
}
cp "$cases/k2_gru_defaults.yaml" 'a<b>&"c.yaml'
cp "$cases/k2_gru_defaults.npz" .
check report 0 "$gruc" report 'a<b>&"c.yaml' -o report.html --batch=2 --steps=10 --seconds=0.1
empty report-quiet-on-stdout out
check report-tags 0 tags report.html
says report-path report.html 'a&#60;b&#62;&#38;&#34;c.yaml'
for title in Model 'Time by stage' Roofline Schedule Buffers Threads; do
  says "report-$(echo "$title" | tr ' ' -)" report.html "<h2>$title</h2>"
done
if grep -qE 'src=|href=|url\(|<script|@import' report.html; then
  echo "not ok cli/report-alone: it refers to something else"
  failed=1
else
  echo "ok cli/report-alone"
fi
check report-json 0 "$gruc" report "$cases/k2_gru_defaults.yaml" --batch=2 --steps=10 \
  --seconds=0.1 --json
tr '{' '\n' < out | sed -n 's/^"number":\([0-9]*\),.*"calls":\([0-9]*\),.*/\1 \2/p' > stages
says report-stages stages '[0-9]'
while read -r number calls; do
  says "report-stage-$number" report.html \
    "^<tr><td class=\"n\">$number</td>.*<td class=\"n\">$calls\(\.[0-9]*\)*</td>"
done < stages
check report-masked 0 "$gruc" report "$cases/k1_embedding_mask_zero.yaml" --seconds=0.1 \
  --threads=2
check report-ref 0 "$gruc" report "$cases/k2_gru_defaults.yaml" --backend=ref --steps=10 \
  --seconds=0.1
says report-ref out 'Not available'
check report-elsewhere 2 "$gruc" report "$co2" --target=aarch64-unknown-linux-gnu
says report-elsewhere err 'measures it here'
check report-no-folder 1 "$gruc" report "$co2" -o nowhere/report.html --seconds=0
check dump 0 "$gruc" compile "$cases/k2_gru_defaults.yaml" -o d.o --emit=obj --dump-after=expand_gru
says dump err 'scan'
check time-passes 0 "$gruc" compile "$cases/k2_gru_defaults.yaml" -o d.o --emit=obj --time-passes
says time-passes err 'total'
exit $failed
