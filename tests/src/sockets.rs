//! The whole system on loopback sockets: one SMP server, one server with both roles, a stand-in for Apple,
//! and as many devices as a test wants.

#![allow(clippy::panic, clippy::missing_panics_doc, reason = "a helper of tests fails by panicking")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test waits for one event and passes over others")]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use ntf_core::base::reach::Reach;
use ntf_core::client::effect::Event;
use ntf_core::client::input::{Command, QueueId, RequestTag};
use ntf_core::client::{Client, Config as ClientConfig};
use ntf_core::model::server::{Protocol, SenderAddress, ServerAddress};
use ntf_core::model::token::{DeviceToken, Provider, TokenStatus};
use ntf_core::push::{Config as PushConfig, Push};
use ntf_core::smp::server::{Config as SmpConfig, Server};
use ntf_core::subscriber::{Config as SubscriberConfig, Subscriber};
use ntf_core::tls::ServerEndpoint;
use ntf_runtime_tokio::clock::Clock;
use ntf_runtime_tokio::driver::{Letter, Role};
use ntf_runtime_tokio::http2::Providers;
use ntf_runtime_tokio::identity::Identity;
use ntf_runtime_tokio::roles::ClientMail;
use ntf_runtime_tokio::service::{Both, Running, os_seed, run_client, run_server, run_smp_server};
use ntf_runtime_tokio::standin::{StandIn, Trial};
use tokio::sync::{mpsc, watch};
use tokio::time::{interval, timeout};

/// Nothing on loopback takes this long; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Pause between two looks at something that tells nobody when it changes.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What a test wants otherwise than usual.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// Between the SMP server's rounds of notifications. Usually 10 ms.
    pub nmsg_round: Duration,
    /// What "later" means to the push server when the provider does not say. Usually 1 s, the least it takes.
    pub push_later: Duration,
    /// Whether the subscriber shows SMP servers certificates. Usually not.
    pub service_certificates: bool,
    /// Whether the SMP server asks for them. Usually it does.
    pub asks_clients: bool,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            nmsg_round: Duration::from_millis(10),
            push_later: Duration::from_secs(1),
            service_certificates: false,
            asks_clients: true,
        }
    }
}

/// A network of real servers on loopback.
#[derive(Debug)]
pub struct Network {
    clock: Clock,
    smp: Running<Server>,
    both: Both,
    trial: Trial,
    smp_address: ServerAddress,
    ntf_address: ServerAddress,
}

fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

impl Network {
    /// Starts everything, with a round of notifications every 10 ms.
    pub async fn start() -> Self {
        Self::start_tuned(Tuning::default()).await
    }

    /// Starts everything.
    pub async fn start_tuned(tuning: Tuning) -> Self {
        let clock = Clock::start();
        let smp_identity = Identity::make("localhost", Protocol::Smp).expect("certificates can be made");
        let config =
            SmpConfig { nmsg_round: tuning.nmsg_round, ..SmpConfig::new(smp_identity.credentials()) };
        let role = Server::new(config, os_seed().expect("randomness"), clock.now());
        let endpoint = if tuning.asks_clients {
            smp_identity.endpoint(Protocol::Smp).expect("the key fits the chain")
        } else {
            ServerEndpoint::new(Protocol::Smp.into(), &smp_identity.credentials())
                .expect("the key fits the chain")
        };
        let smp = run_smp_server(role, clock, loopback(), endpoint).await.expect("loopback can be bound");

        let trial = Trial::start(loopback(), "chat.simplex.app").await.expect("the stand-in starts");
        let ntf_identity = Identity::make("localhost", Protocol::Ntf).expect("certificates can be made");
        let mut config = SubscriberConfig {
            allow_test_provider: true,
            use_service_certificates: tuning.service_certificates,
            ..SubscriberConfig::new(ntf_identity.credentials())
        };
        config.smp.reach = Reach::Anywhere;
        let subscriber = Subscriber::new(config, os_seed().expect("randomness"), clock.now());
        let config = PushConfig { later: tuning.push_later, ..trial.push_config() };
        let push = Push::new(config, os_seed().expect("randomness"), clock.now());
        let providers =
            trial.provider_config().and_then(|config| Providers::new(&config)).expect("the stand-in's CA");
        let endpoint = ntf_identity.endpoint(Protocol::Ntf).expect("the key fits the chain");
        let both = run_server(subscriber, push, clock, loopback(), endpoint, providers, |_| {})
            .await
            .expect("loopback can be bound");

        let smp_address =
            smp_identity.address("localhost", smp.address().expect("it listens")).expect("an identity");
        let ntf_address = ntf_identity
            .address("localhost", both.subscriber.address().expect("it listens"))
            .expect("an identity");
        Self { clock, smp, both, trial, smp_address, ntf_address }
    }

