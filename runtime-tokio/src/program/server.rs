//! `ntf server`: subscriber and push server in one process.

use std::future::Future;
use std::net::SocketAddr;

use futures_lite::future::or;
use ntf_core::base::reach::Reach;
use ntf_core::model::server::Protocol;
use ntf_core::model::token::Provider;
use ntf_core::push::{Config as PushConfig, Push};
use ntf_core::subscriber::Config;
use ntf_core::wire::version::{NtfVersion, VersionRange};

use crate::clock::Clock;
use crate::http2::{Endpoint, ProviderConfig, Providers, Roots, read_key_file};
use crate::identity::write_new;
use crate::program::announce::{announce, bind_failure, identity, randomness, sentence};
use crate::program::cli;
use crate::program::failure::Failure;
use crate::program::hardening::keep_memory_private;
use crate::program::signals::stop_asked;
use crate::rt::spawn;
use crate::shards::{Plan, Sharded, run_sharded_server};
use crate::standin::{StandInFault, Trial, TrialFault};

/// Runs until SIGINT or SIGTERM.
///
/// # Errors
///
/// When memory must be locked and cannot be, a file cannot be used, or an address cannot be bound.
pub async fn run(options: cli::Server) -> Result<(), Failure> {
    keep_memory_private(options.lock_memory)?;
    let identity = identity(&options.identity, Protocol::Ntf)?;
    let clock = Clock::start();
    let apple = apple(&options.apns).await?;
    let mut config = Config {
        allow_test_provider: apple.push.allow_test_provider,
        padded_len: usize::from(options.padded_length),
        versions: VersionRange::new(NtfVersion::MIN, NtfVersion(options.version_max))
            .unwrap_or(VersionRange::NTF),
        use_service_certificates: options.service_certificates,
        ..Config::new(identity.credentials())
    };
    if options.allow_private_addresses {
        config.smp.reach = Reach::Anywhere;
    }
    let push = Push::new(apple.push, randomness()?, clock.now());
    let providers = Providers::new(&apple.providers).map_err(|fault| Failure::failed(sentence(&fault)))?;
    let stop = stop_asked()?;
    let endpoint = identity.endpoint(Protocol::Ntf)?;
    let plan = Plan {
        config,
        threads: cli::shards(options.threads),
        push,
        clock,
        address: options.listen,
        tls: endpoint,
        providers,
        watch: |_| {},
    };
    let server =
        run_sharded_server(plan).await.map_err(|error| bind_failure("--listen", options.listen, &error))?;
    announce(Protocol::Ntf, &identity.address(&options.identity.host, server.address())?, options.json)?;
    if options.apns.apns.is_some() {
        // An endpoint that cannot be used is told now, by a warning, and not at the first push. On a connection
        // of its own: those of pushes belong to the thread that pushes.
        let checked = Providers::new(&apple.providers).map_err(|fault| Failure::failed(sentence(&fault)))?;
        spawn(async move { checked.check(Provider::ApnsTest).await.is_ok() });
    }
    let ended = serve(server, stop).await;
    if let Some(trial) = apple.trial {
        trial.stop().await;
    }
    ended
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
    server.stop().await.map_err(|cause| {
        Failure::failed(format!(
            "The server has stopped because {cause}; start it again, and devices register anew by themselves."
        ))
    })
}

/// How pushes are signed and where they go.
struct Apple {
    push: PushConfig,
    providers: ProviderConfig,
    trial: Option<Trial>,
}

async fn apple(options: &cli::Apns) -> Result<Apple, Failure> {
    if let (Some(listen), Some(ca)) = (options.stand_in, &options.stand_in_ca) {
        return with_stand_in(listen, ca, &options.apns_topic).await;
    }
    let mut push = PushConfig {
        topic: options.apns_topic.clone(),
        allow_test_provider: options.apns.is_some(),
        ..PushConfig::default()
    };
    match (&options.apns_key, &options.apns_key_id, &options.apns_team_id) {
        (Some(file), Some(key_id), Some(team_id)) => {
            push.key = Some(read_key_file(file).map_err(|fault| Failure::failed(sentence(&fault)))?);
            push.key_id.clone_from(key_id);
            push.team_id.clone_from(team_id);
        }
        _ => eprintln!(
            "No --apns-key given: only device tokens of the null provider are served; all other pushes are refused."
        ),
    }
    let mut providers = ProviderConfig::default();
    if let Some(url) = &options.apns {
        let endpoint = Endpoint::parse(url).map_err(|fault| Failure::usage(sentence(&fault)))?;
        providers.endpoint_overrides.insert(Provider::ApnsTest, endpoint);
    }
    if let Some(file) = &options.apns_ca {
        providers.roots = Roots::File(file.clone());
    }
    Ok(Apple { push, providers, trial: None })
}

async fn with_stand_in(listen: SocketAddr, ca: &std::path::Path, topic: &str) -> Result<Apple, Failure> {
    let trial =
        Trial::start(listen, topic).await.map_err(|fault| trial_failure("--stand-in", listen, &fault))?;
    let stand_in = trial.stand_in();
    // An earlier run's certificate is worthless: the authority behind it ended with that process.
    if let Err(error) = std::fs::remove_file(ca)
        && error.kind() != std::io::ErrorKind::NotFound
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
    Ok(Apple { push: trial.push_config(), providers, trial: Some(trial) })
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
    use std::future::{pending, ready};
    use std::num::NonZeroU8;

    use ntf_core::host::stop::Cause;

    use super::*;
    use crate::identity::Identity;
    use crate::rt::run as run_on;

    async fn server() -> Sharded {
        let (clock, identity) = (Clock::start(), Identity::make("localhost", Protocol::Ntf).unwrap());
        run_sharded_server(Plan {
            config: Config::new(identity.credentials()),
            threads: NonZeroU8::new(3).unwrap(),
            push: Push::new(PushConfig::default(), randomness().unwrap(), clock.now()),
            clock,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: identity.endpoint(Protocol::Ntf).unwrap(),
            providers: Providers::new(&ProviderConfig::default()).unwrap(),
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
