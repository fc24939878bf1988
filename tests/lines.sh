#!/bin/sh
# SPDX-License-Identifier: MIT
# No line of a C file is longer than .clang-format says.
set -u
cd "$(dirname "$0")/.."
most=$(sed -n 's/^ColumnLimit: //p' .clang-format)
long=$(find bench codegen driver examples frontend include ir runtime tests -name '*.[ch]' \
  -exec awk -v most="$most" 'length > most { print FILENAME ":" FNR }' {} +)
if [ -z "$long" ]; then
  echo "ok lines"
else
  echo "$long" | sed "s|^|not ok lines: longer than $most columns: |"
  exit 1
fi
