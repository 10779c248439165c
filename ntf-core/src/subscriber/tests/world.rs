//! Everything around the subscriber.

use crate::base::id::{EntityId, LinkId};
use crate::base::reach::Reach;
use crate::base::rng::{Rng, Seed, Stream};
use crate::base::source::Source;
use crate::base::time::{Mono, Now, Wall};
use crate::crypto::cert::ServerCredentials;
use crate::crypto::keys::{AuthPrivateKey, AuthPublicKey, Ed25519Private, SigningKey};
use crate::crypto::sha::sha256;
use crate::link::dialect::{Ntf, Smp};
use crate::link::event::{Block, DownReason, LinkAction, LinkEvent, Transport};
use crate::link::responder::{Credential, Responder};
use crate::link::state::{BlockEncryption, ClientGreeting};
use crate::machine::{Machine, Step};
use crate::model::push::{PushId, PushOrder, PushOutcome, PushResult};
use crate::model::server::{NotifierAddress, ServerAddress};
use crate::subscriber::Config;
use crate::subscriber::effect::{Effect, Milestone};
use crate::subscriber::input::Input;
use crate::subscriber::shard::Shards;
use crate::subscriber::tests::app::Device;
use crate::wire::error_code::ErrorCode;
use crate::wire::smp::command::Command as SmpCommand;
use crate::wire::smp::response::Message;
use crate::wire::version::{NtfVersion, VersionRange};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::num::NonZeroU8;
use core::time::Duration;

/// The subscriber and everything that it talks to.
pub(super) struct World {
    pub(super) subscriber: Shards,
    pub(super) now: Now,
    pub(super) orders: Vec<PushOrder>,
    pub(super) milestones: Vec<Milestone>,
    pub(super) smp: Smps,
    /// Whether orders are answered as accepted at once.
    pub(super) accepts_pushes: bool,
    /// A line for each effect, to compare runs.
    pub(super) trace: Vec<String>,
    pub(super) closed: Vec<LinkId>,
    /// Blocks on their way to devices.
    pub(super) devices: BTreeMap<LinkId, Vec<Block>>,
    /// Whether blocks to devices are reported as sent.
    pub(super) devices_read: bool,
    links_made: u64,
    /// Where the next links of devices come from.
    pub(super) source: Option<Source>,
}

/// All SMP servers: they share a certificate and a script.
pub(super) struct Smps {
    pub(super) credentials: ServerCredentials,
    pub(super) is_up: bool,
    /// Why they cannot be reached while they are not up.
    pub(super) why_down: DownReason,
    /// What a notifier id is answered; absent ones are unknown queues.
    pub(super) queues: BTreeMap<Vec<u8>, (AuthPublicKey, Answer)>,
    /// NSUBs that came, by link.
    pub(super) asked: Vec<(LinkId, Vec<u8>)>,
    pub(super) links: BTreeMap<LinkId, Responder<Smp>>,
    pub(super) connects: Vec<(LinkId, ServerAddress)>,
    /// Which addresses connections were asked for, in order.
    pub(super) reaches: Vec<Reach>,
    /// Certificates that were shown, by link.
    pub(super) shown: BTreeMap<LinkId, Vec<Box<[u8]>>>,
    pub(super) services: Services,
    /// NSUBSs that came, by link.
    pub(super) resumed: Vec<LinkId>,
    keys: Rng,
}

/// What SMP servers make of services.
#[derive(Clone, Copy)]
pub(super) enum Services {
    /// They ask for no certificates.
    Unasked,
    /// They do, and refuse every service.
    Refused,
    /// They do, and tell every service this id, and this in answer to NSUBS.
    Taken { id: u8, resumption: Resumption },
}

