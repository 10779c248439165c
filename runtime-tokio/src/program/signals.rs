//! SIGINT and SIGTERM.

use std::future::Future;

use crate::program::failure::Failure;
use crate::rt::stop_signal;

/// Installs the handlers at once; the future completes at the first SIGINT or SIGTERM and gives its name.
///
/// # Errors
///
/// When the system refuses to install a handler.
pub(crate) fn stop_asked() -> Result<impl Future<Output = &'static str>, Failure> {
    stop_signal().map_err(|error| Failure::failed(format!("Cannot listen for SIGINT and SIGTERM: {error}.")))
}
