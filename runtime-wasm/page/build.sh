#!/usr/bin/env bash
# Builds the page into dist/: the machines to WebAssembly, their bindings, and the bundle; any static server can serve it.
#
#   ./build.sh          everything
#   ./build.sh --page   the page only, with the machines as they were built before
#
# Needs node 20 or newer and what ../build-wasm.sh needs: a Rust toolchain with the target wasm32-unknown-unknown
# (`rustup target add wasm32-unknown-unknown`) or Debian's own. esbuild, the TypeScript compiler and the letters come from
# npm at the versions of package-lock.json.
set -eu
cd "$(dirname "$0")"

[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund
[ "${1:-}" = --page ] || bash ../build-wasm.sh pkg
npx tsc --noEmit
node build.mjs
