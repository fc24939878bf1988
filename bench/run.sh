#!/bin/sh
# SPDX-License-Identifier: MIT
# Times gruc against its peers; README.md tells how and what the columns mean.
#   sh bench/run.sh [--quick] [--case=A,C] [--units=8,64] [--json=FILE] ... (--help: all)
# GRUC_BENCH_BUILD  build folder, a release build (default: build-bench beside the sources)
# GRUC_BENCH_VENV   where the peers are, made when missing (default: ~/.cache/gruc-bench)
set -eu
. "$(dirname "$0")/build.sh"
venv=${GRUC_BENCH_VENV:-$HOME/.cache/gruc-bench}

has_numpy() {
  "$venv/bin/python" -c 'import numpy' 2> /dev/null
}
if ! has_numpy; then
  if ! python3 -m venv "$venv" >&2; then
    echo "skipped: no Python environment in $venv; Debian has it in python3-venv" >&2
    exit 77
  fi
  if ! "$venv/bin/python" -m pip install --quiet --disable-pip-version-check numpy >&2 ||
      ! has_numpy; then
    echo "skipped: cannot install NumPy from PyPI" >&2
    exit 77
  fi
fi
# NumPy's threads, which check outputs, would be busy waiting for more while others are measured.
export OPENBLAS_NUM_THREADS=1
PYTHONDONTWRITEBYTECODE=1 exec "$venv/bin/python" "$root/bench/compare.py" --build="$build" "$@"
