# Sourced from the root of the workspace: how Rust is built for wasm32 here.
#
# $wasm_cargo and $wasm_flags are the cargo to use and its flags. Two toolchains in one target directory would recompile
# each other's work, so this one has its own.
export CARGO_INCREMENTAL=0 CARGO_TARGET_DIR=$PWD/target/wasm
# Vectors, which browsers have had since 2021 (Chrome 91, Firefox 89) and 2023 (Safari 16.4).
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="-C target-feature=+simd128"
if rustup target list --installed 2>/dev/null | grep -qx wasm32-unknown-unknown; then
  wasm_cargo=cargo
  wasm_flags=(--target wasm32-unknown-unknown)
else
  # Debian: rustc-web cargo-web rust-web-src lld-19 clang-19 llvm-19
  export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc RUSTC_BOOTSTRAP=1
  export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=wasm-ld-19
  export CC_wasm32_unknown_unknown=clang-19 AR_wasm32_unknown_unknown=llvm-ar-19
  wasm_cargo=/usr/bin/cargo
  wasm_flags=(-Zbuild-std=std,panic_abort --target wasm32-unknown-unknown)
fi

# wasm-bindgen and its test runner, of the version in Cargo.lock: another one refuses the file.
install_tools() {
  export PATH=$PWD/target/tools/bin:$PATH
  local version
  version=$(grep -A1 '^name = "wasm-bindgen"$' Cargo.lock | sed -n 's/^version = "\(.*\)"/\1/p')
  [ "$(wasm-bindgen --version 2>/dev/null)" = "wasm-bindgen $version" ] ||
    env -u CARGO_TARGET_DIR -u RUSTC -u RUSTDOC -u RUSTC_BOOTSTRAP cargo install wasm-bindgen-cli --version "$version" --root target/tools
}
