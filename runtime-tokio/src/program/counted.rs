//! The page of numbers, where an operator wants one.

use std::net::SocketAddr;

use crate::metrics::Sources;
use crate::metrics::server::MetricsServer;
use crate::program::announce::bind_failure;
use crate::program::failure::Failure;

/// Shows what these count, until it is dropped; nothing without an address. `option` is where the address comes
/// from.
///
/// # Errors
///
/// When the address cannot be bound.
pub(crate) async fn show(
    address: Option<SocketAddr>,
    option: &str,
    sources: Sources,
) -> Result<Option<MetricsServer>, Failure> {
    let Some(address) = address else { return Ok(None) };
    let server = MetricsServer::start(address, sources)
        .await
        .map_err(|error| bind_failure(option, address, &error))?;
    eprintln!("Metrics at {}.", server.url());
    Ok(Some(server))
}
