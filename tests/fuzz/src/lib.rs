//! What each fuzz target checks, as plain functions of the fuzzer's bytes.
//!
//! Nothing may panic, loop or read beyond its input; that the fuzzer finds by itself. What it cannot know
//! stands here: what decodes must encode to the same bytes, or to the form that the grammar allows; what
//! one side seals the other must open; every request is answered once; every machine keeps its laws.
//!
//! The first bytes of an input choose a version, a kind or a state, so that seeds stay valid whichever
//! target grows. `examples/seeds.rs` makes the first inputs from the vectors of the reference.

mod link_client;
mod link_server;
mod messages;
mod peer;
mod relay;
mod script;
mod smp_server;
mod subscriber;
mod text;
mod transport;

pub use link_client::link_client;
pub use link_server::link_server;
pub use messages::{ntf_command, ntf_response, smp_command, smp_response};
pub use relay::relay_frame;
pub use smp_server::smp_server;
pub use subscriber::subscriber;
pub use text::{address, payload};
pub use transport::{block, handshake};

/// First inputs of the targets that follow a script, each with its target.
pub fn scripts() -> Vec<(&'static str, Vec<u8>)> {
    let of = |target, scripts: Vec<Vec<u8>>| scripts.into_iter().map(move |script| (target, script));
    of("link_client", link_client::scripts().collect())
        .chain(of("relay_frame", relay::scripts().collect()))
        .chain(of("smp_server", smp_server::scripts().collect()))
        .chain(of("subscriber", subscriber::scripts().collect()))
        .chain(of("link_server", link_server::scripts().collect()))
        .collect()
}
