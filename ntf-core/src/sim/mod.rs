//! Several machines in one process, in virtual time, without sockets: for tests, demonstrations and the
//! search for faults nobody thought of.
//!
//! [`world`] is where to begin: it drives the real machines of all roles over links in memory. The
//! provider alone is simulated ([`provider`]). Everything comes from one seed, so every run can be had
//! again.

mod carry;
pub mod fault;
pub mod identity;
mod net;
mod node;
pub mod provider;
pub mod trace;
pub mod world;

pub use fault::{Fault, Weather};
pub use net::Latency;
pub use provider::Provider;
pub use trace::TraceHash;
pub use world::{Config, NodeId, World};
