//! `ntf push`: the push server as a process of its own.

use ntf_core::model::server::Protocol;
use ntf_core::push::Push;
use ntf_core::relay::push_end::{Config, PushEnd};
use ntf_core::wire::text::base64;

use crate::clock::Clock;
use crate::metrics::Sources;
use crate::program::announce::{announce_with, bind_failure, randomness};
use crate::program::apple::{Apple, check_test_endpoint};
use crate::program::cli;
use crate::program::config::{keys, load, sealing_key};
use crate::program::counted;
use crate::program::failure::Failure;
use crate::program::hardening::keep_memory_private;
use crate::program::signals::stop_asked;
use crate::program::tally::{push_end_tally, push_tally};
use crate::relay::run_push_server;

/// Runs until SIGINT or SIGTERM.
///
/// # Errors
///
/// When the configuration has faults, memory must be locked and cannot be, a file cannot be used, or the
/// address cannot be bound.
pub async fn run(options: cli::WithConfig) -> Result<(), Failure> {
    let file = load(&options.config, keys::push)?;
    keep_memory_private(file.place.lock_memory)?;
    let identity = file.place.identity(Protocol::Relay)?;
    let mut apple = Apple::of(&file.apple)?;
    file.push.apply(&mut apple.push);
    let mut config = Config::new(file.subscribers);
    config.keys = file.sealing_keys.iter().map(|file| sealing_key(file)).collect::<Result<_, _>>()?;
    if config.subscribers.is_empty() {
        eprintln!(
            "No [[subscribers]] in {}: nobody will be served until there is one.",
            options.config.display()
        );
    }
    let sealing = config.keys.first().map(|key| base64::encode(key.public().as_bytes()));

    let clock = Clock::start();
    let providers = apple.providers()?;
    let stop = stop_asked()?;
    let listen = file.place.listen;
    let push = Push::new(apple.push, randomness()?, clock.now());
    let end = PushEnd::new(config, clock.now());
    let tls = identity.endpoint(Protocol::Relay)?;
    let side = run_push_server(push, end, clock, listen, tls, providers.clone())
        .await
        .map_err(|error| bind_failure("address in [listen]", listen, &error))?;
    let address = file.place.address(&identity, side.end.address().unwrap_or(listen))?;
    let sources = Sources::default()
        .with_role("push", side.push.mailbox())
        .with_role("push_end", side.end.mailbox())
        .with_connections(providers.clone());
    let metrics = counted::show(file.metrics, "address in [metrics]", sources).await?;
    let sealing: Vec<_> = sealing.into_iter().map(|key| ("sealing_key", key)).collect();
    announce_with(Protocol::Relay, &address, options.json, &sealing)?;
    check_test_endpoint(&file.apple, providers);

    let signal = stop.await;
    eprintln!("{signal}: taking no further orders; waiting for those in hand.");
    drop(metrics);
    let (push, end) = side.stop(file.place.drain).await;
    if let (Some(push), Some(end)) = (push, end) {
        eprintln!("{}", push_end_tally(&end.counters().orders));
        eprintln!("{}", push_tally(&push.counters()));
    }
    Ok(())
}
