#!/usr/bin/env bash
# Builds the page into dist/: the machines to WebAssembly, the bindings, and the bundle. Needs node 20 or newer and what
# ../build-wasm.sh says it needs; everything else comes from npm, as package-lock.json names it.
#
#   ./build.sh          everything
#   ./build.sh --page   the page only, with the machines as they were built before
set -eu
cd "$(dirname "$0")"
[ "${1:-}" = --page ] || bash ../build-wasm.sh pkg
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund
npx tsc --noEmit
node build.mjs
