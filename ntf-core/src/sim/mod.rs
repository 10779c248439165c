//! Several machines in one process, in virtual time, without sockets: for tests, demonstrations and the
//! search for faults nobody thought of.
//!
//! [`world`] is where to begin: it drives the real machines of all roles over links in memory. The
//! provider alone is simulated ([`provider`]). Everything comes from one seed, so every run can be had
//! again.

mod carry;
pub mod days;
mod devices;
pub mod fault;
mod file;
mod fold;
pub mod identity;
mod laws;
mod net;
mod node;
pub mod oracle;
mod passing;
pub mod provider;
pub mod recording;
pub mod relay;
pub mod run;
pub mod scenario;
pub mod sight;
pub mod stage;
pub mod stranger;
mod town;
pub mod trace;
pub mod world;

pub use days::{Day, DayReport, Ground};
pub use fault::{Fault, Weather};
pub use file::RecordingError;
pub use net::Latency;
pub use node::Alerts;
pub use oracle::{EXCUSES, Excuse, Law, Violation};
pub use provider::Provider;
pub use recording::Recording;
pub use run::{Phase, Report, Run};
pub use scenario::{Deed, Entry, Scenario, Size, Town};
pub use stranger::{Heard, Reading, Stranger};
pub use trace::TraceHash;
pub use world::{Config, NodeId, World};
