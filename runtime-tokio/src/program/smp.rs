//! `ntf smp`: a small SMP server.

use std::time::Duration;

use ntf_core::model::server::Protocol;
use ntf_core::smp::server::{Config, Server};
use ntf_core::wire::version::{SmpVersion, VersionRange};

use crate::clock::Clock;
use crate::program::announce::{announce, bind_failure, identity, randomness};
use crate::program::cli;
use crate::program::config::keys::{self, SmpFile};
use crate::program::config::{defaults, load};
use crate::program::failure::Failure;
use crate::program::signals::stop_asked;
use crate::service::run_smp_server;

/// Runs until SIGINT or SIGTERM.
///
/// # Errors
///
/// When the identity cannot be read or made, or the address cannot be bound.
pub async fn run(options: cli::Smp) -> Result<(), Failure> {
    let mut file = match &options.config {
        Some(file) => load(file, keys::smp)?,
        None => SmpFile { place: defaults(keys::smp).place.on_loopback(5223), ..defaults(keys::smp) },
    };
    file.place.set(options.listen, options.identity.host.as_deref());
    let listen = file.place.listen;
    let identity = identity(&options.identity, &file.place, options.config.is_some(), Protocol::Smp)?;
    let clock = Clock::start();
    let config = Config {
        nmsg_round: options.round_ms.map_or(file.round, Duration::from_millis),
        versions: VersionRange::new(SmpVersion::MIN, SmpVersion(options.version_max))
            .unwrap_or(VersionRange::SMP),
        ..Config::new(identity.credentials())
    };
    let role = Server::new(config, randomness()?, clock.now());
    let stop = stop_asked()?;
    let server = run_smp_server(role, clock, listen, identity.endpoint(Protocol::Smp)?)
        .await
        .map_err(|error| bind_failure("--listen", listen, &error))?;
    let address = file.place.address(&identity, server.address().unwrap_or(listen))?;
    announce(Protocol::Smp, &address, options.json)?;
    let signal = stop.await;
    eprintln!("{signal}: closing connections; queues and messages were in memory only and are gone.");
    server.stop().await;
    Ok(())
}
