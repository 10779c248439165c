#!/usr/bin/env bash
# Measures the adapters on this machine, one after the other, and writes the table of docs/RUNTIMES.md anew.
#
#   docs/runtimes.sh [MESSAGES]
#
# Needs what a build needs, and nothing else to run meanwhile: the figures are of one run.
set -eu
cd "$(dirname "$0")/.."
export CARGO_TERM_COLOR=never
messages=${1:-5000}
target=${CARGO_TARGET_DIR:-target}/release

cargo build --release --quiet -p ntf-runtime-tokio --bins --examples
cargo build --release --quiet -p ntf-runtime-smol --bins --examples
# A folder of its own keeps the smol programs free of what the feature brings along.
cargo build --release --quiet -p ntf-runtime-smol --features async-std --examples --target-dir "$target/../async-std"
with_async_std=$target/../async-std/release/examples

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Crates below an adapter, its own and the core included.
crates() {
  cargo tree -e normal --prefix none "$@" | sed 's/ (.*//' | sort -u | wc -l
}

size() {
  strip -o "$work/stripped" "$1"
  awk -v bytes="$(stat -c %s "$work/stripped")" 'BEGIN { printf "%.1f MB", bytes / 1e6 }'
}

# Starts a server that nobody talks to; its memory in KiB and the names of its threads, once it listens.
idle() {
  "$1" >"$work/idle" &
  local pid=$!
  timeout 30 bash -c 'until grep -q "^ntf://" "$0"; do read -rt 0.05 <> <(:) || :; done' "$work/idle"
  local memory threads
  memory=$(awk '/^VmRSS/ { printf "%.1f MB", $2 / 1000 }' "/proc/$pid/status")
  threads=$(cat "/proc/$pid"/task/*/comm | sed "s/^$(basename "$1" | cut -c1-15)\$/main/" | sort | uniq -c |
    awk '{ count = $1; $1 = ""; printf "%s%s%s", sep, (count > 1 ? count " ×" : ""), $0; sep = ", " }' | sed 's/^ //; s/,  /, /g')
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

row() {
  echo "| $1 | $2 | $3 | $4 |"
}

IFS='|' read -r memory_tokio threads_tokio <<<"$(idle "$target/examples/subscriber")"
cp "$target/examples/subscriber" "$work/tokio"
cargo build --release --quiet -p ntf-runtime-smol --example subscriber
IFS='|' read -r memory_smol threads_smol <<<"$(idle "$target/examples/subscriber")"
IFS='|' read -r memory_std threads_std <<<"$(idle "$with_async_std/subscriber_on_async_std")"
IFS='|' read -r rate_tokio cpu_tokio <<<"$(carry "$target/ntf" demo)"
IFS='|' read -r rate_smol cpu_smol <<<"$(carry "$target/ntf-smol" demo)"
IFS='|' read -r rate_std cpu_std <<<"$(carry "$with_async_std/demo_on_async_std" demo)"
{
  row "" tokio smol async-std
  row --- --- --- ---
  row "crates below the adapter" "$(crates -p ntf-runtime-tokio)" "$(crates -p ntf-runtime-smol)" \
    "$(crates -p ntf-runtime-smol --features async-std)"
  row "example \`subscriber\`, stripped" "$(size "$work/tokio")" "$(size "$target/examples/subscriber")" \
    "$(size "$with_async_std/subscriber_on_async_std")"
  row "its memory while idle (resident)" "$memory_tokio" "$memory_smol" "$memory_std"
  row "its threads while idle" "$threads_tokio" "$threads_smol" "$threads_std"
  row "messages a second in the demonstration" "$rate_tokio" "$rate_smol" "$rate_std"
  row "processor time for each" "$cpu_tokio" "$cpu_smol" "$cpu_std"
} >"$work/table"

awk -v table="$work/table" '
  /<!-- measured -->/ { print; print ""; while ((getline line < table) > 0) print line; print ""; skip = 1 }
  /<!-- \/measured -->/ { skip = 0 }
  !skip && !/<!-- measured -->/ { print }
' docs/RUNTIMES.md >"$work/doc"
cat "$work/doc" >docs/RUNTIMES.md
cat "$work/table"
