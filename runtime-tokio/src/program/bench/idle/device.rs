//! Who has all queues watched: one after the other of a town's devices, each over a link of its own, since a link is granted
//! only so many commands.
//!
//! What it would do at a deadline it leaves: whoever sends it gives up by itself when nothing comes of it.

use std::collections::VecDeque;
use std::ops::Range;

use ntf_core::base::id::{EntityId, LinkId};
use ntf_core::base::rng::{Rng, Seed, Stream};
use ntf_core::link::engine::{EnginePlan, LinkNumbers, NtfClient};
use ntf_core::link::event::{LinkAction, LinkEvent};
use ntf_core::model::knowledge::Fact;
use ntf_core::model::server::ServerAddress;
use ntf_core::model::shard::ShardId;
use ntf_core::model::token::Provider;
use ntf_core::wire::ntf::command::{Command, Device as DeviceName};
use ntf_core::{Machine, Now, Step};

use crate::driver::{Role, Sorted};
use crate::program::bench::town::{Registered, Said, device_token, own_keys, snew};
use crate::roles::Nothing;

/// Its end of the link.
pub(super) struct Device {
    server: ServerAddress,
    rng: Rng,
    engine: Option<NtfClient<()>>,
    /// That of the engine; what comes from those before is not listened to.
    link: Option<LinkId>,
    /// Where the queues are.
    servers: Vec<ServerAddress>,
    numbers: LinkNumbers,
    asks: VecDeque<Asks>,
    /// It is leaving, and tells nothing more.
    is_over: bool,
}

/// What it is told to do.
#[derive(Debug)]
pub(super) enum Errand {
    /// It leaves the link that it has, and opens another one.
    Connect,
    /// It registers as the device of this number.
    Register(u64),
    /// It verifies with the code that was pushed.
    Verify(Registered, Vec<u8>),
    /// It has these queues watched, which are spread over the servers.
    Subscribe(Registered, Range<u64>),
}

/// What happens to it.
pub(super) enum Happens<'a> {
    Link(LinkEvent<'a>),
    Nothing,
    Stop,
}

/// What it asks for.
pub(super) enum Asks {
    Link(LinkAction),
    Tell(Said),
}

impl Device {
    pub(super) fn new(server: ServerAddress, servers: Vec<ServerAddress>, seed: &Seed) -> Self {
        Self {
            server,
            rng: seed.stream(Stream::World),
            engine: None,
            link: None,
            servers,
            numbers: LinkNumbers::default(),
            asks: VecDeque::new(),
            is_over: false,
        }
    }

    fn tell(&mut self, said: Said) {
        if !self.is_over {
            self.asks.push_back(Asks::Tell(said));
        }
    }

    fn run(&mut self, now: Now, errand: Errand) -> Result<(), String> {
        match errand {
            Errand::Connect => {
                self.hang_up();
                let seed = Seed::new(self.rng.bytes());
                let engine = NtfClient::new(self.server.clone(), EnginePlan::default(), &seed);
                self.engine.insert(engine).connect(now);
                Ok(())
            }
            Errand::Register(number) => {
                let (key, dh) = own_keys(number);
                let auth = key.public().ok_or("a key of this build has no public half")?;
                let token = device_token(number);
                let device = DeviceName { provider: Provider::ApnsTest, token: token.as_bytes() };
                self.ask(now, number, None, &Command::Tnew { device, auth, dh: dh.public() })
            }
            Errand::Verify(device, code) => {
                self.ask(now, device.number, device.entity().as_ref(), &Command::Tvfy { code: &code })
            }
            Errand::Subscribe(device, mut queues) => queues.try_for_each(|queue| {
                let at = usize::try_from(queue).ok().and_then(|queue| queue.checked_rem(self.servers.len()));
                let server = at.and_then(|at| self.servers.get(at)).cloned();
                let snew = server.and_then(|server| snew(&device, server, queue));
                self.ask(now, device.number, None, &snew.ok_or("there is no such server")?)
            }),
        }
    }

    fn ask(
        &mut self,
        now: Now,
        device: u64,
        entity: Option<&EntityId>,
        command: &Command<'_>,
    ) -> Result<(), String> {
        let (key, _) = own_keys(device);
        let engine = self.engine.as_mut().ok_or("it is not connected")?;
        engine.request(now, entity, Some(&key), command, ()).map_err(|why| format!("{why:?}"))
    }

    fn on_link(&mut self, now: Now, event: LinkEvent<'_>) {
        let Some(engine) = self.engine.as_mut().filter(|_| self.link == Some(event.link())) else { return };
        let mut said = Vec::new();
        let mut inbox = engine.on_link(now, event);
        while let Some(event) = engine.next(&mut inbox) {
            said.push(Said::of(&event));
        }
        said.into_iter().for_each(|said| self.tell(said));
        self.carry();
    }

    /// Takes over what the link wants done.
    fn carry(&mut self) {
        let Some(engine) = &mut self.engine else { return };
        while let Some(action) = engine.poll(&mut self.numbers) {
            if let LinkAction::Connect { link, .. } = action {
                self.link = Some(link);
            }
            self.asks.push_back(Asks::Link(action));
        }
    }

    fn hang_up(&mut self) {
        if let Some(engine) = &mut self.engine {
            engine.disconnect();
        }
        self.carry();
        self.engine = None;
    }
}

impl Machine for Device {
    type Input<'a> = Happens<'a>;
    type Effect = Asks;

    fn handle(&mut self, now: Now, input: Happens<'_>) {
        match input {
            Happens::Link(event) => self.on_link(now, event),
            Happens::Nothing => {}
            Happens::Stop => {
                self.is_over = true;
                self.hang_up();
            }
        }
    }

    fn poll(&mut self) -> Step<Asks> {
        self.asks.pop_front().map_or(Step::Idle(None), Step::Do)
    }
}

impl Role for Device {
    type Mail = Errand;
    type Report = Said;
    type Word = Nothing;

    fn link_input(event: LinkEvent<'_>) -> Happens<'_> {
        Happens::Link(event)
    }

    fn on_mail(&mut self, now: Now, mail: Errand) {
        if let Err(why) = self.run(now, mail) {
            self.tell(Said::Else(why));
        }
        self.carry();
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
            Asks::Tell(said) => Sorted::Report(said),
        }
    }
}
