#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs what is missing on Debian 12, by apt, as root or through sudo.
#   sh tests/setup.sh examples    what building gruc and running the examples takes
#   sh tests/setup.sh tests       and what the tests take
# The last few packages are what libzip itself links with, for a static libgruc.
# Does nothing when everything is there. On another system it names what it cannot find.
set -eu

level=${1:-tests}
packages='gcc libc6-dev meson ninja-build pkg-config llvm-19-dev lld-19 libyaml-dev libjansson-dev
  libzip-dev uthash-dev'
tools='cc meson ninja pkg-config llvm-config-19 ld.lld-19'
case $level in
examples) ;;
tests)
  packages="$packages g++ clang-19 libclang-rt-19-dev libcunit1-dev libmpfr-dev qemu-user
    gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-riscv64-linux-gnu libc6-dev-riscv64-cross
    musl-tools binutils libbz2-dev liblzma-dev libssl-dev libzstd-dev zlib1g-dev"
  tools="$tools g++ clang-19 qemu-aarch64 qemu-riscv64 aarch64-linux-gnu-gcc
    riscv64-linux-gnu-gcc musl-gcc nm"
  ;;
*)
  echo "setup.sh: '$level' is neither 'examples' nor 'tests'" >&2
  exit 2
  ;;
esac

if ! command -v apt-get > /dev/null || ! command -v dpkg-query > /dev/null; then
  missing=
  for tool in $tools; do
    command -v "$tool" > /dev/null || missing="$missing $tool"
  done
  [ -z "$missing" ] || echo "setup.sh: no apt here; not found:$missing" >&2
  exit 0
fi

missing=
for package in $packages; do
  state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2> /dev/null || true)
  [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo > /dev/null; then
    echo "setup.sh: need root or sudo to install:$missing" >&2
    exit 1
  fi
  as_root=sudo
fi
echo "installing:$missing" | tr -s ' \n' ' '
echo
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086
if ! { $as_root apt-get -o Acquire::Retries=3 update -qq &&
       $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=3 \
         install -y -qq --no-install-recommends $missing; } > "$log" 2>&1; then
  tail -n 30 "$log" >&2
  echo "setup.sh: installing failed" >&2
  exit 1
fi
