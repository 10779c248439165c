//! The whole system in virtual time and inside one process: SMP servers, subscribers with their push servers,
//! a provider, devices, a sender, and peers played by hand.
//!
//! The twin of [`sockets`](crate::sockets): every machine is the real one, and only the network and the
//! provider are simulated. Nothing sleeps; a second of virtual time takes as long as what happens in it.

#![allow(clippy::panic, clippy::missing_panics_doc, reason = "a helper of tests fails by panicking")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test waits for one event and passes over others")]

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU8;
use std::time::Duration;

use ntf_core::base::id::LinkId;
use ntf_core::base::reach::Reach;
use ntf_core::base::rng::{Rng, Seed, Stream};
use ntf_core::client::effect::Event;
use ntf_core::client::input::{Command, QueueId, RequestTag};
use ntf_core::crypto::es256::Es256Key;
use ntf_core::link::event::{DownReason, LinkAction, Transport};
use ntf_core::model::server::{Protocol, SenderAddress, ServerAddress};
use ntf_core::model::token::{DeviceToken, Provider, TokenStatus};
use ntf_core::sim::{Config, Heard, NodeId, World};
use ntf_core::subscriber::shard::Shards;
use ntf_core::wire::version::{NtfVersion, SmpVersion};
use ntf_core::{client, push, smp, subscriber};

use crate::voice::{Speaks, Voice, ntf_offer, smp_offer};
use crate::{PROVIDER_KEY_PEM, shards_wanted};

/// In virtual time. Whatever answers at all answers sooner; what waits longer has failed.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// What a test wants otherwise than usual.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// What everything random comes from.
    pub seed: u64,
    /// How many SMP servers, at `smp1.sim`, `smp2.sim` and so on. Usually 1.
    pub smp_servers: usize,
    /// How many subscribers, at `ntf1.sim` and so on, each with a push server of its own. Usually 1.
    pub subscribers: usize,
    /// Network and date.
    pub world: Config,
    /// Changes the SMP servers.
    pub smp: fn(&mut smp::server::Config),
    /// Changes the subscribers.
    pub subscriber: fn(&mut subscriber::Config),
    /// Changes the push servers.
    pub push: fn(&mut push::Config),
    /// Changes the devices and the sender.
    pub client: fn(&mut client::Config),
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            seed: 1,
            smp_servers: 1,
            subscribers: 1,
            world: Config { shards: shards_wanted().unwrap_or(NonZeroU8::MIN), ..Config::default() },
            smp: |_| {},
            subscriber: |_| {},
            push: |_| {},
            client: |_| {},
        }
    }
}

/// A device with the client of this project.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its machine.
    pub node: NodeId,
    /// What its provider gave to the app.
    pub token: DeviceToken,
}

/// A queue of a device.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Its name on the device.
    pub id: QueueId,
    /// What its sender has.
    pub address: SenderAddress,
}

/// A peer played by hand that has greeted a server. [`Network::over`] lets it speak.
#[derive(Debug)]
pub struct Peer {
    /// Its machine.
    pub node: NodeId,
    /// Its link.
    pub link: LinkId,
    /// What it speaks with.
    pub voice: Voice,
}

/// What came over a link of a stranger and was not asked for yet.
#[derive(Debug, Default)]
struct Inbox {
    transport: Option<Transport>,
    blocks: VecDeque<Vec<u8>>,
    down: Option<DownReason>,
}

/// A network of real machines in virtual time.
pub struct Network {
    /// The world they live in.
    pub world: World,
    /// The provider of all devices.
    pub provider: NodeId,
    /// SMP servers.
    pub smp: Vec<(NodeId, ServerAddress)>,
    /// Subscribers.
    pub subscribers: Vec<(NodeId, ServerAddress)>,
    /// The push server of each subscriber.
    pub pushes: Vec<NodeId>,
    /// Sends every message.
    pub sender: NodeId,
    plan: Plan,
    rng: Rng,
    tags: u64,
    links: u64,
    inboxes: BTreeMap<(NodeId, LinkId), Inbox>,
    pushed: BTreeMap<NodeId, VecDeque<Vec<u8>>>,
}

