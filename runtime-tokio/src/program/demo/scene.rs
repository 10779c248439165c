//! The parties of the demonstration, started on loopback.

#![allow(clippy::wildcard_enum_match_arm, reason = "a watcher passes over events that it does not show")]

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use ntf_core::Mono;
use ntf_core::base::limits::NONCE_LEN;
use ntf_core::base::rng::Stream;
use ntf_core::client::effect::Event;
use ntf_core::client::input::{Command, QueueId, RequestTag};
use ntf_core::client::{Client, Config as ClientConfig, DirectState, Mode};
use ntf_core::host::mailbox::{self, Receiver, Sender};
use ntf_core::model::knowledge::Fact;
use ntf_core::model::server::{Protocol, SenderAddress, ServerAddress};
use ntf_core::model::token::{DeviceToken, Provider, TokenStatus};
use ntf_core::smp::server::{Config as SmpConfig, Server};

use super::servers::Servers;
use crate::clock::Clock;
use crate::driver::LETTERS_MAX;
use crate::identity::Identity;
use crate::link::Traffic;
use crate::program::announce::{randomness, sentence};
use crate::program::cli;
use crate::program::failure::Failure;
use crate::roles::ClientMail;
use crate::rt::spawn;
use crate::service::{Running, run_client, run_smp_server};
use crate::standin::{StandIn, Trial};
use crate::wait::timeout;

/// Registering and creating queues takes milliseconds; this long means that something is broken.
const SETUP_TIMEOUT: Duration = Duration::from_secs(20);

/// Something that a watcher of the run saw, and when.
#[derive(Debug)]
pub(super) struct Sight {
    pub(super) at: Mono,
    pub(super) what: Seen,
}

/// What a watcher of the run saw.
#[derive(Debug)]
pub(super) enum Seen {
    /// The SMP server took message `number`.
    Sent { number: u64 },
    /// The subscriber received the notice with this nonce.
    Noticed { nonce: [u8; NONCE_LEN] },
    /// The stand-in accepted a push for this device.
    Accepted { device: usize },
    /// The device opened a push and found this notice in it.
    Pushed { device: usize, message_id: Option<Vec<u8>>, nonce: [u8; NONCE_LEN] },
    /// The device fetched and opened a message.
    Fetched { message_id: Vec<u8>, message: Vec<u8> },
    /// Anything else a client told.
    Told { device: Option<usize>, event: Event },
}

/// A queue of a device, and where its sender sends to.
struct Queue {
    device: usize,
    id: QueueId,
    address: SenderAddress,
}

/// What a party knows and moved, for the table at the end.
#[derive(Debug)]
pub(super) struct Party {
    pub(super) name: String,
    pub(super) facts: Vec<Fact>,
    pub(super) received: Option<u64>,
    pub(super) sent: Option<u64>,
}

/// All parties.
pub(super) struct Scene {
    clock: Clock,
    smp: Running<Server>,
    servers: Servers,
    trial: Trial,
    /// Those with a token get pushes; the others hold direct connections.
    devices: Vec<(Running<Client>, Option<DeviceToken>)>,
    senders: Running<Client>,
    sights: Receiver<Sight>,
    queues: Vec<Queue>,
    smp_address: ServerAddress,
    ntf_address: ServerAddress,
}

