//! The cryptography of SMP and NTF over RustCrypto and dalek crates.
//!
//! Everything here is deterministic and works on bytes that the caller owns: boxes are sealed and opened
//! in place, so a 16 KiB block is never copied. Secrets are wiped on drop and compared in constant time;
//! nothing panics on a peer's bytes. The module knows no message of either protocol: what is signed,
//! boxed or hashed is decided in [`crate::wire`] and [`crate::link`].
//!
//! Read [`keys`] first, then [`boxed`] and [`auth`]; [`cert`] stands alone and serves the handshakes.

pub mod auth;
pub mod boxed;
pub mod cert;
pub mod chain;
#[cfg(feature = "push")]
pub mod es256;
pub(crate) mod kdf;
pub mod keys;
pub mod names;
pub mod pad;
pub mod sha;
pub(crate) mod work;

#[cfg(test)]
mod examples;