impl Network {
    /// One SMP server, one subscriber, and everything as usual.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Plan::default())
    }

    /// As the plan says.
    #[must_use]
    pub fn with(plan: Plan) -> Self {
        let seed = Seed::from_number(plan.seed);
        let rng = seed.stream(Stream::Keys);
        let mut world = World::new(seed, plan.world);
        let add_smp = |number| {
            world.add_smp(&format!("smp{number}.sim"), |credentials| {
                let mut config = smp::server::Config::new(credentials);
                (plan.smp)(&mut config);
                config
            })
        };
        let smp = (1..=plan.smp_servers).map(add_smp).collect();
        let provider = world.add_provider();
        let (mut subscribers, mut pushes) = (Vec::new(), Vec::new());
        for number in 1..=plan.subscribers {
            let mut config = push::Config {
                key: Some(Es256Key::from_pkcs8_pem(PROVIDER_KEY_PEM).expect("a key")),
                key_id: "KEYSHARED1".into(),
                allow_test_provider: true,
                ..push::Config::default()
            };
            (plan.push)(&mut config);
            let push = world.add_push(provider, config);
            pushes.push(push);
            subscribers.push(world.add_subscriber(&format!("ntf{number}.sim"), push, |credentials| {
                let mut config = subscriber::Config::new(credentials);
                config.allow_test_provider = true;
                (plan.subscriber)(&mut config);
                config
            }));
        }
        let sender = world.add_client(client_config(&plan));
        Self {
            world,
            provider,
            smp,
            subscribers,
            pushes,
            sender,
            plan,
            rng,
            tags: 0,
            links: 0,
            inboxes: BTreeMap::new(),
            pushed: BTreeMap::new(),
        }
    }

    /// A device that has this token and nothing else.
    pub fn device(&mut self, token: &str) -> Device {
        let node = self.world.add_client(client_config(&self.plan));
        self.world.install(self.provider, token.as_bytes(), node);
        Device { node, token: device_token(token) }
    }

    /// A device that is registered with the first subscriber and verified.
    pub fn active_device(&mut self, token: &str) -> Device {
        let device = self.device(token);
        self.activate(&device);
        device
    }

    /// A verified device with a queue on the first SMP server that is watched for it.
    pub fn watching_device(&mut self, token: &str) -> (Device, Queue) {
        let device = self.active_device(token);
        let queue = self.watched_queue(&device, 0);
        (device, queue)
    }

    /// Lets the application register with the first subscriber, as on every start.
    pub fn register(&mut self, device: &Device) {
        let server = self.subscriber_address().clone();
        self.world.command(device.node, Command::Register { server, device: device.token.clone() });
    }

    /// Registers and waits until the token is verified.
    pub fn activate(&mut self, device: &Device) {
        let before = self.count(device, is_active);
        self.register(device);
        assert!(self.wait_for(device, before + 1, is_active), "the token becomes active");
    }

    /// Creates a queue and waits for its address.
    pub fn create_queue(&mut self, device: &Device, server: usize) -> Queue {
        let tag = self.tag();
        let server = self.smp_address(server).clone();
        self.world.command(device.node, Command::CreateQueue { tag, server });
        let created = |event: &Event| match event {
            Event::QueueCreated { tag: of, queue, address } if *of == tag => {
                Some(Queue { id: *queue, address: address.clone() })
            }
            _ => None,
        };
        assert!(self.wait_for(device, 1, |event| created(event).is_some()), "the queue is created");
        self.world
            .events(device.node)
            .iter()
            .find_map(|(_, event)| created(event))
            .expect("it was waited for")
    }

    /// Creates a queue and waits until the subscriber watches it.
    pub fn watched_queue(&mut self, device: &Device, server: usize) -> Queue {
        let confirmed = |network: &Self| network.subscriber().counters().subscriptions.confirmed.total();
        let before = confirmed(self);
        let queue = self.create_queue(device, server);
        assert!(self.wait_until(|network| confirmed(network) > before), "the queue is watched");
        queue
    }

    /// Sends a message and waits until its SMP server has it.
    pub fn send(&mut self, to: &SenderAddress, message: &str) {
        assert!(self.try_send(to, message), "the message is sent");
    }

    /// Sends a message; whether its SMP server took it in time.
    pub fn try_send(&mut self, to: &SenderAddress, message: &str) -> bool {
        let tag = self.tag();
        let message = message.as_bytes().to_vec();
        self.world.command(self.sender, Command::Send { tag, to: to.clone(), message });
        let sender = self.sender;
        self.world.run_while(PATIENCE, |world| {
            world.events(sender).iter().any(|(_, event)| *event == Event::Sent { tag })
        })
    }

    /// Sends a message to a queue and waits until the device's application has it, which only a push can
    /// bring about.
    pub fn expect_served(&mut self, device: &Device, queue: &Queue, message: &str) {
        self.send(&queue.address, message);
        let arrived = |event: &Event| {
            matches!(event, Event::Message { queue: of, message: text, .. }
                if *of == queue.id && text == message.as_bytes())
        };
        assert!(self.wait_for(device, 1, arrived), "a push brings {message:?} to the device");
    }

    /// The messages that the device's application got, oldest first.
    #[must_use]
    pub fn messages(&self, device: &Device) -> Vec<(QueueId, String)> {
        let messages = self.world.events(device.node).iter().filter_map(|(_, event)| match event {
            Event::Message { queue, message, .. } => {
                Some((*queue, String::from_utf8_lossy(message).into_owned()))
            }
            _ => None,
        });
        messages.collect()
    }

    /// How often the device's application was told something like this.
    #[must_use]
    pub fn count(&self, device: &Device, is_it: impl Fn(&Event) -> bool) -> usize {
        self.world.events(device.node).iter().filter(|(_, event)| is_it(event)).count()
    }

    /// Waits until the device's application was told something like this so often. Whether it was.
    pub fn wait_for(&mut self, device: &Device, count: usize, is_it: impl Fn(&Event) -> bool) -> bool {
        self.wait_until(|network| network.count(device, &is_it) >= count)
    }

    /// Waits for anything, with [`PATIENCE`]. Whether it came.
    pub fn wait_until(&mut self, mut is_so: impl FnMut(&Self) -> bool) -> bool {
        let steps = PATIENCE.as_millis() / STEP.as_millis();
        for _ in 0..steps {
            if is_so(self) {
                return true;
            }
            self.world.run_for(STEP);
        }
        is_so(self)
    }

    /// Lets everything arrive, and connections that nobody uses go away; ends in a moment between two pings.
    pub fn settle(&mut self) {
        self.world.run_for(Duration::from_secs(300));
        self.world.run_while(Duration::from_secs(10), |world| world.in_flight() == 0);
    }

    /// The first subscriber's machine.
    #[must_use]
    pub fn subscriber(&self) -> &Shards {
        self.world.subscriber(self.subscribers.first().expect("a subscriber").0).expect("a subscriber")
    }

    /// The first subscriber's address.
    #[must_use]
    pub fn subscriber_address(&self) -> &ServerAddress {
        &self.subscribers.first().expect("a subscriber").1
    }

    /// An SMP server's address.
    #[must_use]
    pub fn smp_address(&self, server: usize) -> &ServerAddress {
        &self.smp.get(server).expect("an SMP server").1
    }

    /// A fresh tag.
    pub const fn tag(&mut self) -> RequestTag {
        self.tags += 1;
        RequestTag(self.tags)
    }

    /// A peer played by hand that gets the pushes to this token.
    pub fn stranger(&mut self, token: &str) -> NodeId {
        let node = self.world.add_stranger();
        self.world.install(self.provider, token.as_bytes(), node);
        node
    }

    /// Opens a link from a stranger; TLS is not up yet.
    pub fn connect(&mut self, stranger: NodeId, protocol: Protocol, server: &ServerAddress) -> LinkId {
        self.links += 1;
        let link = LinkId::opened(self.links);
        let server = server.clone();
        self.world.act(
            stranger,
            LinkAction::Connect { link, protocol, server, showing: None, reach: Reach::Anywhere },
        );
        link
    }

    /// A stranger greets the first subscriber.
    pub fn greet_subscriber(&mut self, stranger: NodeId) -> Peer {
        let server = self.subscriber_address().clone();
        let (link, hello, transport) = self.hello(stranger, Protocol::Ntf, &server);
        let offer = ntf_offer(&hello, &transport.session_id, &transport.peer_chain);
        let (voice, answer) = Voice::ntf(&server, NtfVersion::MAX, offer, self.fresh_rng());
        self.world.act(stranger, LinkAction::Send { link, block: answer.into() });
        Peer { node: stranger, link, voice }
    }

    /// A stranger greets an SMP server.
    pub fn greet_smp(&mut self, stranger: NodeId, server: usize) -> Peer {
        let server = self.smp_address(server).clone();
        let (link, hello, transport) = self.hello(stranger, Protocol::Smp, &server);
        let offer = smp_offer(&hello, &transport.session_id, &transport.peer_chain);
        let (voice, answer) = Voice::smp(&server, SmpVersion::MAX, offer, self.fresh_rng());
        self.world.act(stranger, LinkAction::Send { link, block: answer.into() });
        Peer { node: stranger, link, voice }
    }

    /// Opens a link and waits for the server's hello.
    fn hello(
        &mut self,
        stranger: NodeId,
        protocol: Protocol,
        server: &ServerAddress,
    ) -> (LinkId, Vec<u8>, Transport) {
        let link = self.connect(stranger, protocol, server);
        let hello = self.next_block(stranger, link).expect("a hello");
        let transport = self.inbox(stranger, link).transport.take().expect("TLS came up before the hello");
        (link, hello, transport)
    }

    fn fresh_rng(&mut self) -> Rng {
        Seed::new(self.rng.bytes()).stream(Stream::Keys)
    }

    /// Lets a peer speak.
    pub const fn over<'n>(&'n mut self, peer: &'n mut Peer) -> Talk<'n> {
        Talk { network: self, peer }
    }

    /// The next block on a stranger's link; why the link ended if none comes any more.
    ///
    /// # Errors
    ///
    /// Why the link is gone.
    pub fn next_block(&mut self, stranger: NodeId, link: LinkId) -> Result<Vec<u8>, DownReason> {
        let is_there = |inbox: &Inbox| !inbox.blocks.is_empty() || inbox.down.is_some();
        let came = self.hear(stranger, |network| is_there(network.inbox(stranger, link)));
        assert!(came, "neither a block nor an end from the server");
        let inbox = self.inbox(stranger, link);
        match (inbox.blocks.pop_front(), inbox.down) {
            (Some(block), _) => Ok(block),
            (None, Some(reason)) => Err(reason),
            (None, None) => panic!("what came is there"),
        }
    }

    /// Why a stranger's link is gone; `None` while it is there.
    pub fn end_of(&mut self, stranger: NodeId, link: LinkId) -> Option<DownReason> {
        self.sort(stranger);
        self.inbox(stranger, link).down
    }

    /// The body of the next push to a stranger.
    pub fn next_push(&mut self, stranger: NodeId) -> Vec<u8> {
        assert!(self.hear(stranger, |network| network.pushes_waiting(stranger) > 0), "a push in time");
        self.pushed.get_mut(&stranger).and_then(VecDeque::pop_front).expect("it was waited for")
    }

    /// The pushes that came to a stranger by now and were not taken yet.
    pub fn pushes_waiting(&mut self, stranger: NodeId) -> usize {
        self.sort(stranger);
        self.pushed.get(&stranger).map_or(0, VecDeque::len)
    }

    /// Waits for something that a stranger hears. Whether it came.
    fn hear(&mut self, stranger: NodeId, mut is_there: impl FnMut(&mut Self) -> bool) -> bool {
        let until = self.world.now().mono + PATIENCE;
        loop {
            self.sort(stranger);
            if is_there(self) {
                return true;
            }
            let left = until.since(self.world.now().mono);
            if !self.world.run_while(left, |world| !world.heard(stranger).is_empty()) {
                return false;
            }
        }
    }

    /// Puts what a stranger heard where it belongs.
    fn sort(&mut self, stranger: NodeId) {
        for heard in self.world.take_heard(stranger) {
            match heard {
                Heard::Up { link, transport } => self.inbox(stranger, link).transport = Some(transport),
                Heard::Block { link, block } => self.inbox(stranger, link).blocks.push_back(block.into_vec()),
                Heard::Down { link, reason } => self.inbox(stranger, link).down = Some(reason),
                Heard::Push(body) => self.pushed.entry(stranger).or_default().push_back(body),
            }
        }
    }

    fn inbox(&mut self, stranger: NodeId, link: LinkId) -> &mut Inbox {
        self.inboxes.entry((stranger, link)).or_default()
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Network({} SMP servers, {} subscribers)", self.smp.len(), self.subscribers.len())
    }
}