#[derive(Clone, Copy)]
pub(super) enum Resumption {
    Count(i64),
    Error(ErrorCode<'static>),
    Silence,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Sok,
    /// SOK to ordinary clients, SERVICE to services.
    SokUnlessService,
    Error(ErrorCode<'static>),
    Silence,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(super) fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::sharded(shards(), Duration::ZERO, change)
    }

    /// One shard, for what is a shard's own: its bounds.
    pub(super) fn alone(change: impl FnOnce(&mut Config)) -> Self {
        Self::sharded(NonZeroU8::MIN, Duration::ZERO, change)
    }

    /// So many shards, between which letters take up to `latency`.
    pub(super) fn sharded(shards: NonZeroU8, latency: Duration, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::new(credentials(1));
        config.allow_test_provider = true;
        change(&mut config);
        let now = Now { mono: Mono::ZERO, wall: Wall::from_secs(1_800_000_000) };
        Self {
            subscriber: Shards::new(&config, shards, latency, &Seed::from_number(7), now),
            now,
            orders: Vec::new(),
            milestones: Vec::new(),
            smp: Smps {
                credentials: credentials(2),
                is_up: true,
                why_down: DownReason::Unreachable,
                queues: BTreeMap::new(),
                asked: Vec::new(),
                links: BTreeMap::new(),
                connects: Vec::new(),
                reaches: Vec::new(),
                shown: BTreeMap::new(),
                services: Services::Unasked,
                resumed: Vec::new(),
                keys: Seed::from_number(8).stream(Stream::Keys),
            },
            accepts_pushes: true,
            trace: Vec::new(),
            closed: Vec::new(),
            devices: BTreeMap::new(),
            devices_read: true,
            links_made: 0,
            source: None,
        }
    }

    pub(super) fn handle(&mut self, input: Input<'_>) {
        self.subscriber.handle(self.now, input);
        self.drain();
    }

    /// Performs effects until there is none, and checks that a second drain finds none.
    pub(super) fn drain(&mut self) {
        while let Step::Do(effect) = self.subscriber.poll() {
            self.trace.push(alloc::format!("{effect:?}"));
            self.perform(effect);
        }
        assert!(matches!(self.subscriber.poll(), Step::Idle(_)), "a second drain yields nothing");
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Link(LinkAction::Connect { link, server, showing, reach, .. }) => {
                self.smp.reaches.push(reach);
                self.connect(link, server, showing.map(|service| service.chain));
            }
            Effect::Link(LinkAction::Send { link, block }) => {
                self.trace.push(hex::encode(sha256(&block)));
                if self.devices_read || !link.is_accepted() {
                    self.subscriber.handle(self.now, Input::Link(LinkEvent::Sent { link, blocks: 1 }));
                }
                if let Some(inbox) = self.devices.get_mut(&link) {
                    inbox.push(block);
                } else {
                    let mut block = block;
                    let Smps { links, queues, asked, resumed, services, .. } = &mut self.smp;
                    let Some(responder) = links.get_mut(&link) else { return };
                    serve(responder, queues, asked, (*services, resumed), link, &mut block);
                    self.pump(link);
                }
            }
            Effect::Link(LinkAction::Close { link }) => {
                self.closed.push(link);
                self.devices.remove(&link);
                self.smp.links.remove(&link);
                let reason = DownReason::Asked;
                self.subscriber.handle(self.now, Input::Link(LinkEvent::Down { link, reason }));
            }
            Effect::Push(order) => {
                let outcome = PushOutcome { id: order.id, result: PushResult::Accepted };
                self.orders.push(order);
                if self.accepts_pushes {
                    self.subscriber.handle(self.now, Input::Outcome(outcome));
                }
            }
            Effect::Milestone(milestone) => self.milestones.push(milestone),
            Effect::Shard { .. } | Effect::HandOff { .. } => panic!("shards settle this among themselves"),
        }
    }

    fn connect(&mut self, link: LinkId, server: ServerAddress, showing: Option<Vec<Box<[u8]>>>) {
        self.smp.connects.push((link, server));
        if !self.smp.is_up {
            let reason = self.smp.why_down;
            return self.subscriber.handle(self.now, Input::Link(LinkEvent::Down { link, reason }));
        }
        let transport = |peer_chain| transport(link, peer_chain);
        let credentials = &self.smp.credentials;
        let shown = match self.smp.services {
            Services::Unasked => Vec::new(),
            Services::Refused | Services::Taken { .. } => showing.unwrap_or_default(),
        };
        let responder =
            Responder::accept(&transport(shown.clone()), credentials, VersionRange::SMP, &mut self.smp.keys);
        self.smp.links.insert(link, responder.unwrap());
        let mut transport = transport(credentials.chain.clone());
        transport.showed_certificate = !shown.is_empty();
        self.smp.shown.insert(link, shown);
        self.subscriber.handle(self.now, Input::Link(LinkEvent::Up { link, transport }));
        self.pump(link);
    }

    /// Hands what an SMP server wrote to the subscriber.
    fn pump(&mut self, link: LinkId) {
        while let Some(mut block) = self.smp.links.get_mut(&link).and_then(Responder::take_block) {
            if let Some(responder) = self.smp.links.get_mut(&link) {
                responder.on_sent(1);
            }
            self.subscriber.handle(self.now, Input::Link(LinkEvent::Block { link, block: &mut block }));
        }
    }

    /// An event from the SMP server at the other end of this link.
    pub(super) fn smp_says(&mut self, link: LinkId, notifier: &[u8], message: &Message<'_>) {
        self.smp.links.get_mut(&link).unwrap().event(notifier, message);
        self.pump(link);
        self.drain();
    }

    /// NMSG for a queue, on the newest link.
    pub(super) fn notify(&mut self, notifier: &[u8], nonce: u8) {
        let link = *self.smp.links.last_key_value().unwrap().0;
        self.smp_says(link, notifier, &Message::Nmsg { nonce: [nonce; 24], meta: &[nonce; 144] });
    }

