//! Sans-IO state machines for SimpleX push notifications.
//!
//! The crate holds every decision of the system and performs none of its effects: time, a seed and
//! bytes come in through [`Machine::handle`], effects come out of [`Machine::poll`]. There is no clock,
//! socket, thread or ambient randomness in here, so the same seed and the same inputs give the same
//! effects, byte for byte. Adapters such as `ntf-runtime-tokio` own the sockets.
//!
//! Layers, each importing only those before it:
//! [`base`] ← [`model`] ← [`crypto`] ← [`wire`] ← [`link`] ← [`smp`] client, [`relay`] ← roles
//! (`subscriber`, `push`, `client`, `smp::server`) ← `sim`.
//! [`token`], [`subscription`] and [`delivery`] know neither bytes nor links.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(feature = "std", test, ntf_mutants, ntf_loom))]
extern crate std;

pub mod base;
pub mod crypto;
pub mod delivery;
pub mod link;
pub mod machine;
pub mod model;
pub mod relay;
pub mod smp;
pub mod subscription;
pub mod token;
pub mod wire;

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "host")]
pub mod host;
#[cfg(feature = "push")]
pub mod push;
#[cfg(feature = "sim")]
pub mod sim;
#[cfg(feature = "subscriber")]
pub mod subscriber;
#[cfg(feature = "tls")]
pub mod tls;

pub use base::time::{Deadline, Mono, Now, Wall};
pub use machine::{Machine, Step};
