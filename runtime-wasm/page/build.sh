#!/usr/bin/env bash
# Builds the page into dist/: the machines to WebAssembly, their bindings, and the bundle; any static server can serve it.
#
#   ./build.sh          everything
#   ./build.sh --page   the page only, with the machines as they were built before
#
# Needs node 20 or newer, and a Rust toolchain with the target wasm32-unknown-unknown (`rustup target add
# wasm32-unknown-unknown`). Where rustup's server cannot be reached, Debian's own Rust does:
#   apt-get install --no-install-recommends rustc-web cargo-web rust-web-src lld-19 clang-19 llvm-19
# wasm-bindgen's program is built once into target/tools, at the version of Cargo.lock. esbuild, the TypeScript compiler
# and wasm-opt come from npm at the versions of package-lock.json.
set -eu
cd "$(dirname "$0")"
root=$(cd ../.. && pwd)
export CARGO_INCREMENTAL=0

machines() {
  local out=$root/target/wasm/wasm32-unknown-unknown/release/ntf_runtime_wasm.wasm
  if rustup target list --installed 2>/dev/null | grep -qx wasm32-unknown-unknown; then
    (cd "$root" && cargo build --profile release -p ntf-runtime-wasm --target wasm32-unknown-unknown --target-dir target/wasm)
  else
    (
      export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc RUSTC_BOOTSTRAP=1
      export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-19
      export CC_wasm32_unknown_unknown=clang-19 AR_wasm32_unknown_unknown=llvm-ar-19
      cd "$root" && /usr/bin/cargo build -Zbuild-std=std,panic_abort --target wasm32-unknown-unknown --release \
        -p ntf-runtime-wasm --target-dir target/wasm
    )
  fi
  local version
  version=$(sed -n '/^name = "wasm-bindgen"$/{n;s/version = "\(.*\)"/\1/p}' "$root/Cargo.lock")
  local bindgen=$root/target/tools/bin/wasm-bindgen
  if [ "$("$bindgen" --version 2>/dev/null)" != "wasm-bindgen $version" ]; then
    (cd "$root" && cargo install wasm-bindgen-cli --version "$version" --root target/tools --target-dir target/tools/build)
    rm -rf "$root/target/tools/build"
  fi
  rm -rf pkg
  "$bindgen" "$out" --target web --out-dir pkg --out-name ntf_runtime_wasm
}

[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund
[ "${1:-}" = --page ] || machines
npx tsc --noEmit
node build.mjs
