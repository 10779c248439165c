//! `ntf server`: subscriber and push server in one process.

use std::future::{Future, pending};
use std::net::SocketAddr;
use std::{io, thread};

use futures_lite::future::or;
use ntf_core::base::reach::Reach;
use ntf_core::host::oneshot;
use ntf_core::model::server::Protocol;
use ntf_core::subscriber::Config;
use ntf_core::wire::version::{NtfVersion, VersionRange};

use crate::clock::Clock;
use crate::identity::write_new;
use crate::metrics::Sources;
use crate::metrics::server::MetricsServer;
use crate::program::announce::{announce_with, bind_failure, identity, sentence};
use crate::program::apple::{Apple, check_test_endpoint};
use crate::program::cli;
use crate::program::config::keys::{self, ServerFile};
use crate::program::config::{defaults, load};
use crate::program::counted;
use crate::program::failure::Failure;
use crate::program::hardening::keep_memory_private;
use crate::program::signals::stop_asked;
use crate::program::tally::{push_tally, tally};
use crate::shards::{Plan, Sharded, run_sharded_server};
use crate::standin::{StandInFault, Trial, TrialFault};

/// Runs until SIGINT or SIGTERM.
///
/// # Errors
///
/// When memory must be locked and cannot be, a file cannot be used, or an address cannot be bound.
pub async fn run(options: cli::Server) -> Result<(), Failure> {
    check_reach(&options)?;
    let file = settings(&options)?;
    keep_memory_private(file.place.lock_memory)?;
    let identity = identity(&options.identity, &file.place, options.config.is_some(), Protocol::Ntf)?;
    let clock = Clock::start();
    let (mut apple, trial) = match (options.apns.stand_in, &options.apns.stand_in_ca) {
        (Some(listen), Some(ca)) => with_stand_in(listen, ca, &file.apple.topic).await?,
        _ => (Apple::of(&file.apple)?, None),
    };
    file.push.apply(&mut apple.push);
    let config = Config {
        allow_test_provider: apple.push.allow_test_provider,
        versions: VersionRange::new(NtfVersion::MIN, NtfVersion(options.version_max))
            .unwrap_or(VersionRange::NTF),
        ..file.subscriber.config(identity.credentials())
    };
    // On connections of its own: those of pushes belong to the threads that push.
    let (providers, checked) = (apple.providers()?, apple.providers()?);
    let stop = or(stop_asked()?, input_ended(options.until_input_ends));
    let listen = file.place.listen;
    let plan = Plan {
        config,
        threads: cli::shards(options.threads),
        push: apple.push,
        clock,
        address: listen,
        tls: identity.endpoint(Protocol::Ntf)?,
        providers,
        drain: file.place.drain,
        watch: |_| {},
    };
    let server = run_sharded_server(plan).await.map_err(|error| bind_failure("--listen", listen, &error))?;
    let metrics = show_metrics(&options, file.metrics, &server).await?;
    // Programs that ask for any free port hear which it is; for people it is on standard error.
    let told = metrics.as_ref().filter(|_| options.json).map(|page| ("metrics", page.address().to_string()));
    let address = file.place.address(&identity, server.address())?;
    announce_with(Protocol::Ntf, &address, options.json, told.as_slice())?;
    check_test_endpoint(&file.apple, checked);
    let ended = serve(server, stop).await;
    drop(metrics);
    if let Some(trial) = trial {
        trial.stop().await;
    }
    ended
}

/// Refuses to show numbers to other hosts without being told so.
fn check_reach(options: &cli::Server) -> Result<(), Failure> {
    match options.metrics {
        Some(address) if !address.ip().is_loopback() && !options.metrics_anywhere => {
            Err(Failure::usage(format!(
                "--metrics {address} can be read by other hosts, to whom it tells how busy this server is: name \
                 an address such as 127.0.0.1:9464, or add --metrics-anywhere."
            )))
        }
        _ => Ok(()),
    }
}

/// Shows what all shards, their push servers and the connections of these count.
async fn show_metrics(
    options: &cli::Server,
    of_file: Option<SocketAddr>,
    server: &Sharded,
) -> Result<Option<MetricsServer>, Failure> {
    let mut sources = Sources::default();
    for shard in server.shard_mailboxes() {
        sources = sources.with_role("subscriber", shard.clone());
    }
    for push in server.push_mailboxes() {
        sources = sources.with_role("push", push.clone());
    }
    for providers in server.providers() {
        sources = sources.with_connections(providers.clone());
    }
    counted::show(options.metrics.or(of_file), "--metrics", sources).await
}

/// Completes when standard input ends, if that is asked for.
async fn input_ended(is_asked_for: bool) -> &'static str {
    if is_asked_for {
        let (tell, told) = oneshot::channel();
        // Reading waits, which no task may.
        thread::spawn(move || {
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
            let _ = tell.send(());
        });
        let _ = told.await;
        return "End of input";
    }
    pending().await
}

