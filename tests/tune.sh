#!/bin/sh
# SPDX-License-Identifier: MIT
# --tune: the cache is written, read and trusted with nothing; no choice changes a bit.
set -u
cd "$(dirname "$0")/.."
root=$PWD
gruc=${GRUC_BUILD:-$root/build}/gruc
x=$root/examples/co2/x.npy
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
export NO_COLOR=1 LC_ALL=C HOME="$scratch/home" XDG_CACHE_HOME="$scratch/cache"
cache=$XDG_CACHE_HOME/gruc/tune.json
failed=0 suite=tune

. "$root/tests/support/check.sh"

# verify NAME COMMAND...: the command must succeed.
verify() {
  name=$1
  shift
  if "$@"; then
    echo "ok tune/$name"
  else
    echo "not ok tune/$name: $*: $(head -n 2 err | tr '\n' ' ')"
    failed=1
  fi
}
says() { grep -q -e "$1" err; }
silent() { ! grep -q -e "$1" err; }

if ! "$gruc" targets | grep -q '^cpu  *machine'; then
  echo "skip tune: this build has no cpu back end"
  exit 0
fi

# Products of several rows, in tiles and in steps, of three gates and of one.
cat > wide.yaml << 'EOM'
model: wide
inputs: {x: [~, 3]}
layers:
  - Dense: {units: 50}
  - GRU: {units: 70, return_sequences: true, return_state: true, name: g}
  - GRU: {units: 41, return_sequences: true, reset_after: false, name: h}
  - Dense: {units: 100, name: d}
outputs: [g.state, d]
EOM
# Whose code is the same for nearly all choices, so that it takes little time.
cat > small.yaml << 'EOM'
model: small
inputs: {x: [~, 3]}
layers:
  - GRU: {units: 2}
EOM
run_small() {
  "$gruc" run small.yaml --input "$x" --output small.npy "$@"
}

# ---- refused ----
check target 2 "$gruc" compile wide.yaml -o t.o --tune --target=aarch64-unknown-linux-gnu
verify target-reason says 'cannot go with --target'
check cpu 2 "$gruc" compile wide.yaml -o t.o --tune --cpu=x86-64-v2
verify cpu-reason says 'cannot go with --cpu'
check native 0 "$gruc" inspect wide.yaml --tune --cpu=native
check back-end 2 "$gruc" run wide.yaml --input "$x" --output y.npy --tune --backend=ref
verify back-end-reason says "not for 'ref'"
verify nothing-written [ ! -e "$XDG_CACHE_HOME" ]

# ---- written and read again ----
check untuned 0 "$gruc" run wide.yaml --input "$x" --output g.npy --output d.npy
"$gruc" compile wide.yaml -o untuned.o 2> err
check untuned-touches-nothing 0 [ ! -e "$XDG_CACHE_HOME" ]
check inspect-nothing 0 "$gruc" inspect wide.yaml --tune
verify inspect-nothing-words grep -q '^tuning: nothing is kept' out
check measure 0 "$gruc" bench wide.yaml --tune --steps=40 --seconds=0.01
verify measure-words says 'note: tuned: '
verify no-progress-in-a-file silent 'tuning: choice'
verify written [ -f "$cache" ]
verify written-alone [ "$(ls "$XDG_CACHE_HOME/gruc")" = tune.json ]
cp "$cache" first.json
check reuse 0 "$gruc" bench wide.yaml --tune --steps=40 --seconds=0.01
verify reuse-does-not-measure silent 'tuned'
verify reuse-writes-nothing cmp -s "$cache" first.json
check another-batch 0 "$gruc" bench wide.yaml --tune --batch=4 --steps=40 --seconds=0.01
verify another-batch-measures says 'note: tuned: '
verify two-entries [ "$(grep -c '"key"' "$cache")" = 2 ]

# ---- each choice: other code, the same bits, the same object again ----
# choose ROW_VECTORS ROWS VECTORS TILE_ROWS
choose() {
  sed -e "s/\"row_vectors\": [0-9]*/\"row_vectors\": $1/; s/\"rows\": [0-9]*/\"rows\": $2/" \
    -e "s/\"vectors\": [0-9]*/\"vectors\": $3/; s/\"tile_rows\": [0-9]*/\"tile_rows\": $4/" \
    -e 's/"gain_percent": [0-9.]*/"gain_percent": 12.5/' first.json > "$cache"
}
codes=0
check measure-run 0 "$gruc" run wide.yaml --tune --input "$x" --output g1.npy --output d1.npy
grep -v '^$' "$cache" > first.json
for choice in '1 1 1 32' '2 8 1 32' '3 4 2 64' '4 2 3 256' '6 2 4 512' '8 8 8 100' '5 3 7 1'; do
  name=$(echo "$choice" | tr ' ' -)
  # shellcheck disable=SC2086
  choose $choice
  check "run-$name" 0 "$gruc" run wide.yaml --tune --input "$x" --output g1.npy --output d1.npy
  verify "known-$name" silent 'note: tuned\|ignored'
  verify "bits-$name" cmp -s g.npy g1.npy
  verify "more-bits-$name" cmp -s d.npy d1.npy
  check "check-$name" 0 "$gruc" check wide.yaml --tune
  verify "check-known-$name" silent 'note: tuned\|ignored'
  check "object-$name" 0 "$gruc" compile wide.yaml --tune -o one.o
  check "object-again-$name" 0 "$gruc" compile wide.yaml --tune -o two.o
  verify "same-object-$name" cmp -s one.o two.o
  cmp -s one.o untuned.o || codes=$((codes + 1))
