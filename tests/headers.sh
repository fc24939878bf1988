#!/bin/sh
# SPDX-License-Identifier: MIT
# Each public header compiles alone, as C11 and as C++17, by gcc and by clang.
set -u
cd "$(dirname "$0")/.."
failed=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
warnings='-Wall -Wextra -Wpedantic -Werror -fsyntax-only'

# one COMPILER LANGUAGE STANDARD
one() {
  if ! command -v "$1" > /dev/null; then
    echo "skip headers $1 as $3: $1 is not installed"
    return
  fi
  for header in include/gruc/*.h; do
    name=${header#include/}
    echo "#include <$name>" > "$scratch/one.$2"
    echo "#include <$name>" >> "$scratch/one.$2" # twice: guarded
    # shellcheck disable=SC2086
    if "$1" -std="$3" $warnings -Iinclude "$scratch/one.$2" 2> "$scratch/errors"; then
      echo "ok headers $name by $1 as $3"
    else
      echo "not ok headers $name by $1 as $3: $(head -n 3 "$scratch/errors" | tr '\n' ' ')"
      failed=1
    fi
  done
}

one gcc c c11
one g++ cc c++17
one clang-19 c c11
one clang++-19 cc c++17
exit $failed
