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
  export CC=$compiler
  test_build compilers-$compiler -Dbuildtype=debugoptimized -Dwerror=true || failed=1
done
exit $failed
