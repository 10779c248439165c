//! SIGINT and SIGTERM.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};

use crate::program::failure::Failure;

/// Installs the handlers at once; the future completes at the first SIGINT or SIGTERM and gives its name.
///
/// # Errors
///
/// When the system refuses to install a handler.
pub(crate) fn stop_asked() -> Result<impl Future<Output = &'static str>, Failure> {
    let refused = |error| Failure::failed(format!("Cannot listen for SIGINT and SIGTERM: {error}."));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(refused)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(refused)?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        }
    })
}