impl Scene {
    pub(super) async fn start(options: &cli::Demo) -> Result<Self, Failure> {
        let clock = Clock::start();
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let unbound = |error| Failure::failed(format!("Cannot listen on {loopback}: {error}."));
        let (sight, sights) = mailbox::bounded(LETTERS_MAX);

        let smp_identity = Identity::make("localhost", Protocol::Smp)?;
        let smp_config = SmpConfig {
            nmsg_round: Duration::from_millis(options.round_ms),
            ..SmpConfig::new(smp_identity.credentials())
        };
        let smp_role = Server::new(smp_config, randomness()?, clock.now());
        let smp = run_smp_server(smp_role, clock, loopback, smp_identity.endpoint(Protocol::Smp)?)
            .await
            .map_err(unbound)?;

        let trial = Trial::start(loopback, "chat.simplex.app")
            .await
            .map_err(|fault| Failure::failed(sentence(&fault)))?;
        let (servers, ntf_address) = Servers::start(options, &trial, clock, sight.clone()).await?;
        let smp_address = smp_identity.address("localhost", smp.address().unwrap_or(loopback))?;

        let mut devices = Vec::new();
        for number in 0..usize::try_from(options.devices).unwrap_or(1) {
            let token = device_token()?;
            let config = ClientConfig { seal_to: servers.sealing_key().copied(), ..ClientConfig::default() };
            let role = Client::new(config, randomness()?, clock.now());
            let device = run_client(role, clock, watch_client(Some(number), clock, sight.clone()));
            forward_pushes(trial.stand_in(), &token, number, clock, device.mailbox(), sight.clone());
            devices.push((device, Some(token)));
        }
        for _ in 0..options.direct {
            let role = Client::new(ClientConfig::default(), randomness()?, clock.now());
            let device = run_client(role, clock, watch_client(Some(devices.len()), clock, sight.clone()));
            device.send(ClientMail::Command(Command::SetMode(Mode::Direct)));
            devices.push((device, None));
        }
        let role = Client::new(ClientConfig::default(), randomness()?, clock.now());
        let senders = run_client(role, clock, watch_client(None, clock, sight));

        let queues = Vec::new();
        Ok(Self { clock, smp, servers, trial, devices, senders, sights, queues, smp_address, ntf_address })
    }

    /// Where the parties listen, in the words of the table.
    pub(super) fn addresses(&self) -> Vec<(&'static str, Option<SocketAddr>)> {
        let mut addresses = vec![("SMP server", self.smp.address())];
        addresses.append(&mut self.servers.addresses());
        addresses.push(("stand-in for Apple", Some(self.trial.stand_in().address())));
        addresses
    }

    pub(super) fn now(&self) -> Mono {
        self.clock.now().mono
    }

    pub(super) const fn queue_count(&self) -> usize {
        self.queues.len()
    }

    /// The device a queue belongs to.
    pub(super) fn device_of(&self, queue: usize) -> usize {
        self.queues.get(queue).map_or(0, |queue| queue.device)
    }

    /// Registers all devices that get pushes; returns when all tokens are active.
    pub(super) async fn register(&mut self) -> Result<(), Failure> {
        let mut registering = 0;
        for (device, token) in &self.devices {
            let Some(token) = token else { continue };
            registering += 1;
            let server = self.ntf_address.clone();
            device.send(ClientMail::Command(Command::Register { server, device: token.clone() }));
        }
        let mut active = 0;
        while active < registering {
            match self.setup_sight("the registration of device tokens").await? {
                Seen::Told { event: Event::Token(TokenStatus::Active), .. } => active += 1,
                seen => refuse_failure(seen)?,
            }
        }
        Ok(())
    }

    /// Creates `count` queues for each device and subscribes them.
    pub(super) async fn create_queues(&mut self, count: u32) -> Result<(), Failure> {
        for (device, _) in &self.devices {
            for number in 0..count {
                let (tag, server) = (RequestTag(u64::from(number)), self.smp_address.clone());
                device.send(ClientMail::Command(Command::CreateQueue { tag, server }));
            }
        }
        let wanted = self.devices.len() * usize::try_from(count).unwrap_or(1);
        let mut subscribed = 0;
        while self.queues.len() < wanted || subscribed < wanted {
            match self.setup_sight("the creation of queues and their subscriptions").await? {
                Seen::Told { device: Some(device), event: Event::QueueCreated { queue, address, .. } } => {
                    self.queues.push(Queue { device, id: queue, address });
                }
                Seen::Told { event: Event::Subscription { .. }, .. }
                | Seen::Told { event: Event::Direct { state: DirectState::On, .. }, .. } => subscribed += 1,
                seen => refuse_failure(seen)?,
            }
        }
        // Messages go round the devices, not through one device's queues first.
        self.queues.sort_by_key(|queue| (queue.id, queue.device));
        Ok(())
    }

    /// Sends message `number` to a queue.
    pub(super) fn send(&self, number: u64, queue: usize) -> Result<(), Failure> {
        let to = self.queues.get(queue).map(|queue| queue.address.clone());
        let to = to.ok_or_else(|| Failure::failed("There is no queue to send to."))?;
        let message = format!("{number}: Hello from sender {}, over SimpleX.", queue + 1).into_bytes();
        self.senders.send(ClientMail::Command(Command::Send { tag: RequestTag(number), to, message }));
        Ok(())
    }

