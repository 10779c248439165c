//! Many devices at one subscriber, each with a link of its own, in one role.
//!
//! They connect and register when told to, and stay connected. What they would do at a deadline they leave: whoever
//! tells them to do something gives up by itself when nothing comes of it.

use std::collections::{HashMap, VecDeque};

use ntf_core::base::id::LinkId;
use ntf_core::base::rng::{Rng, Seed, Stream};
use ntf_core::crypto::keys::{AuthPrivateKey, Ed25519Private, X25519Private};
use ntf_core::link::engine::{ClientEvent, EnginePlan, LinkNumbers, NtfClient};
use ntf_core::link::event::{LinkAction, LinkEvent};
use ntf_core::model::knowledge::Fact;
use ntf_core::model::server::ServerAddress;
use ntf_core::model::shard::ShardId;
use ntf_core::model::token::Provider;
use ntf_core::wire::ntf::command::{Command, Device};
use ntf_core::wire::ntf::response::Response;
use ntf_core::{Machine, Now, Step};

use crate::driver::{Role, Sorted};
use crate::program::bench::town::device_token;
use crate::roles::Nothing;

/// The devices.
pub(super) struct Crowd {
    server: ServerAddress,
    rng: Rng,
    /// Each one's end of its link, by its number.
    engines: Vec<NtfClient<()>>,
    by_link: HashMap<LinkId, u32>,
    numbers: LinkNumbers,
    asks: VecDeque<Asks>,
    /// They are leaving, and tell nothing more.
    is_over: bool,
}

/// What a device is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Errand {
    /// One more device, whose number is the next, opens its link.
    Connect,
    /// The device of this number registers.
    Register(u32),
}

/// What devices tell.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The link of this device is open, and the hellos are said.
    Ready(u32),
    /// A device cannot go on, for this reason.
    Failed(String),
}

/// What happens to them.
pub(super) enum Happens<'a> {
    Link(LinkEvent<'a>),
    Errand(Errand),
    Nothing,
    Stop,
}

/// What they ask for.
pub(super) enum Asks {
    Link(LinkAction),
    Tell(Told),
}

impl Crowd {
    /// Nobody yet.
    pub(super) fn new(server: ServerAddress, seed: &Seed) -> Self {
        Self {
            server,
            rng: seed.stream(Stream::World),
            engines: Vec::new(),
            by_link: HashMap::new(),
            numbers: LinkNumbers::default(),
            asks: VecDeque::new(),
            is_over: false,
        }
    }

    fn engine(&mut self, device: u32) -> Option<&mut NtfClient<()>> {
        usize::try_from(device).ok().and_then(|at| self.engines.get_mut(at))
    }

    fn tell(&mut self, told: Told) {
        if !self.is_over {
            self.asks.push_back(Asks::Tell(told));
        }
    }

    fn connect(&mut self, now: Now) {
        let device = u32::try_from(self.engines.len()).unwrap_or(u32::MAX);
        let seed = Seed::new(self.rng.bytes());
        let mut engine = NtfClient::new(self.server.clone(), EnginePlan::default(), &seed);
        engine.connect(now);
        self.engines.push(engine);
        self.carry(device);
    }

    /// Nothing follows here, so its keys are forgotten.
    fn register(&mut self, now: Now, device: u32) {
        let key = AuthPrivateKey::Ed25519(Ed25519Private::generate(&mut self.rng));
        let dh = X25519Private::generate(&mut self.rng).public();
        let token = device_token(device.into());
        let Some(auth) = key.public() else { return };
        let tnew = Command::Tnew {
            device: Device { provider: Provider::ApnsTest, token: token.as_bytes() },
            auth,
            dh,
        };
        let Some(engine) = self.engine(device) else { return };
        if let Err(why) = engine.request(now, None, Some(&key), &tnew, ()) {
            self.tell(Told::Failed(format!("a device cannot ask: {why:?}")));
        }
        self.carry(device);
    }

    fn on_link(&mut self, now: Now, event: LinkEvent<'_>) {
        let Some(device) = self.by_link.get(&event.link()).copied() else { return };
        let Some(engine) = self.engine(device) else { return };
        let mut told = Vec::new();
        let mut inbox = engine.on_link(now, event);
        while let Some(event) = engine.next(&mut inbox) {
            told.extend(match event {
                ClientEvent::Ready { .. } => Some(Told::Ready(device)),
                ClientEvent::Reply { result: Ok(Response::Idtkn { .. }), .. } => None,
                other @ (ClientEvent::Reply { .. }
                | ClientEvent::Unasked { .. }
                | ClientEvent::TimedOut { .. }
                | ClientEvent::Lost { .. }
                | ClientEvent::Down { .. }
                | ClientEvent::Unreachable { .. }
                | ClientEvent::Stray(_)) => Some(Told::Failed(format!("a device hears {other:?}"))),
            });
        }
        told.into_iter().for_each(|told| self.tell(told));
        self.carry(device);
    }

    /// Takes over what a device wants done.
    fn carry(&mut self, device: u32) {
        let Some(engine) = usize::try_from(device).ok().and_then(|at| self.engines.get_mut(at)) else {
            return;
        };
        while let Some(action) = engine.poll(&mut self.numbers) {
            if let LinkAction::Connect { link, .. } = action {
                self.by_link.insert(link, device);
            }
            self.asks.push_back(Asks::Link(action));
        }
    }

    fn stop(&mut self) {
        self.is_over = true;
        for device in (0..).take(self.engines.len()) {
            if let Some(engine) = self.engine(device) {
                engine.disconnect();
            }
            self.carry(device);
        }
    }
}

impl Machine for Crowd {
    type Input<'a> = Happens<'a>;
    type Effect = Asks;

    fn handle(&mut self, now: Now, input: Happens<'_>) {
        match input {
            Happens::Link(event) => self.on_link(now, event),
            Happens::Errand(Errand::Connect) => self.connect(now),
            Happens::Errand(Errand::Register(device)) => self.register(now, device),
            Happens::Nothing => {}
            Happens::Stop => self.stop(),
        }
    }

    fn poll(&mut self) -> Step<Asks> {
        self.asks.pop_front().map_or(Step::Idle(None), Step::Do)
    }
}

impl Role for Crowd {
    type Mail = Errand;
    type Report = Told;
    type Word = Nothing;

    fn link_input(event: LinkEvent<'_>) -> Happens<'_> {
        Happens::Link(event)
    }

    fn on_mail(&mut self, now: Now, mail: Errand) {
        self.handle(now, Happens::Errand(mail));
    }

    fn on_word(&mut self, _: Now, _: ShardId, word: Nothing) {
        match word {}
    }

    fn tick_input() -> Happens<'static> {
        Happens::Nothing
    }

    fn stop_input() -> Happens<'static> {
        Happens::Stop
    }

    fn facts(&self) -> Vec<Fact> {
        Vec::new()
    }

    fn sort(effect: Asks) -> Sorted<Self> {
        match effect {
            Asks::Link(action) => Sorted::Link(action),
            Asks::Tell(told) => Sorted::Report(told),
        }
    }
}
