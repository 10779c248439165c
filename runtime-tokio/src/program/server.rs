//! `ntf server`: subscriber and push server in one process.

use std::net::SocketAddr;

use ntf_core::base::reach::Reach;
use ntf_core::model::server::Protocol;
use ntf_core::model::token::Provider;
use ntf_core::push::{Config as PushConfig, Push};
use ntf_core::subscriber::{Config, Subscriber};
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
use crate::service::run_server;
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
    let subscriber = Subscriber::new(config, randomness()?, clock.now());
    let push = Push::new(apple.push, randomness()?, clock.now());
    let providers = Providers::new(&apple.providers).map_err(|fault| Failure::failed(sentence(&fault)))?;
    let checked = providers.clone();
    let stop = stop_asked()?;
    let endpoint = identity.endpoint(Protocol::Ntf)?;
    let both = run_server(subscriber, push, clock, options.listen, endpoint, providers, |_| {})
        .await
        .map_err(|error| bind_failure("--listen", options.listen, &error))?;
    let address = both.subscriber.address().unwrap_or(options.listen);
    announce(Protocol::Ntf, &identity.address(&options.identity.host, address)?, options.json)?;
    if options.apns.apns.is_some() {
        // An endpoint that cannot be used is told now, by a warning, and not at the first push.
        spawn(async move { checked.check(Provider::ApnsTest).await.is_ok() });
    }
    let signal = stop.await;
    eprintln!(
        "{signal}: closing connections; tokens and subscriptions were in memory only and are forgotten."
    );
    both.subscriber.stop().await;
    both.push.stop().await;
    if let Some(trial) = apple.trial {
        trial.stop().await;
    }
    Ok(())
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
