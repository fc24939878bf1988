#!/bin/sh
# SPDX-License-Identifier: MIT
# Who may include whom. One line a folder; a breach names file and line.
set -u
cd "$(dirname "$0")/.."
failed=0

# Everything a file may include besides the C library and POSIX is named here.
third_party='yaml.h|zip.h|jansson.h|uthash.h|utlist.h|llvm-c/.*|llvm/Config/.*|CUnit/.*|mpfr.h'

# folder NAME FILES ALLOWED: ALLOWED is an expression for what stands between the quotes or <gruc/>.
folder() {
  name=$1 files=$2 allowed=$3
  breaches=$(for file in $files; do
    [ -f "$file" ] || continue
    grep -nE '^[[:space:]]*#[[:space:]]*include' "$file" |
      sed -E 's/^([0-9]+):[^"<]*["<]([^">]*)[">].*/\1 \2/' |
      while read -r line target; do
        case $target in
        */*) path=$target ;;
        *) path=$(dirname "$file")/$target ;;      # beside the file, or the C library
        esac
        case $target in
        */*.h | */*.def | *.def)
          echo "$path" | grep -qE "^($allowed)$" && continue
          echo "$target" | grep -qE "^($third_party)$" && continue # looked at below
          case $target in sys/*.h | linux/*.h) continue ;; esac
          echo "$file:$line includes $target" ;;
        *)
          [ ! -f "$path" ] && continue
          echo "$path" | grep -qE "^($allowed)$" || echo "$file:$line includes $target" ;;
        esac
      done
  done)
  if [ -z "$breaches" ]; then
    echo "ok layering $name"
  else
    echo "$breaches" | sed "s|^|not ok layering $name: |"
    failed=1
  fi
}

# only NAME HEADERS FILES: these headers are included by these files alone.
only() {
  name=$1 headers=$2 places=$3
  breaches=$(grep -rnE "^[[:space:]]*#[[:space:]]*include[[:space:]]*[\"<]($headers)[\">]" \
    include ir frontend codegen runtime driver --include='*.[ch]' |
    grep -vE "^($places):" | cut -d: -f1,2)
  if [ -z "$breaches" ]; then
    echo "ok layering $name"
  else
    echo "$breaches" | sed "s|^|not ok layering $name: included by |"
    failed=1
  fi
}

public='gruc/[a-z]+\.(h|def)'
folder include "$(find include -name '*.h')" "$public"
folder ir/base "$(find ir/base -name '*.[ch]')" 'ir/base/.*|gruc/status\.h'
folder ir "$(find ir -path ir/base -prune -o -name '*.[ch]' -print)" "ir/.*|$public"
folder frontend "$(find frontend -name '*.[ch]')" "frontend/.*|ir/.*|$public"
folder codegen "$(find codegen -maxdepth 1 -name '*.[ch]')" \
  'codegen/[^/]*|ir/.*|gruc/(abi|status)\.(h|def)'
for path in codegen/*/; do
  path=${path%/}
  folder "$path" "$(find "$path" -name '*.[ch]')" \
    "$path/.*|codegen/[^/]*|ir/.*|gruc/(abi|status)\.(h|def)"
done
folder runtime "$(find runtime -name '*.[ch]')" "runtime/.*|$public"

only 'yaml.h in one file' 'yaml\.h' 'frontend/yaml\.c'
only 'llvm-c under codegen/cpu' 'llvm(-c|/Config)/.*' 'codegen/cpu/[^/]*'
only 'zip.h in readers of weights' 'zip\.h' 'frontend/npz\.c'
only 'jansson.h in readers of weights and reports' 'jansson\.h' \
  'frontend/safetensors\.c|driver/[^/]*'

version=$(grep -rlE '#[[:space:]]*(el)?if.*LLVM_VERSION' codegen driver frontend ir runtime |
  wc -l)
if [ "$version" -le 1 ]; then
  echo "ok layering every condition on LLVM's version is in one header"
else
  echo "not ok layering conditions on LLVM's version: in $version files"
  failed=1
fi
exit $failed
