//! SMP above the codec: the client engine, and a small queue server.

pub mod client;
#[cfg(feature = "smp-server")]
pub mod server;
