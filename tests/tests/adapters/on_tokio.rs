//! The ground of the tokio adapter.

use ntf_runtime_tokio as adapter;

#[path = "sockets.rs"]
mod sockets;

pub(crate) use sockets::Sockets;

pub(crate) fn start(threads: usize) -> Sockets {
    Sockets::start(
        move |work| adapter::rt::run(threads, work).expect("threads"),
        || assert!(tokio::runtime::Handle::try_current().is_ok(), "tasks run on tokio"),
    )
}
