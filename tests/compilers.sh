#!/bin/sh
# SPDX-License-Identifier: MIT
# gcc 12 and clang 19 build everything without a warning.
. "$(dirname "$0")/builds.sh"
failed=0
for compiler in gcc-12 clang-19; do
  if ! command -v $compiler > /dev/null; then
    echo "skip compilers $compiler: it is not installed"
    continue
  fi
  if [ $compiler = gcc-12 ] && [ -z "${CC:-}" ] && cc --version | grep -q '^cc .* 12\.'; then
    echo "ok compilers $compiler: the build under test is its, with warnings as errors"
    continue
  fi
  (export CC=$compiler && test_build compilers-$compiler -Dwerror=true) || failed=1
done
exit $failed
