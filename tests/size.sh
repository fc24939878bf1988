#!/bin/sh
# SPDX-License-Identifier: MIT
# A static program of libgruc_rt and an object of 64 units: under 200 KB, nothing else linked.
set -u
cd "$(dirname "$0")/.."
gruc=$GRUC_BUILD/gruc
if ! command -v musl-gcc > /dev/null; then
  echo "skip size: musl-gcc is not installed"
  exit 0
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cat > "$scratch/small.yaml" << 'END'
model: small
inputs:
  x: [~, 16]
layers:
  - GRU: {name: g, units: 64}
END
cat > "$scratch/main.c" << 'END'
#include <stdio.h>
#include <gruc/runtime.h>
const struct gruc_module_info *small_describe(void);
int small_run_batch(const struct gruc_args *args);
int main(void)
{
    static float x[7 * 16], y[64];
    const int64_t dims[3] = {1, 7, 16};
    struct grt_module *module = NULL;
    struct grt_session *session = NULL;
    int failed = grt_module_create(small_describe, small_run_batch, NULL, NULL, &module) ||
                 grt_session_create(module, NULL, &session) ||
                 grt_session_bind_input(session, 0, x, GRUC_FLOAT32, 3, dims) ||
                 grt_session_bind_output(session, 0, y, sizeof y) || grt_session_run(session);
    printf("%g\n", (double)y[0]);
    grt_session_destroy(session);
    grt_module_destroy(module);
    return failed;
}
END
runtime=$(find runtime -name '*.c' ! -name standalone_entry.c)
# shellcheck disable=SC2086
if ! "$gruc" compile "$scratch/small.yaml" -o "$scratch/small.o" --emit=obj --cpu=x86-64-v3 \
    2> "$scratch/errors" ||
  ! musl-gcc -std=c11 -D_GNU_SOURCE -Os -ffp-contract=off -ffunction-sections -fdata-sections \
    -Iinclude -I. -static -s -Wl,--gc-sections "$scratch/main.c" $runtime "$scratch/small.o" \
    -o "$scratch/program" 2>> "$scratch/errors" ||
  ! "$scratch/program" > "$scratch/out" 2>> "$scratch/errors"; then
  echo "not ok size: $(head -n 3 "$scratch/errors" | tr '\n' ' ')"
  exit 1
fi
bytes=$(wc -c < "$scratch/program")
weights=$((4 * (16 * 192 + 64 * 192 + 2 * 192)))
if [ "$bytes" -ge 200000 ]; then
  echo "not ok size: $bytes bytes (weights $weights), the limit is 200000"
  exit 1
fi
echo "ok size: $bytes bytes, of which $weights are weights"
if grep -qiE 'llvm|libyaml|yaml_parser' "$scratch/program"; then
  echo "not ok size content: LLVM or YAML is in it"
  exit 1
fi
echo "ok size content: no LLVM, no YAML"