    /// All links with SMP servers break.
    pub(super) fn break_smp(&mut self) {
        for link in core::mem::take(&mut self.smp.links).into_keys() {
            let reason = DownReason::Broken;
            self.handle(Input::Link(LinkEvent::Down { link, reason }));
        }
    }

    pub(super) fn deadline(&mut self) -> Option<Mono> {
        match self.subscriber.poll() {
            Step::Idle(deadline) => deadline.map(|deadline| deadline.at),
            Step::Do(effect) => panic!("not drained: {effect:?}"),
        }
    }

    /// Lets time pass, waking the subscriber whenever it asked for it.
    pub(super) fn advance(&mut self, span: Duration) {
        let until = self.now.mono + span;
        let (mut wakes, mut in_place) = (0, 0);
        while let Some(at) = self.deadline().filter(|at| *at <= until) {
            let passed = at.since(self.now.mono);
            self.pass(passed);
            self.handle(Input::Tick);
            // What is due comes in slices, so a deadline may stay for some of them.
            in_place = if passed > Duration::ZERO { 0 } else { in_place + 1 };
            assert!(in_place < 1000, "a deadline that stays put");
            wakes += 1;
            assert!(wakes < 100_000, "no progress");
        }
        self.pass(until.since(self.now.mono));
    }

    /// Lets time pass without waking the subscriber.
    pub(super) fn pass(&mut self, span: Duration) {
        self.now.mono = self.now.mono + span;
        self.now.wall =
            Wall::from_millis(self.now.wall.as_millis() + u64::try_from(span.as_millis()).unwrap());
    }

    pub(super) fn outcome(&mut self, id: PushId, result: PushResult) {
        self.handle(Input::Outcome(PushOutcome { id, result }));
    }

    pub(super) fn device(&mut self) -> Device {
        self.device_of(VersionRange::NTF)
    }

    /// A device that is connected and past its hellos.
    pub(super) fn device_of(&mut self, versions: VersionRange<NtfVersion>) -> Device {
        let link = self.open_link();
        let hello = self.devices.get_mut(&link).unwrap().remove(0);
        let identity = credentials(1).identity().unwrap();
        let transport = transport(link, credentials(1).chain);
        let greeting =
            ClientGreeting::<Ntf>::new(transport, identity, versions, BlockEncryption::WherePossible);
        let mut keys = Seed::from_number(3).stream(Stream::Keys);
        let (session, mut answer) = greeting.on_hello(&hello, &mut keys).unwrap();
        self.handle(Input::Link(LinkEvent::Block { link, block: &mut answer }));
        Device::new(link, session)
    }

    /// A device's link with TLS up; our hello has been sent.
    pub(super) fn open_link(&mut self) -> LinkId {
        let link = LinkId::accepted(self.links_made);
        self.links_made += 1;
        self.devices.insert(link, Vec::new());
        let transport = Transport { source: self.source, ..transport(link, Vec::new()) };
        self.handle(Input::Link(LinkEvent::Up { link, transport }));
        link
    }

    pub(super) fn is_open(&self, link: LinkId) -> bool {
        self.devices.contains_key(&link)
    }

    /// The one order made since the last look.
    pub(super) fn take_order(&mut self) -> PushOrder {
        assert_eq!(self.orders.len(), 1, "{:?}", self.orders);
        self.orders.remove(0)
    }

    /// A queue that the SMP servers know.
    pub(super) fn queue(&mut self, number: u8) -> Queue {
        let key = AuthPrivateKey::Ed25519(Ed25519Private::from_seed([number; 32]));
        let notifier = [number; 24];
        self.smp.queues.insert(notifier.into(), (key.public().unwrap(), Answer::Sok));
        Queue { notifier, key }
    }

    /// One of many queues that the SMP servers know.
    pub(super) fn numbered_queue(&mut self, number: u32) -> Queue {
        let mut queue = self.queue(255);
        queue.notifier[..4].copy_from_slice(&number.to_be_bytes());
        let known = (queue.key.public().unwrap(), Answer::Sok);
        self.smp.queues.insert(queue.notifier.into(), known);
        queue
    }

    pub(super) fn answer(&mut self, queue: &Queue, answer: Answer) {
        self.smp.queues.get_mut(&queue.notifier[..]).unwrap().1 = answer;
    }

    pub(super) fn smp_address(&self, host: &str) -> ServerAddress {
        ServerAddress {
            hosts: vec![host.into()],
            port: "".into(),
            identity: self.smp.credentials.identity().unwrap(),
        }
    }
}

/// How many shards the subscriber has: what devices see does not depend on it, so the same tests hold with
/// any number. `NTF_SHARDS=4 cargo test` runs them with four.
pub(super) fn shards() -> NonZeroU8 {
    std::env::var("NTF_SHARDS").ok().and_then(|text| text.parse().ok()).unwrap_or(NonZeroU8::MIN)
}