/// A peer while it speaks.
#[derive(Debug)]
pub struct Talk<'n> {
    network: &'n mut Network,
    peer: &'n mut Peer,
}

impl Speaks for Talk<'_> {
    fn voice(&mut self) -> &mut Voice {
        &mut self.peer.voice
    }

    fn write_block(&mut self, block: &[u8]) {
        let link = self.peer.link;
        self.network.world.act(self.peer.node, LinkAction::Send { link, block: block.into() });
    }

    fn read_block(&mut self) -> Vec<u8> {
        let block = self.network.next_block(self.peer.node, self.peer.link);
        block.unwrap_or_else(|reason| panic!("an answer rather than the end: {reason}"))
    }
}

/// The token of a device that gets its pushes from the simulated provider.
#[must_use]
pub fn device_token(token: &str) -> DeviceToken {
    DeviceToken { provider: Provider::ApnsTest, token: token.as_bytes().into() }
}

/// Whether an application was told that its token is verified.
#[must_use]
pub fn is_active(event: &Event) -> bool {
    matches!(event, Event::Token(TokenStatus::Active))
}

fn client_config(plan: &Plan) -> client::Config {
    let mut config = client::Config::default();
    (plan.client)(&mut config);
    config
}

/// Between two looks at something that tells nobody when it changes.
const STEP: Duration = Duration::from_millis(20);
