#!/usr/bin/env bash
# Builds the bindings and their package for a web page into a folder (default: pkg).
#
#   runtime-wasm/build-wasm.sh [DIR]
#
# Takes the target that rustup has, or else Debian's own Rust, see wasm-env.sh. The tool that makes the package is
# installed into target/tools where it is not of the version in Cargo.lock.
set -eu
out=$(realpath -m "${1:-pkg}")
cd "$(dirname "$0")/.."
. runtime-wasm/wasm-env.sh
install_tools
# The module alone: with an rlib beside it, cargo would not optimise across crates.
"$wasm_cargo" rustc "${wasm_flags[@]}" --profile wasm -p ntf-runtime-wasm --lib --crate-type cdylib
wasm-bindgen --target web --remove-name-section --remove-producers-section --out-dir "$out" "$CARGO_TARGET_DIR/wasm32-unknown-unknown/wasm/ntf_runtime_wasm.wasm"
wasm="$out/ntf_runtime_wasm_bg.wasm"
printf '%s: %d bytes, %d with gzip -9\n' "${wasm##*/}" "$(wc -c <"$wasm")" "$(gzip -9 -c "$wasm" | wc -c)"
