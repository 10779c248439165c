#!/usr/bin/env bash
# Steps of the world a second, of the same run natively and in V8, the engine of Chromium and node; and their ratio. Needs
# node and jq.
#
#   runtime-wasm/bench/run.sh [PKG [HOURS]]     PKG: a package of build-wasm.sh; without it, one is built
set -eu
cd "$(dirname "$0")/../.."
pkg=${1:-}
hours=${2:-8}
if [ -z "$pkg" ]; then
  pkg=target/wasm/pkg
  bash runtime-wasm/build-wasm.sh "$pkg" >/dev/null
fi
native=$(cargo run -q --release -p ntf-core --features sim,std --example stage_speed "$hours")
page=$(node runtime-wasm/bench/speed.mjs "$pkg" "$hours")
jq -rn --argjson native "$native" --argjson page "$page" '
  if $native.hash != $page.hash then error("the runs differ") else . end |
  ($native.steps / $native.seconds) as $n | ($page.steps / $page.seconds) as $p |
  "\($native.steps) steps: native \($n | floor) a second, WebAssembly \($p | floor) a second, ratio \($p / $n * 100 | round / 100)"'
