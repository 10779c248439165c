//! `ntf smp`: a small SMP server.

use std::time::Duration;

use ntf_core::model::server::Protocol;
use ntf_core::smp::server::{Config, Server};
use ntf_core::wire::version::{SmpVersion, VersionRange};

use crate::clock::Clock;
use crate::program::announce::{announce, bind_failure, identity, randomness};
use crate::program::cli;
use crate::program::failure::Failure;
use crate::program::signals::stop_asked;
use crate::service::run_smp_server;

/// Runs until SIGINT or SIGTERM.
///
/// # Errors
///
/// When the identity cannot be read or made, or the address cannot be bound.
pub async fn run(options: cli::Smp) -> Result<(), Failure> {
    let identity = identity(&options.identity, Protocol::Smp)?;
    let clock = Clock::start();
    let config = Config {
        nmsg_round: Duration::from_millis(options.round_ms),
        versions: VersionRange::new(SmpVersion::MIN, SmpVersion(options.version_max))
            .unwrap_or(VersionRange::SMP),
        ..Config::new(identity.credentials())
    };
    let role = Server::new(config, randomness()?, clock.now());
    let stop = stop_asked()?;
    let server = run_smp_server(role, clock, options.listen, identity.endpoint(Protocol::Smp)?)
        .await
        .map_err(|error| bind_failure("--listen", options.listen, &error))?;
    let address = identity.address(&options.identity.host, server.address().unwrap_or(options.listen))?;
    announce(Protocol::Smp, &address, options.json)?;
    let signal = stop.await;
    eprintln!("{signal}: closing connections; queues and messages were in memory only and are gone.");
    server.stop().await;
    Ok(())
}
