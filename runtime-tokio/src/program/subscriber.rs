//! `ntf subscriber`: the subscriber as a process of its own.

use ntf_core::model::server::Protocol;
use ntf_core::relay::subscriber_end::{Config, SubscriberEnd};
use ntf_core::subscriber::Subscriber;

use crate::clock::Clock;
use crate::metrics::Sources;
use crate::program::announce::{announce, bind_failure, randomness};
use crate::program::cli;
use crate::program::config::{keys, load};
use crate::program::counted;
use crate::program::failure::Failure;
use crate::program::hardening::keep_memory_private;
use crate::program::signals::stop_asked;
use crate::program::tally::{end_tally, tally};
use crate::relay::run_subscriber;

/// Runs until SIGINT or SIGTERM.
///
/// # Errors
///
/// When the configuration has faults, memory must be locked and cannot be, a file cannot be used, or the
/// address cannot be bound.
pub async fn run(options: cli::WithConfig) -> Result<(), Failure> {
    let file = load(&options.config, keys::subscriber)?;
    keep_memory_private(file.place.lock_memory)?;
    let identity = file.place.identity(Protocol::Ntf)?;
    let Some(push_server) = file.push_server else {
        return Err(Failure::failed(format!("{} names no push server.", options.config.display())));
    };
    let clock = Clock::start();
    let end = Config::new(push_server, identity.credentials());
    let end = SubscriberEnd::new(end, &randomness()?, clock.now());
    let role = Subscriber::new(file.subscriber.config(identity.credentials()), randomness()?, clock.now());
    let stop = stop_asked()?;
    let listen = file.place.listen;
    let side = run_subscriber(role, end, clock, listen, identity.endpoint(Protocol::Ntf)?, |_| {})
        .await
        .map_err(|error| bind_failure("address in [listen]", listen, &error))?;
    let address = file.place.address(&identity, side.subscriber.address().unwrap_or(listen))?;
    let sources = Sources::default()
        .with_role("subscriber", side.subscriber.mailbox())
        .with_role("subscriber_end", side.end.mailbox());
    let metrics = counted::show(file.metrics, "address in [metrics]", sources).await?;
    announce(Protocol::Ntf, &address, options.json)?;

    let signal = stop.await;
    eprintln!(
        "{signal}: closing connections, then waiting for pushes under way; tokens and subscriptions were in memory only and are forgotten."
    );
    drop(metrics);
    let (subscriber, end) = side.stop(file.place.drain).await;
    if let (Some(subscriber), Some(end)) = (subscriber, end) {
        eprintln!("{}", tally(&subscriber.counters()));
        eprintln!("{}", end_tally(&end.counters()));
    }
    Ok(())
}
