//! The grounds of the tokio adapter.

use ntf_runtime_tokio as adapter;

use crate::apart::{PushPlan, PushProcess};

#[path = "push_server.rs"]
mod push_server;
#[path = "sockets.rs"]
mod sockets;

pub(crate) use push_server::push_server;
pub(crate) use sockets::{Sockets, Where};

pub(crate) fn start(threads: usize) -> Sockets {
    start_at(threads, Where::Here, || {
        assert!(tokio::runtime::Handle::try_current().is_ok(), "tasks run on tokio");
    })
}

/// With a subscriber whose push server is elsewhere.
pub(crate) fn start_apart(push_server: fn(PushPlan) -> PushProcess) -> Sockets {
    start_at(1, Where::Apart(push_server), || {})
}

/// With a notification server on so many threads of its own.
pub(crate) fn start_sharded(shards: u8, probe: fn()) -> Sockets {
    start_at(1, Where::Threads(shards), probe)
}

fn start_at(threads: usize, place: Where, probe: fn()) -> Sockets {
    Sockets::start(move |work| adapter::rt::run(threads, work).expect("threads"), probe, place)
}
