//! The grounds of the smol adapter.

use ntf_runtime_smol as adapter;

#[path = "sockets.rs"]
mod sockets;

pub(crate) use sockets::Sockets;

/// On an executor of the adapter's own, as its program has it.
pub(crate) fn start(threads: usize) -> Sockets {
    Sockets::start(
        move |work| adapter::rt::run(threads, work).expect("threads"),
        || {
            assert_no_tokio();
            assert!(async_std::task::try_current().is_none(), "tasks do not run on async-std");
        },
    )
}

/// On smol's global executor, as an application on smol has it.
pub(crate) fn start_on_global() -> Sockets {
    Sockets::start(smol::block_on, assert_no_tokio)
}

/// On async-std.
pub(crate) fn start_on_async_std() -> Sockets {
    Sockets::start(async_std::task::block_on, || {
        assert_no_tokio();
        assert!(async_std::task::try_current().is_some(), "tasks run on async-std");
    })
}

fn assert_no_tokio() {
    assert!(tokio::runtime::Handle::try_current().is_err(), "no tokio runtime is around");
}