/// Lets the server work until somebody asks for its end or one of its threads dies.
async fn serve(server: Sharded, asked: impl Future<Output = &'static str>) -> Result<(), Failure> {
    let asked = async { Some(asked.await) };
    let died = async {
        server.ended().await;
        None
    };
    if let Some(signal) = or(asked, died).await {
        eprintln!(
            "{signal}: closing connections; tokens and subscriptions were in memory only and are forgotten."
        );
    }
    let totals = server.stop().await.map_err(|cause| {
        Failure::failed(format!(
            "The server has stopped because {cause}; start it again, and devices register anew by themselves."
        ))
    })?;
    eprintln!("{}", tally(&totals.subscriber));
    eprintln!("{}", push_tally(&totals.push));
    Ok(())
}

/// What the file says, and the command line instead of it.
fn settings(options: &cli::Server) -> Result<ServerFile, Failure> {
    let mut file = match &options.config {
        Some(file) => load(file, keys::server)?,
        None => {
            let file = defaults(keys::server);
            ServerFile { place: file.place.on_loopback(5443), ..file }
        }
    };
    file.place.set(options.listen, options.identity.host.as_deref());
    file.place.lock_memory = options.lock_memory.unwrap_or(file.place.lock_memory);
    if let Some(length) = options.padded_length {
        file.subscriber.padded_len = usize::from(length);
    }
    if let Some(policy) = options.push_policy {
        file.subscriber.delivery.policy = policy;
    }
    file.subscriber.service_certificates |= options.service_certificates;
    if options.allow_private_addresses {
        file.subscriber.reach = Reach::Anywhere;
    }
    let (apple, flags) = (&mut file.apple, &options.apns);
    for (key, flag) in [(&mut apple.key, &flags.apns_key), (&mut apple.test_ca, &flags.apns_ca)] {
        if flag.is_some() {
            key.clone_from(flag);
        }
    }
    let texts = [
        (&mut apple.key_id, &flags.apns_key_id),
        (&mut apple.team_id, &flags.apns_team_id),
        (&mut apple.topic, &flags.apns_topic),
    ];
    for (key, flag) in texts {
        if let Some(flag) = flag {
            key.clone_from(flag);
        }
    }
    if flags.apns.is_some() {
        apple.test_url.clone_from(&flags.apns);
    }
    Ok(file)
}

async fn with_stand_in(
    listen: SocketAddr,
    ca: &std::path::Path,
    topic: &str,
) -> Result<(Apple, Option<Trial>), Failure> {
    let trial =
        Trial::start(listen, topic).await.map_err(|fault| trial_failure("--stand-in", listen, &fault))?;
    let stand_in = trial.stand_in();
    // An earlier run's certificate is worthless: the authority behind it ended with that process.
    if let Err(error) = std::fs::remove_file(ca)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(Failure::failed(format!("Cannot replace {}: {error}.", ca.display())));
    }
    write_new(ca, stand_in.ca_pem(), 0o644)
        .map_err(|error| Failure::failed(format!("Cannot write {}: {error}.", ca.display())))?;
    eprintln!(
        "Pushes for device tokens of provider AT go to a stand-in for Apple at https://localhost:{}; its CA certificate is in {}.",
        stand_in.address().port(),
        ca.display()
    );
    let providers = trial.provider_config().map_err(|fault| Failure::failed(sentence(&fault)))?;
    Ok((Apple { push: trial.push_config(), providers }, Some(trial)))
}

/// Why a stand-in did not start, and what to do.
pub(super) fn trial_failure(option: &str, listen: SocketAddr, fault: &TrialFault) -> Failure {
    match fault {
        TrialFault::StandIn(StandInFault::Listen { error, .. }) => bind_failure(option, listen, error),
        TrialFault::StandIn(_) | TrialFault::Key => Failure::failed(sentence(fault)),
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::num::NonZeroU8;

    use ntf_core::host::stop::Cause;
    use ntf_core::push::Config as PushConfig;

    use super::*;
    use crate::http2::{ProviderConfig, Providers};
    use crate::identity::Identity;
    use crate::rt::run as run_on;
    use crate::shards::DRAIN;

    async fn server() -> Sharded {
        let (clock, identity) = (Clock::start(), Identity::make("localhost", Protocol::Ntf).unwrap());
        run_sharded_server(Plan {
            config: Config::new(identity.credentials()),
            threads: NonZeroU8::new(3).unwrap(),
            push: PushConfig::default(),
            clock,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: identity.endpoint(Protocol::Ntf).unwrap(),
            providers: Providers::new(&ProviderConfig::default()).unwrap(),
            drain: DRAIN,
            watch: |_| {},
        })
        .await
        .unwrap()
    }

    #[test]
    fn a_server_that_was_asked_to_stop_has_done_its_work() {
        run_on(1, async {
            assert_eq!(serve(server().await, ready("SIGTERM")).await, Ok(()));
        })
        .unwrap();
    }

    #[test]
    fn a_server_that_a_thread_has_died_of_fails_and_tells_which() {
        run_on(1, async {
            let server = server().await;
            let who = "subscriber shard 2".to_owned();
            server.end().drain(Cause::Died { who, by_panic: true });
            let failure = serve(server, pending()).await.unwrap_err();
            assert_eq!(failure.exit_code(), 1);
            assert_eq!(
                failure.to_string(),
                "The server has stopped because subscriber shard 2 panicked; start it again, and devices register anew by themselves."
            );
        })
        .unwrap();
    }
}
