//! The grounds of the smol adapter.

use ntf_runtime_smol as adapter;

use crate::apart::{PushPlan, PushProcess};

#[path = "push_server.rs"]
mod push_server;
#[path = "sockets.rs"]
mod sockets;

pub(crate) use push_server::push_server;
pub(crate) use sockets::{Sockets, Where};

/// On an executor of the adapter's own, as its program has it.
pub(crate) fn start(threads: usize) -> Sockets {
    Sockets::start(
        move |work| adapter::rt::run(threads, work).expect("threads"),
        || {
            assert_no_tokio();
            assert!(async_std::task::try_current().is_none(), "tasks do not run on async-std");
        },
        Where::Here,
    )
}

/// On smol's global executor, as an application on smol has it.
pub(crate) fn start_on_global() -> Sockets {
    Sockets::start(smol::block_on, assert_no_tokio, Where::Here)
}

/// On async-std.
pub(crate) fn start_on_async_std() -> Sockets {
    let probe = || {
        assert_no_tokio();
        assert!(async_std::task::try_current().is_some(), "tasks run on async-std");
    };
    Sockets::start(async_std::task::block_on, probe, Where::Here)
}

/// With a subscriber whose push server is elsewhere.
pub(crate) fn start_apart(push_server: fn(PushPlan) -> PushProcess) -> Sockets {
    let enter = |work| adapter::rt::run(1, work).expect("threads");
    Sockets::start(enter, assert_no_tokio, Where::Apart(push_server))
}

/// With a notification server on so many threads of its own.
pub(crate) fn start_sharded(shards: u8, probe: fn()) -> Sockets {
    let enter = |work| adapter::rt::run(1, work).expect("threads");
    Sockets::start(enter, probe, Where::Threads(shards))
}

pub(crate) fn assert_no_tokio() {
    assert!(tokio::runtime::Handle::try_current().is_err(), "no tokio runtime is around");
}
