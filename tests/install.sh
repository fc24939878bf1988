#!/bin/sh
# SPDX-License-Identifier: MIT
# An installed gruc serves programs that know only pkg-config: shared and static, C and C++.
set -u
cd "$(dirname "$0")/.."
root=$PWD
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0
if ! DESTDIR="$scratch/stage" meson install -C "$GRUC_BUILD" --no-rebuild \
    > "$scratch/log" 2>&1; then
  echo "not ok install: $(tail -n 3 "$scratch/log" | tr '\n' ' ')"
  exit 1
fi
package=$(find "$scratch/stage" -name gruc.pc)
prefix=$(sed -n 's/^prefix=//p' "$package")
libraries=$(dirname "$(dirname "$package")")
export PKG_CONFIG_PATH="$libraries/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$scratch/stage"
export LD_LIBRARY_PATH="$libraries"

# check NAME CONDITION...
check() {
  name=$1
  shift
  if "$@" > "$scratch/log" 2>&1; then
    echo "ok install $name"
  else
    echo "not ok install $name: $(head -n 3 "$scratch/log" | tr '\n' ' ')"
    failed=1
  fi
}

cat > "$scratch/host.c" << 'END'
#include <stdio.h>
#include <string.h>
#include <gruc/compiler.h>
int main(void)
{
    static const char text[] = "inputs:\n  x: [~, 2]\nlayers:\n  - GRU: {units: 3}\n";
    struct gruc_model_handle *model = NULL;
    struct gruc_options options;
    struct grt_module *module = NULL;
    gruc_options_init(&options);
    options.backend = "ref";
    if (gruc_model_parse("m.yaml", text, strlen(text), &options, &model) ||
        gruc_model_jit(model, &options, &module))
        return 1;
    printf("%s %s\n", gruc_version(), grt_module_info(module)->name);
    grt_module_destroy(module);
    gruc_model_destroy(model);
    return 0;
}
END
cp "$scratch/host.c" "$scratch/host.cc"
flags() {
  pkg-config "$@"
}
check 'the program runs' "$scratch/stage$prefix/bin/gruc" --version
check 'pkg-config' pkg-config --exists gruc gruc_rt
# shellcheck disable=SC2046
check 'C host, shared' cc -std=c11 "$scratch/host.c" $(flags --cflags --libs gruc) \
  -o "$scratch/host"
check 'C host runs' "$scratch/host"
# shellcheck disable=SC2046
check 'C++ host, shared' g++ -std=c++17 "$scratch/host.cc" $(flags --cflags --libs gruc) \
  -o "$scratch/hostcc"
check 'C++ host runs' "$scratch/hostcc"
# shellcheck disable=SC2046
check 'C host, static libraries' cc -std=c11 "$scratch/host.c" $(flags --cflags gruc) \
  "$libraries/libgruc.a" "$libraries/libgruc_rt.a" \
  $(flags --static --libs gruc | sed 's/-lgruc_rt//; s/-lgruc//') -o "$scratch/static"
check 'static host runs' "$scratch/static"
check 'SONAME has a version' sh -c \
  "readelf -d '$libraries'/libgruc.so | grep -q 'SONAME.*\.so\.[0-9]'"
# exports LIBRARY NAMES: what else than these names and the linker's own it exports.
exports() {
  nm -D --defined-only "$1" | awk '{print $3}' | grep -vE "^(($2)_[a-z_]+|_edata|_end|__bss_start)$"
}
exported=$(exports "$libraries/libgruc.so" gruc)
check 'only gruc_ names are exported' test -z "$exported"
exported=$(exports "$libraries/libgruc_rt.so" 'gruc|grt')
check 'only gruc_ and grt_ names are exported by the runtime' test -z "$exported"
hidden=$(nm -D --defined-only "$libraries/libgruc.so" | grep -cE ' gruc_(ir|build|arena)_')
check 'inner functions are hidden' test "$hidden" = 0
linked=$(ldd "$libraries/libgruc_rt.so" | grep -iE 'llvm|yaml|zip|jansson')
check 'the runtime links neither LLVM nor YAML' test -z "$linked"
cd "$root" && exit $failed