done
verify choices-change-the-code [ $codes -ge 5 ]
check inspect 0 "$gruc" inspect wide.yaml --tune
verify inspect-words grep -q '^tuning: 1 row by 5 vectors, .*, 12.5 % faster' out
check inspect-json 0 "$gruc" inspect wide.yaml --tune --json
verify inspect-json-words grep -q '"tuning":{"row_vectors":5,.*"gain_percent":12.5}' out
check without 0 "$gruc" compile wide.yaml -o one.o
verify without-it-is-not-read cmp -s one.o untuned.o

# ---- the same with narrow weights ----
for type in bf16 f16 int8; do
  run_type() {
    "$gruc" run wide.yaml --weights-type=$type --input "$x" --output "g$1.npy" --output "d$1.npy" \
      ${2:+"$2"}
  }
  cp first.json "$cache"
  check "untuned-$type" 0 run_type ""
  check "measure-$type" 0 run_type 1 --tune
  cp "$cache" typed.json
  for choice in '1 8 1 32' '2 4 2 64' '4 2 4 256'; do
    name=$type-$(echo "$choice" | tr ' ' -)
    cp typed.json first.json
    # shellcheck disable=SC2086
    choose $choice
    check "run-$name" 0 run_type 1 --tune
    verify "known-$name" silent 'note: tuned\|ignored'
    verify "bits-$name" cmp -s g.npy g1.npy
    verify "more-bits-$name" cmp -s d.npy d1.npy
  done
done

# ---- a cache that is not as it should be ----
i=0
rest='"vectors": 1, "tile_rows": 32, "gain_percent": 1'
for text in 'nonsense' '' '{"format": 2, "entries": []}' '{"format": 1, "entries": [7]}' \
  "{\"format\": 1, \"entries\": [{\"key\": \"k\", \"row_vectors\": 1, \"rows\": 99, $rest}]}"; do
  i=$((i + 1))
  printf '%s' "$text" > "$cache"
  check "damaged-$i" 0 run_small --tune
  verify "damaged-$i-words" says 'note: the cache of --tune, .*is ignored: it is damaged'
  verify "damaged-$i-replaced" grep -q '"key": "gruc' "$cache"
  check "damaged-$i-repaired" 0 run_small --tune
  verify "damaged-$i-repaired-words" silent 'ignored\|tuned'
done
printf nonsense > "$cache"
check damaged-unread 0 run_small
verify damaged-unread-words silent 'ignored'

# entries NUMBER: a cache of so many.
entries() {
  awk -v n="$1" -v rest="$rest" 'BEGIN {
    print "{\"format\": 1, \"entries\": ["
    for (i = 1; i <= n; i++)
      printf "{\"key\": \"k%d\", \"row_vectors\": 1, \"rows\": 0, %s}%s\n", i, rest,
             i < n ? "," : "]}"
  }'
}
entries 256 > "$cache"
check full 0 run_small --tune
verify full-known silent 'ignored'
verify full-bounded [ "$(grep -c '"key"' "$cache")" = 256 ]
verify full-drops-the-oldest [ "$(grep -c '"k1"' "$cache")" = 0 ]
entries 257 > "$cache"
check too-many 0 run_small --tune
verify too-many-words says 'ignored: it is damaged'
{ entries 1 && head -c 300000 /dev/zero | tr '\0' ' '; } > "$cache"
check too-long 0 run_small --tune
verify too-long-words says 'ignored: it is damaged'

rm "$cache"
echo precious > precious
ln -s "$scratch/precious" "$cache"
check link 0 run_small --tune
verify link-words says 'ignored: it is no ordinary file'
verify link-untouched [ "$(cat precious)" = precious ]
verify link-stays [ -L "$cache" ]
rm "$cache"
mkfifo "$cache"
check pipe 0 run_small --tune
verify pipe-words says 'ignored: it is no ordinary file'
rm -rf "$XDG_CACHE_HOME/gruc"
mkdir elsewhere
ln -s "$scratch/elsewhere" "$XDG_CACHE_HOME/gruc"
check folder-link 0 run_small --tune
verify folder-link-words says 'ignored: Not a directory\|ignored: Too many'
verify folder-link-untouched [ -z "$(ls elsewhere)" ]
rm -rf "$XDG_CACHE_HOME"
echo file > "$XDG_CACHE_HOME"
check unwritable 0 run_small --tune
verify unwritable-words says 'ignored: Not a directory'
rm "$XDG_CACHE_HOME"
export XDG_CACHE_HOME="$scratch/missing/cache"
check no-place 0 run_small --tune
verify no-place-words says 'the choice is not kept: .*No such file'
unset XDG_CACHE_HOME
mkdir "$HOME"
check home 0 run_small --tune
verify home-written [ -f "$HOME/.cache/gruc/tune.json" ]
export HOME=relative
check no-home 0 run_small --tune
verify no-home-words says 'is ignored: neither XDG_CACHE_HOME nor HOME'
if [ "$(id -u)" = 0 ]; then
  export XDG_CACHE_HOME="$scratch/cache"
  mkdir -p "$XDG_CACHE_HOME/gruc"
  echo '{"format": 1, "entries": []}' > "$cache"
  chown 12345 "$cache"
  check foreign 0 run_small --tune
  verify foreign-words says 'is ignored: it belongs to another user'
  verify foreign-untouched [ "$(wc -l < "$cache")" = 1 ]
else
  echo "skip tune/foreign: only root can make a file of another user"
fi
exit $failed
