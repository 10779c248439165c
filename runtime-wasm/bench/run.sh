#!/usr/bin/env bash
# Steps of the world for each second in which a processor ran the thread that plays, of the same run natively and in V8, the
# engine of Chromium and node; and their ratio. Both are the best of five runs in turn: whatever else the machine does only
# slows them down. By the clock V8 is slower beside other work, since it compiles in threads of its own. Needs node and jq.
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
runs=$(set -e; for _ in 1 2 3 4 5; do
  cargo run -q --release -p ntf-core --features sim,std --example stage_speed "$hours"
  node runtime-wasm/bench/speed.mjs "$pkg" "$hours"
done)
jq -rs '
  if map(.hash) | unique | length > 1 then error("the runs differ") else . end |
  def best(from; time): [.[range(from; length; 2)] | .steps / time] | max;
  def ratio(time): best(1; time) / best(0; time) * 100 | round / 100;
  "\(.[0].steps) steps: native \(best(0; .busy) | floor) a second, WebAssembly \(best(1; .busy) | floor) a second, ratio \(ratio(.busy)); by the clock \(ratio(.seconds))"' <<<"$runs"
