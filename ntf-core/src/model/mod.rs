//! The nouns of the system, as values: no bytes of a wire, no behaviour over time.
//!
//! What two roles exchange is defined here, so that roles need not import each other.

pub mod cron;
pub mod index;
pub mod knowledge;
pub mod notification;
pub mod push;
pub mod server;
pub mod shard;
pub mod subscription;
pub mod token;