    /// The SMP server's address.
    #[must_use]
    pub const fn smp_address(&self) -> &ServerAddress {
        &self.smp_address
    }

    /// The subscriber's address.
    #[must_use]
    pub const fn ntf_address(&self) -> &ServerAddress {
        &self.ntf_address
    }

    /// Where the SMP server listens.
    #[must_use]
    pub fn smp_socket(&self) -> SocketAddr {
        self.smp.address().expect("it listens")
    }

    /// Where the subscriber listens.
    #[must_use]
    pub fn ntf_socket(&self) -> SocketAddr {
        self.both.subscriber.address().expect("it listens")
    }

    /// The running SMP server.
    #[must_use]
    pub const fn smp(&self) -> &Running<Server> {
        &self.smp
    }

    /// The running notification server.
    #[must_use]
    pub const fn both(&self) -> &Both {
        &self.both
    }

    /// The stand-in for Apple.
    #[must_use]
    pub const fn apple(&self) -> &StandIn {
        self.trial.stand_in()
    }

    /// The same with its signing key.
    #[must_use]
    pub const fn trial(&self) -> &Trial {
        &self.trial
    }

    /// Looks again and again until `is_so`.
    ///
    /// # Panics
    ///
    /// When it does not become so.
    pub async fn until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let mut looks = interval(LOOK_EVERY);
        let look = async {
            while !is_so() {
                looks.tick().await;
            }
        };
        assert!(timeout(PATIENCE, look).await.is_ok(), "not so: {what}");
    }

    /// Asks a role again and again what it knows, until it knows `count` of `fact`.
    ///
    /// # Panics
    ///
    /// When it does not become so.
    pub async fn until_known<R: Role>(&self, role: &Running<R>, fact: &str, count: u64) {
        let mut looks = interval(LOOK_EVERY);
        let mut last = Vec::new();
        let look = async {
            loop {
                last = role.look().await.expect("the role runs");
                if last.iter().any(|known| known.what == fact && known.count == count) {
                    return;
                }
                looks.tick().await;
            }
        };
        let in_time = timeout(PATIENCE, look).await;
        assert!(in_time.is_ok(), "never {count} of \"{fact}\", but: {last:?}");
    }

    /// A device whose pushes come from the stand-in. It is not registered.
    #[must_use]
    pub fn device(&self, number: u32) -> Device {
        let token: Box<str> = format!("{:064x}", 0xfeed_face_0000_u64 + u64::from(number)).into();
        let role = Client::new(ClientConfig::default(), os_seed().expect("randomness"), self.clock.now());
        let (tell, events) = mpsc::unbounded_channel();
        let running = run_client(role, self.clock, move |event| {
            let _ = tell.send(event);
        });
        let mut pushes = self.apple().subscribe(&token);
        let mailbox = running.mailbox();
        let (gate, mut is_open) = watch::channel(true);
        tokio::spawn(async move {
            while let Some(push) = pushes.recv().await {
                if is_open.wait_for(|is_open| *is_open).await.is_err() {
                    return;
                }
                if mailbox.send(Letter::Mail(ClientMail::Push(push.body.to_vec()))).await.is_err() {
                    return;
                }
            }
        });
        let token = DeviceToken { provider: Provider::ApnsTest, token: token.as_bytes().into() };
        Device { running, events, token, gate, seen: Vec::new() }
    }

    /// Stops everything; panics if a server's task had died.
    pub async fn stop(self) {
        self.stop_for_a_look().await;
    }

    /// Stops everything, and gives two servers for a last look at their counters; panics if a task had died.
    pub async fn stop_for_a_look(self) -> (Server, Subscriber) {
        let subscriber = self.both.subscriber.stop().await.expect("the subscriber lived to the end");
        assert!(self.both.push.stop().await.is_some(), "the push server lived to the end");
        let smp = self.smp.stop().await.expect("the SMP server lived to the end");
        self.trial.stop().await;
        (smp, subscriber)
    }
}

/// A device or a sender of a test.
#[derive(Debug)]
pub struct Device {
    running: Running<Client>,
    events: mpsc::UnboundedReceiver<Event>,
    token: DeviceToken,
    gate: watch::Sender<bool>,
    seen: Vec<Event>,
}

impl Device {
    /// The device token.
    #[must_use]
    pub const fn token(&self) -> &DeviceToken {
        &self.token
    }

