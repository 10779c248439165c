#!/usr/bin/env bash
# Measures the adapters on this machine, one after the other, and writes the table of docs/RUNTIMES.md anew.
#
#   docs/runtimes.sh [MESSAGES [NOTIFICATIONS]]
#
# MESSAGES go through the demonstration, NOTIFICATIONS through `bench sockets` on one shard and on two.
# Needs what a build needs, and nothing else to run meanwhile: the figures are of one run.
set -eu
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never
messages=${1:-5000}
notifications=${2:-30000}
target=${CARGO_TARGET_DIR:-target}/release

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Each is built by itself, so that none has what another asks for, and put aside.
build() {
  local name=$1 demo=$2 subscriber=$3
  shift 3
  cargo build --release --quiet "$@"
  mkdir "$work/$name"
  cp "$target/$demo" "$work/$name/demo"
  cp "$target/examples/$subscriber" "$work/$name/subscriber"
}
build tokio ntf subscriber -p ntf-runtime-tokio --bins --example subscriber
build smol ntf-smol subscriber_on_smol -p ntf-runtime-smol --bins --example subscriber_on_smol
build async-std examples/demo_on_async_std subscriber_on_async_std -p ntf-runtime-smol --features async-std \
  --example demo_on_async_std --example subscriber_on_async_std

# Crates below an adapter, its own and the core included.
crates() {
  cargo tree -e normal --prefix none "$@" | sed 's/ (.*//' | sort -u | wc -l
}

size() {
  strip -o "$work/stripped" "$1"
  awk -v bytes="$(stat -c %s "$work/stripped")" 'BEGIN { printf "%.1f MB\n", bytes / 1e6 }'
}

# Starts a server that nobody talks to; its memory and the names of its threads, once it listens.
idle() {
  "$1" >"$work/idle" &
  local pid=$!
  timeout 30 bash -c 'until grep -q "^ntf://" "$0"; do read -rt 0.05 <> <(:) || :; done' "$work/idle"
  local memory threads
  memory=$(awk '/^VmRSS/ { printf "%.1f MB", $2 / 1000 }' "/proc/$pid/status")
  threads=$(cat "/proc/$pid"/task/*/comm | sed 's/^subscriber$/main/' | sort | uniq -c |
    awk '{ count = $1; sub(/^ *[0-9]+ /, ""); printf "%s%s%s", sep, (count > 1 ? count " x " : ""), $0; sep = ", " }')
  kill "$pid"
  wait "$pid" 2>/dev/null || true
  echo "$memory|$threads"
}

# The whole demonstration; messages a second, and processor time for each.
carry() {
  local TIMEFORMAT='%R %U %S'
  { time "$@" --messages "$messages" --devices 4 --round-ms 1 --json >"$work/demo" 2>/dev/null; } 2>"$work/time"
  grep -q '"lost":0' "$work/demo" || { echo "messages were lost by $*" >&2; exit 1; }
  awk -v messages="$messages" '{ printf "%.0f|%.2f ms\n", messages / $1, ($2 + $3) * 1000 / messages }' "$work/time"
}

# A server in a process of its own: rate and processor time at the most it takes, and times at half of that.
sockets() {
  "$1" bench sockets --threads "$2" --notifications "$notifications" --json 2>"$work/said" >"$work/sockets" ||
    { cat "$work/said" >&2; exit 1; }
  tail -n 1 "$work/sockets" | tr -d '{}"' | tr ',' '\n' | awk -F: '
    { of[$1] = $2 }
    END {
      printf "%.0f|%.0f µs, %.0f C|%.1f ms, %.1f ms\n", of["notifications_per_s"], of["cpu_us_per_notification"],
        of["c_per_notification"], of["p50_ms"], of["p99_ms"]
    }'
}

row() {
  echo "| $1 | $2 | $3 | $4 |"
}

for runtime in tokio smol async-std; do
  idle "$work/$runtime/subscriber" >"$work/$runtime/idle"
  carry "$work/$runtime/demo" demo >"$work/$runtime/carried"
  for shards in 1 2; do
    # Only demonstrated on async-std, which has no program.
    if [ "$runtime" = async-std ]; then
      echo '-|-|-'
    else
      sockets "$work/$runtime/demo" "$shards"
    fi >"$work/$runtime/sockets-$shards"
  done
done

# One field of what was noted of each runtime.
each() {
  local file=$1 field=$2 runtime
  for runtime in tokio smol async-std; do cut -d'|' -f"$field" "$work/$runtime/$file"; done
}
rows() {
  local what=$1 cells
  mapfile -t cells
  row "$what" "${cells[@]}"
}
{
  row "" tokio smol async-std
  row --- --- --- ---
  row "crates below the adapter" "$(crates -p ntf-runtime-tokio)" "$(crates -p ntf-runtime-smol)" \
    "$(crates -p ntf-runtime-smol --features async-std)"
  for runtime in tokio smol async-std; do size "$work/$runtime/subscriber"; done | rows "example \`subscriber\`, stripped"
  each idle 1 | rows "its memory while idle (resident)"
  each idle 2 | rows "its threads while idle"
  each carried 1 | rows "messages a second in the demonstration"
  each carried 2 | rows "processor time for each"
  for shards in 1 2; do
    each "sockets-$shards" 1 | rows "notifications a second from socket to socket, shards: $shards"
    each "sockets-$shards" 2 | rows "processor time of the server for each"
    each "sockets-$shards" 3 | rows "at half that rate, median and 99th percentile"
  done
} >"$work/table"

awk -v table="$work/table" '
  /<!-- measured -->/ { print; print ""; while ((getline line < table) > 0) print line; print ""; skip = 1 }
  /<!-- \/measured -->/ { skip = 0 }
  !skip && !/<!-- measured -->/ { print }
' docs/RUNTIMES.md >"$work/doc"
cat "$work/doc" >docs/RUNTIMES.md
cat "$work/table"
