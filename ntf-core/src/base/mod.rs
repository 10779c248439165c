//! What every layer needs and no protocol owns: time, ids, secrets, seeded randomness, bounds.
//!
//! Knows no bytes of any protocol. Read [`time`] first.

pub mod backoff;
pub mod bounded;
pub mod budget;
pub mod fault;
pub mod hash;
pub mod id;
pub mod limits;
pub(crate) mod list;
pub mod meter;
pub(crate) mod mutant;
pub mod outbox;
pub mod reach;
pub mod rng;
pub mod secret;
pub mod slab;
pub mod source;
pub mod time;
pub mod timers;