/// Answers what the subscriber asks an SMP server.
fn serve(
    responder: &mut Responder<Smp>,
    queues: &BTreeMap<Vec<u8>, (AuthPublicKey, Answer)>,
    asked: &mut Vec<(LinkId, Vec<u8>)>,
    (services, resumed): (Services, &mut Vec<LinkId>),
    link: LinkId,
    block: &mut [u8],
) {
    let mut requests = responder.on_block(block).unwrap();
    match services {
        Services::Taken { id, .. } if responder.applicant().is_some() => {
            responder.accept_service(EntityId::new(&[id; 24]).unwrap());
        }
        Services::Unasked | Services::Refused | Services::Taken { .. } => responder.refuse_service(),
    }
    while let Some(request) = responder.next_request(&mut requests) {
        let entity: Vec<u8> = request.entity().into();
        let queue = queues.get(&entity);
        if let (SmpCommand::Nsubs, Services::Taken { resumption, .. }) = (request.command(), services) {
            resumed.push(link);
            let done = responder.verify(request, Credential::Open).unwrap();
            let message = match resumption {
                Resumption::Count(count) => Message::Soks { count },
                Resumption::Error(code) => Message::Err(code),
                Resumption::Silence => continue,
            };
            responder.reply(done.reply_to(), &message);
            continue;
        }
        let credential = match (request.command(), queue) {
            (SmpCommand::Ping, _) => Credential::Open,
            (_, Some((key, _))) => Credential::Key(key),
            (_, None) => Credential::Unknown,
        };
        let is_ping = matches!(request.command(), SmpCommand::Ping);
        if !is_ping {
            asked.push((link, entity));
        }
        let Ok(authorized) = responder.verify(request, credential) else { continue };
        let service = match services {
            Services::Taken { id, .. } if responder.service().is_some() => Some([id; 24]),
            Services::Unasked | Services::Refused | Services::Taken { .. } => None,
        };
        let message = match queue.map(|(_, answer)| answer) {
            _ if is_ping => Message::Pong,
            Some(Answer::Error(code)) => Message::Err(*code),
            Some(Answer::Silence) => continue,
            Some(Answer::SokUnlessService) if service.is_some() => Message::Err(ErrorCode::Service),
            Some(Answer::SokUnlessService) => Message::Sok { service: None },
            Some(Answer::Sok) | None => Message::Sok { service: service.as_ref().map(|id| id.as_slice()) },
        };
        responder.reply(authorized.reply_to(), &message);
    }
}

pub(super) struct Queue {
    pub(super) notifier: [u8; 24],
    pub(super) key: AuthPrivateKey,
}

impl Queue {
    pub(super) fn at(&self, server: ServerAddress) -> NotifierAddress {
        NotifierAddress { server, notifier: EntityId::new(&self.notifier).unwrap() }
    }
}

/// What TLS tells both ends of a link.
fn transport(link: LinkId, peer_chain: Vec<Box<[u8]>>) -> Transport {
    let mut session_id = [5; 32];
    session_id[..8].copy_from_slice(&u64::from(link.is_accepted()).to_be_bytes());
    Transport {
        session_id: session_id.into(),
        has_alpn: true,
        peer_chain,
        showed_certificate: false,
        source: None,
    }
}

/// A server whose leaf key is Ed25519 with this seed. What links read of a certificate is there; TLS would
/// want more.
pub(super) fn credentials(byte: u8) -> ServerCredentials {
    let leaf_key = Ed25519Private::from_seed([byte; 32]);
    let leaf = certificate(&leaf_key.public().to_spki());
    let identity = certificate(&Ed25519Private::from_seed([byte ^ 0xff; 32]).public().to_spki());
    ServerCredentials { chain: vec![leaf, identity], leaf_key: SigningKey::Ed25519(leaf_key) }
}

/// The least that is an X.509 certificate of this key.
fn certificate(spki: &[u8]) -> Box<[u8]> {
    let algorithm = der(0x30, &[&[6, 3, 0x2b, 0x65, 0x70]]);
    let time = der(0x17, &[b"260101000000Z"]);
    let times = der(0x30, &[&time, &time]);
    let nobody = der(0x30, &[]);
    let to_be_signed =
        der(0x30, &[&[0xa0, 3, 2, 1, 2], &[2, 1, 1], &algorithm, &nobody, &times, &nobody, spki]);
    der(0x30, &[&to_be_signed, &algorithm, &der(3, &[&[0; 65]])]).into()
}

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut out = vec![tag];
    match u8::try_from(content.len()).unwrap() {
        len @ ..128 => out.push(len),
        len => out.extend([0x81, len]),
    }
    out.extend(content);
    out
}
