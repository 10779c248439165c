//! Subscriber and push server of the demonstration: in one process, or apart with a relay link between them.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use ntf_core::base::reach::Reach;
use ntf_core::base::rng::Stream;
use ntf_core::crypto::keys::{X25519Private, X25519Public};
use ntf_core::host::mailbox::Sender;
use ntf_core::model::server::{Protocol, ServerAddress};
use ntf_core::push::{Config as PushConfig, Push};
use ntf_core::relay::push_end::{Admitted, Config as PushEndConfig, Limits, PushEnd};
use ntf_core::relay::sealed_token::OpeningKey;
use ntf_core::relay::subscriber_end::{Config as SubscriberEndConfig, SubscriberEnd};
use ntf_core::subscriber::config::SealedTokens;
use ntf_core::subscriber::effect::Milestone;
use ntf_core::subscriber::{Config as SubscriberConfig, Subscriber};

use super::scene::{Party, Seen, Sight, moved, party};
use crate::clock::Clock;
use crate::http2::Providers;
use crate::identity::Identity;
use crate::program::announce::{randomness, sentence};
use crate::program::cli;
use crate::program::failure::Failure;
use crate::relay::{PushSide, SubscriberSide, run_push_server, run_subscriber};
use crate::shards::{DRAIN, Plan, Sharded, run_sharded_server};
use crate::standin::Trial;

/// Time between alerts that carry nothing: short, so that nobody waits for the demonstration.
pub(super) const QUIET: Duration = Duration::from_secs(1);

/// Everything is on loopback, so what is out at the end is answered at once.
const GRACE: Duration = Duration::from_secs(2);

/// The two roles.
pub(super) enum Servers {
    /// One process, no socket between them.
    Together(Box<Sharded>),
    /// A relay link between them, and the key to seal device tokens to, if that is shown.
    Apart(Box<(SubscriberSide, PushSide, Option<X25519Public>)>),
}

impl Servers {
    /// Starts both; gives the subscriber's address too.
    pub(super) async fn start(
        options: &cli::Demo,
        trial: &Trial,
        clock: Clock,
        sights: Sender<Sight>,
    ) -> Result<(Self, ServerAddress), Failure> {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let unbound = |error| Failure::failed(format!("Cannot listen on {loopback}: {error}."));
        let identity = Identity::make("localhost", Protocol::Ntf)?;
        let mut config =
            SubscriberConfig { allow_test_provider: true, ..SubscriberConfig::new(identity.credentials()) };
        config.smp.reach = Reach::Anywhere;
        config.delivery.policy = options.policy;
        config.delivery.quiet = QUIET;
        if options.sealed {
            config.sealed_tokens = SealedTokens::Demanded;
        }
        let counting = PushConfig { devices_counted_max: 1000, ..trial.push_config() };
        let providers = trial
            .provider_config()
            .and_then(|config| Providers::new(&config))
            .map_err(|fault| Failure::failed(sentence(&fault)))?;
        let tls = identity.endpoint(Protocol::Ntf)?;
        let watch = move |milestone| {
            if let Milestone::Received { nonce } = milestone {
                let _ = sights.try_send(Sight { at: clock.now().mono, what: Seen::Noticed { nonce } });
            }
        };
        if !options.split {
            let threads = cli::shards(options.threads);
            let plan = Plan {
                config,
                threads,
                push: counting,
                clock,
                address: loopback,
                tls,
                providers,
                drain: DRAIN,
                watch,
            };
            let server = run_sharded_server(plan).await.map_err(unbound)?;
            let address = identity.address("localhost", server.address())?;
            return Ok((Self::Together(Box::new(server)), address));
        }
        let subscriber = Subscriber::new(config, randomness()?, clock.now());
        let push = Push::new(counting, randomness()?, clock.now());

        let push_identity = Identity::make("localhost", Protocol::Relay)?;
        let own = identity.address("localhost", loopback)?.identity;
        let admitted =
            Admitted { name: "the demonstration".into(), identity: own, limits: Limits::default() };
        let mut config = PushEndConfig::new(vec![admitted]);
        if options.sealed {
            let mut keys = randomness()?.stream(Stream::Keys);
            config.keys = vec![OpeningKey::new(X25519Private::generate(&mut keys))];
        }
        let sealing = config.keys.first().map(|key| *key.public());
        let end = PushEnd::new(config, clock.now());
        let push_tls = push_identity.endpoint(Protocol::Relay)?;
        let push = run_push_server(push, end, clock, loopback, push_tls, providers).await.map_err(unbound)?;
        let relay = push_identity.address("localhost", push.end.address().unwrap_or(loopback))?;
        let end = SubscriberEndConfig::new(relay, identity.credentials());
        let end = SubscriberEnd::new(end, &randomness()?, clock.now());
        let subscriber =
            run_subscriber(subscriber, end, clock, loopback, tls, watch).await.map_err(unbound)?;
        let address = subscriber.subscriber.address().unwrap_or(loopback);
        let address = identity.address("localhost", address)?;
        Ok((Self::Apart(Box::new((subscriber, push, sealing))), address))
    }

    /// The key to seal device tokens to, if that is shown.
    pub(super) fn sealing_key(&self) -> Option<&X25519Public> {
        match self {
            Self::Together(_) => None,
            Self::Apart(sides) => sides.2.as_ref(),
        }
    }

    /// Where they listen.
    pub(super) fn addresses(&self) -> Vec<(&'static str, Option<SocketAddr>)> {
        match self {
            Self::Together(server) => vec![("subscriber and push server", Some(server.address()))],
            Self::Apart(sides) => {
                vec![("subscriber", sides.0.subscriber.address()), ("push server", sides.1.end.address())]
            }
        }
    }

    /// What each party admits to know.
    pub(super) async fn told(&self) -> Vec<Party> {
        match self {
            Self::Together(server) => vec![
                party("subscriber", server.look().await, Some((server.received(), server.sent()))),
                party("push server", server.look_push().await, None),
            ],
            Self::Apart(sides) => {
                let (subscriber, push) = (&sides.0, &sides.1);
                let mut parties = vec![
                    party(
                        "subscriber",
                        subscriber.subscriber.look().await,
                        moved(&subscriber.subscriber.traffic()),
                    ),
                    party("push server (relay link)", push.push.look().await, moved(&push.end.traffic())),
                ];
                if let Some(last) = parties.last_mut() {
                    last.facts.extend(push.end.look().await.unwrap_or_default());
                }
                parties
            }
        }
    }

    /// Stops both.
    ///
    /// # Errors
    ///
    /// When one of the threads had died.
    pub(super) async fn stop(self) -> Result<(), Failure> {
        match self {
            Self::Together(server) => server.stop().await.map(drop).map_err(|cause| {
                Failure::failed(format!("The notification server has stopped because {cause}."))
            }),
            Self::Apart(sides) => {
                let (subscriber, push, _) = *sides;
                subscriber.stop(GRACE).await;
                push.stop(GRACE).await;
                Ok(())
            }
        }
    }
}