    /// The next thing that somebody saw. An error of a client that lost a message ends the run.
    pub(super) async fn next_sight(&mut self) -> Result<Sight, Failure> {
        self.sights
            .recv()
            .await
            .ok_or_else(|| Failure::failed("All parties of the demonstration have ended."))
    }

    async fn setup_sight(&mut self, what: &str) -> Result<Seen, Failure> {
        match timeout(SETUP_TIMEOUT, self.next_sight()).await {
            Ok(sight) => Ok(sight?.what),
            Err(_) => Err(Failure::failed(format!(
                "Nothing happened for {} s during {what}.",
                SETUP_TIMEOUT.as_secs()
            ))),
        }
    }

    /// Stops everything, senders first, and asks each party what it knows.
    ///
    /// # Errors
    ///
    /// When a thread of the notification server had died.
    pub(super) async fn stop(self) -> Result<Vec<Party>, Failure> {
        // Devices tell and go first: what they still had to acknowledge is then acknowledged.
        let mut told = Vec::new();
        for (number, (device, _)) in self.devices.into_iter().enumerate() {
            if number == 0 {
                told.push(party("device 1", device.look().await, moved(&device.traffic())));
            }
            device.stop().await;
        }
        self.senders.stop().await;
        let smp_facts = self.smp.look().await;
        let mut parties = vec![party("SMP server", smp_facts, moved(&self.smp.traffic()))];
        parties.append(&mut self.servers.told().await);
        parties.push(party("Apple (stand-in)", Some(self.trial.stand_in().knowledge()), None));
        parties.append(&mut told);
        let ended = self.servers.stop().await;
        self.smp.stop().await;
        self.trial.stop().await;
        ended?;
        Ok(parties)
    }
}

/// Bytes that crossed the sockets of one party.
pub(super) fn moved(traffic: &Traffic) -> Option<(u64, u64)> {
    Some((traffic.received(), traffic.sent()))
}

pub(super) fn party(name: &str, facts: Option<Vec<Fact>>, moved: Option<(u64, u64)>) -> Party {
    Party {
        name: name.to_owned(),
        facts: facts.unwrap_or_default(),
        received: moved.map(|(received, _)| received),
        sent: moved.map(|(_, sent)| sent),
    }
}

/// A device token as Apple makes them: 64 hexadecimal digits. The provider is the stand-in.
///
/// # Errors
///
/// When the system gives no randomness.
pub fn device_token() -> Result<DeviceToken, Failure> {
    let bytes: [u8; 32] = randomness()?.stream(Stream::Ids).bytes();
    let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(DeviceToken { provider: Provider::ApnsTest, token: token.into_bytes().into() })
}

fn watch_client(
    device: Option<usize>,
    clock: Clock,
    sights: Sender<Sight>,
) -> impl FnMut(Event) + Send + 'static {
    move |event| {
        let what = match (device, event) {
            (None, Event::Sent { tag }) => Seen::Sent { number: tag.0 },
            (Some(device), Event::Pushed { message_id, nonce, .. }) => {
                Seen::Pushed { device, message_id, nonce }
            }
            (Some(_), Event::Message { message_id, message, .. }) => Seen::Fetched { message_id, message },
            (device, event) => Seen::Told { device, event },
        };
        let _ = sights.try_send(Sight { at: clock.now().mono, what });
    }
}

/// Carries accepted pushes from the stand-in to the device, as Apple's network would.
fn forward_pushes(
    stand_in: &StandIn,
    token: &DeviceToken,
    device: usize,
    clock: Clock,
    mailbox: Sender<crate::driver::Letter<ClientMail>>,
    sights: Sender<Sight>,
) {
    let mut pushes = stand_in.subscribe(&String::from_utf8_lossy(&token.token));
    spawn(async move {
        while let Some(push) = pushes.recv().await {
            let _ = sights.try_send(Sight { at: clock.now().mono, what: Seen::Accepted { device } });
            let push = ClientMail::Push(push.body.to_vec());
            if mailbox.send(crate::driver::Letter::Mail(push)).await.is_err() {
                return;
            }
        }
    });
}

/// During set-up a failed command ends the run, with the client's own words.
fn refuse_failure(seen: Seen) -> Result<(), Failure> {
    match seen {
        Seen::Told { event: Event::Failed { why, .. }, .. } => Err(Failure::failed(why)),
        Seen::Told { event: Event::PushRejected { why }, .. } => {
            Err(Failure::failed(format!("A device could not use its push: {why}.")))
        }
        _ => Ok(()),
    }
}