    /// Keeps pushes from the device, like a phone that is switched off, or lets those that came in again.
    pub fn set_reachable(&self, is_reachable: bool) {
        self.gate.send_replace(is_reachable);
    }

    /// The running client.
    #[must_use]
    pub const fn running(&self) -> &Running<Client> {
        &self.running
    }

    /// Events that nobody has waited for yet, without waiting.
    pub fn events_so_far(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }

    /// Asks the client for something.
    pub fn ask(&self, command: Command) {
        assert!(self.running.send(ClientMail::Command(command)), "the client runs");
    }

    /// Waits for an event that `pick` takes something from; others are passed over.
    ///
    /// # Panics
    ///
    /// When none comes, naming those that did.
    pub async fn wait_for<T>(&mut self, what: &str, mut pick: impl FnMut(&Event) -> Option<T>) -> T {
        loop {
            let Ok(Some(event)) = timeout(PATIENCE, self.events.recv()).await else {
                panic!("no {what}; these came: {:?}", self.seen);
            };
            let picked = pick(&event);
            self.seen.push(event);
            if let Some(picked) = picked {
                return picked;
            }
        }
    }

    /// Registers with a subscriber and waits until the token is verified.
    pub async fn register(&mut self, server: &ServerAddress) {
        self.ask(Command::Register { server: server.clone(), device: self.token.clone() });
        self.wait_for("active token", |event| (*event == Event::Token(TokenStatus::Active)).then_some(()))
            .await;
    }

    /// Creates a queue and waits until it exists and the subscriber has its subscription.
    pub async fn create_queue(&mut self, server: &ServerAddress) -> (QueueId, SenderAddress) {
        self.ask(Command::CreateQueue { tag: RequestTag(0), server: server.clone() });
        let created = self
            .wait_for("created queue", |event| match event {
                Event::QueueCreated { queue, address, .. } => Some((*queue, address.clone())),
                _ => None,
            })
            .await;
        self.wait_for("subscription", |event| matches!(event, Event::Subscription { .. }).then_some(()))
            .await;
        created
    }

    /// Sends a message and waits until the SMP server has it.
    pub async fn send(&mut self, to: &SenderAddress, message: &str) {
        let tag = RequestTag(7);
        self.ask(Command::Send { tag, to: to.clone(), message: message.as_bytes().to_vec() });
        self.wait_for("sent message", |event| matches!(event, Event::Sent { .. }).then_some(())).await;
    }

    /// Sends a message that the SMP server refuses, and gives its words.
    pub async fn send_refused(&mut self, to: &SenderAddress, message: &str) -> String {
        let tag = RequestTag(8);
        self.ask(Command::Send { tag, to: to.clone(), message: message.as_bytes().to_vec() });
        self.wait_for("refusal", |event| match event {
            Event::Failed { tag: Some(RequestTag(8)), why, .. } => Some(why.clone()),
            _ => None,
        })
        .await
    }

    /// Sends a message again and again until the SMP server takes it.
    pub async fn send_until_taken(&mut self, to: &SenderAddress, message: &str) {
        let tag = RequestTag(9);
        loop {
            self.ask(Command::Send { tag, to: to.clone(), message: message.as_bytes().to_vec() });
            let is_taken = self
                .wait_for("word of the message", |event| match event {
                    Event::Sent { tag: RequestTag(9) } => Some(true),
                    Event::Failed { tag: Some(RequestTag(9)), .. } => Some(false),
                    _ => None,
                })
                .await;
            if is_taken {
                return;
            }
        }
    }

    /// Asks the subscriber for the token's status and waits for one that is `expected`.
    pub async fn check(&mut self, expected: TokenStatus) {
        self.ask(Command::Check);
        self.wait_for("token status", |event| (*event == Event::Token(expected)).then_some(())).await;
    }

    /// Waits for the next message, with its queue.
    pub async fn receive(&mut self) -> (QueueId, String) {
        self.wait_for("message", |event| match event {
            Event::Message { queue, message, .. } => {
                Some((*queue, String::from_utf8_lossy(message).into_owned()))
            }
            _ => None,
        })
        .await
    }

    /// The messages that were waited for or passed over so far, with their queues.
    #[must_use]
    pub fn received(&self) -> Vec<(QueueId, String)> {
        let messages = self.seen.iter().filter_map(|event| match event {
            Event::Message { queue, message, .. } => {
                Some((*queue, String::from_utf8_lossy(message).into_owned()))
            }
            _ => None,
        });
        messages.collect()
    }

    /// Stops it.
    pub async fn stop(self) {
        assert!(self.running.stop().await.is_some(), "the client lived to the end");
    }
}
