//! The one codec: every byte of SMP and NTF, both directions, every version.
//!
//! Servers, clients and tests use the same `decode` and `encode`. Decoding borrows from the block and
//! allocates for lists only; encoding appends to the caller's buffer. What a peer sends wrongly comes back
//! as a [`PeerFault`](crate::base::fault::PeerFault) that names the field; nothing here panics on it.
//! The codec does not know connections, keys in use or the meaning of what it carries.
//!
//! From the outside in: [`block`] holds a [`batch`] of [`transmission`]s, each of which holds a command or
//! an answer of [`smp`] or [`ntf`]. Before those go the greetings of [`hello`]. [`cursor`] reads and
//! writes the primitives of them all, [`text`] what is written for people, [`payload`] what travels
//! encrypted inside.
//!
//! Grammar in these pages: `"X"` is ASCII, `SP` one space, `short(b)` a length byte and bytes, `large(b)`
//! a two-byte length and bytes, `maybe(x)` is `"0"` or `"1"` and x, `key(k)` is `short` of the key's DER.
//! Integers are big-endian.

pub mod batch;
pub mod block;
pub mod cursor;
pub mod error_code;
pub mod hello;
pub mod ntf;
mod params;
pub mod payload;
pub mod server;
pub mod smp;
pub mod text;
pub mod transmission;
pub mod version;

#[cfg(test)]
mod tests;
