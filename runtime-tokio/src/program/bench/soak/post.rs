//! SMP servers that are restarted while everybody is connected.
//!
//! What a restart leaves is up to whoever asks for it: servers with a disk keep their queues, others begin anew. The
//! rest is the server that `ntf smp` runs.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ntf_core::base::id::LinkId;
use ntf_core::base::rng::{Rng, Seed, Stream};
use ntf_core::crypto::cert::ServerCredentials;
use ntf_core::host::mailbox::Sender;
use ntf_core::link::event::{DownReason, LinkAction, LinkEvent};
use ntf_core::model::knowledge::Fact;
use ntf_core::model::server::{Protocol, ServerAddress};
use ntf_core::model::shard::ShardId;
use ntf_core::smp::server::{Config, Effect, Input, Server};
use ntf_core::{Machine, Now, Step};

use crate::clock::Clock;
use crate::connect::Connector;
use crate::driver::{Driver, Letter, LinkLetter, Role, Sorted};
use crate::identity::Identity;
use crate::link::Traffic;
use crate::listen::Listener;
use crate::program::announce::randomness;
use crate::program::failure::Failure;
use crate::roles::Nothing;
use crate::rt::spawn;
use crate::service::{Running, links_max};
use crate::wait::sleep;

/// Pause between rounds of notifications: some messages share a block, as at a server of the wild.
const ROUND: Duration = Duration::from_millis(20);

/// What is left of a server that is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Restart {
    /// Queues and messages.
    Kept,
    /// Its name.
    Forgotten,
}

/// A server at an address that it keeps.
pub(super) struct Post {
    running: Running<Lasting>,
    links: Sender<LinkLetter>,
    identity: Identity,
    clock: Clock,
    listens_at: SocketAddr,
    pub(super) address: ServerAddress,
}

impl Post {
    pub(super) async fn start(clock: Clock) -> Result<Self, Failure> {
        let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
        let unbound = |error| Failure::failed(format!("Cannot listen on {loopback}: {error}."));
        let identity = Identity::make("localhost", Protocol::Smp)?;
        let traffic = Arc::new(Traffic::default());
        let role = Lasting::new(identity.credentials(), &randomness()?, clock.now());
        let driver = Driver::new(role, clock, Connector::new(clock, traffic.clone()));
        let (mailbox, links) = (driver.mailbox(), driver.link_mailbox());
        let tls = identity.endpoint(Protocol::Smp)?;
        let listener = Listener::start(loopback, tls, clock, links.clone(), traffic.clone(), links_max())
            .await
            .map_err(unbound)?;
        let listens_at = listener.address();
        let address = identity.address("localhost", listens_at)?;
        let task = spawn(driver.run(|_, report| match report {}));
        let running = Running { mailbox, task, listener: Some(listener), traffic };
        Ok(Self { running, links, identity, clock, listens_at, address })
    }

    /// Closes all links and refuses others for so long.
    pub(super) async fn restart(&mut self, restart: Restart, down: Duration) -> Result<(), Failure> {
        if let Some(listener) = self.running.listener.take() {
            listener.close().await;
        }
        let _ = self.running.mailbox.try_send(Letter::Mail(restart));
        sleep(down).await;
        let tls = self.identity.endpoint(Protocol::Smp)?;
        let traffic = self.running.traffic();
        let listening =
            Listener::start(self.listens_at, tls, self.clock, self.links.clone(), traffic, links_max()).await;
        let lost = |error: io::Error| {
            Failure::failed(format!("Somebody else listens on {} meanwhile: {error}.", self.listens_at))
        };
        self.running.listener = Some(listening.map_err(lost)?);
        Ok(())
    }

    pub(super) async fn stop(self) {
        self.running.stop().await;
    }
}

/// A server that can be restarted where it stands.
struct Lasting {
    server: Server,
    credentials: ServerCredentials,
    seeds: Rng,
    /// Those that the server knows of. What comes of others is nothing to it.
    links: BTreeSet<LinkId>,
    closing: VecDeque<LinkId>,
}

impl Lasting {
    fn new(credentials: ServerCredentials, seed: &Seed, now: Now) -> Self {
        let mut seeds = seed.stream(Stream::World);
        let server = fresh(&credentials, &mut seeds, now);
        Self { server, credentials, seeds, links: BTreeSet::new(), closing: VecDeque::new() }
    }
}

fn fresh(credentials: &ServerCredentials, seeds: &mut Rng, now: Now) -> Server {
    let config = Config { nmsg_round: ROUND, ..Config::new(credentials.clone()) };
    Server::new(config, Seed::new(seeds.bytes()), now)
}

impl Machine for Lasting {
    type Input<'a> = Input<'a>;
    type Effect = Effect;

    fn handle(&mut self, now: Now, input: Input<'_>) {
        if let Input::Link(event) = &input {
            let link = event.link();
            let is_known = match event {
                LinkEvent::Up { .. } => self.links.insert(link),
                LinkEvent::Down { .. } => self.links.remove(&link),
                LinkEvent::Block { .. } | LinkEvent::Sent { .. } => self.links.contains(&link),
            };
            if !is_known {
                return;
            }
        }
        self.server.handle(now, input);
    }

    fn poll(&mut self) -> Step<Effect> {
        match self.closing.pop_front() {
            Some(link) => Step::Do(Effect::Link(LinkAction::Close { link })),
            None => self.server.poll(),
        }
    }
}

impl Role for Lasting {
    type Mail = Restart;
    type Report = Nothing;
    type Word = Nothing;

    fn link_input(event: LinkEvent<'_>) -> Input<'_> {
        Input::Link(event)
    }

    fn on_mail(&mut self, now: Now, restart: Restart) {
        for link in std::mem::take(&mut self.links) {
            self.server.handle(now, Input::Link(LinkEvent::Down { link, reason: DownReason::Broken }));
            self.closing.push_back(link);
        }
        if restart == Restart::Forgotten {
            self.server = fresh(&self.credentials, &mut self.seeds, now);
        }
    }

    fn on_word(&mut self, _: Now, _: ShardId, word: Nothing) {
        match word {}
    }

    fn tick_input() -> Input<'static> {
        Input::Tick
    }

    fn stop_input() -> Input<'static> {
        Input::Stop
    }

    fn facts(&self) -> Vec<Fact> {
        self.server.knowledge()
    }

    fn sort(effect: Effect) -> Sorted<Self> {
        match effect {
            Effect::Link(action) => Sorted::Link(action),
        }
    }
}
