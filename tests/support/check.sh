# SPDX-License-Identifier: MIT
# Read by tests of the command line, which set suite and failed.

# check NAME STATUS COMMAND...: the command must exit with the status; out and err keep what it said.
check() {
  name=$1 wanted=$2
  shift 2
  "$@" > out 2> err
  got=$?
  if [ $got -eq "$wanted" ]; then
    echo "ok $suite/$name"
  else
    echo "not ok $suite/$name: exit status $got, not $wanted: $(head -n 2 err | tr '\n' ' ')"
    failed=1
  fi
}
