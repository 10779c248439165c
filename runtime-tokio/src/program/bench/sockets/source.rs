//! The source of notifications: an SMP server, and a sender that reaches it without a socket.
//!
//! Messages of a sender over TLS would cost several times what is measured, so sender and server
//! hand each other their blocks. All else is the server that `ntf smp` runs.

use std::collections::VecDeque;

use ntf_core::base::id::{EntityId, LinkId};
use ntf_core::base::rng::Seed;
use ntf_core::link::engine::LinkNumbers;
use ntf_core::link::event::{LinkAction, LinkEvent, Transport};
use ntf_core::link::state::BlockEncryption;
use ntf_core::model::knowledge::Fact;
use ntf_core::model::server::ServerAddress;
use ntf_core::model::shard::ShardId;
use ntf_core::smp::client::{SmpClient, SmpEvent, SmpPlan};
use ntf_core::smp::server::{Effect, Input, Server};
use ntf_core::wire::smp::command::Command;
use ntf_core::wire::smp::response::Message;
use ntf_core::{Deadline, Machine, Now, Step};

use crate::driver::{Role, Sorted};
use crate::roles::Nothing;

/// The server's end of the sender's link: a number that no listener comes to.
const SERVER_END: LinkId = LinkId::accepted(u64::MAX >> 1);

/// An SMP server that is told of messages by letters.
pub(super) struct Source {
    server: Server,
    chain: Vec<Box<[u8]>>,
    sender: SmpClient<u32>,
    numbers: LinkNumbers,
    /// The sender's end.
    sender_end: Option<LinkId>,
    now: Now,
    /// Devices whose message the server has, and whose notification waits for its round.
    waiting: Vec<u32>,
    told: VecDeque<Told>,
    /// What follows what is told.
    next: Option<LinkAction>,
}

/// A message for a device without content.
#[derive(Debug)]
pub(super) struct Send {
    pub(super) device: u32,
    pub(super) to: EntityId,
}

/// What the source tells of its work.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// The notifications of these devices are on their way to the socket.
    Left(Vec<u32>),
    /// The server took no message, for this reason.
    Refused(String),
}

/// What happens to the source.
pub(super) enum Happens<'a> {
    Server(Input<'a>),
    Send(Send),
}

/// What it asks for.
pub(super) enum Asks {
    Link(LinkAction),
    Tell(Told),
}

impl Source {
    pub(super) fn new(
        server: Server,
        chain: Vec<Box<[u8]>>,
        address: ServerAddress,
        seed: &Seed,
        now: Now,
    ) -> Self {
        // Nobody listens between the two.
        let plan = SmpPlan { encryption: BlockEncryption::Never, ..SmpPlan::default() };
        let mut sender = SmpClient::new(address, plan, seed);
        sender.connect(now);
        Self {
            server,
            chain,
            sender,
            numbers: LinkNumbers::default(),
            sender_end: None,
            now,
            waiting: Vec::new(),
            told: VecDeque::new(),
            next: None,
        }
    }

    /// Carries what the sender wants. Whether there was anything.
    fn carry_from_sender(&mut self) -> bool {
        let Some(action) = self.sender.poll(&mut self.numbers) else { return false };
        match action {
            LinkAction::Connect { link, .. } => {
                self.sender_end = Some(link);
                let transport = Transport {
                    session_id: Box::from([7; 32]),
                    has_alpn: true,
                    peer_chain: self.chain.clone(),
                    showed_certificate: false,
                    source: None,
                };
                let up = LinkEvent::Up { link, transport: transport.clone() };
                let _ = self.sender.on_link(self.now, up);
                let transport = Transport { peer_chain: Vec::new(), ..transport };
                self.server.handle(self.now, Input::Link(LinkEvent::Up { link: SERVER_END, transport }));
            }
            LinkAction::Send { link, mut block } => {
                let _ = self.sender.on_link(self.now, LinkEvent::Sent { link, blocks: 1 });
                let block = LinkEvent::Block { link: SERVER_END, block: &mut block };
                self.server.handle(self.now, Input::Link(block));
            }
            // It closes only what has failed, and that is told by answers that do not come.
            LinkAction::Close { .. } => {}
        }
        true
    }

    /// Carries a block of the server to the sender.
    fn carry_to_sender(&mut self, mut block: Box<[u8]>) {
        let Some(link) = self.sender_end else { return };
        self.server.handle(self.now, Input::Link(LinkEvent::Sent { link: SERVER_END, blocks: 1 }));
        let mut inbox = self.sender.on_link(self.now, LinkEvent::Block { link, block: &mut block });
        while let Some(event) = self.sender.next(&mut inbox) {
            if let SmpEvent::Reply { tag, result: Ok(Message::Ok), .. } = event {
                self.waiting.push(tag);
            } else if !matches!(event, SmpEvent::Ready { .. }) {
                self.told.push_back(Told::Refused(format!("{event:?}")));
            }
        }
    }
}

impl Machine for Source {
    type Input<'a> = Happens<'a>;
    type Effect = Asks;

    fn handle(&mut self, now: Now, input: Happens<'_>) {
        self.now = now;
        match input {
            Happens::Server(Input::Tick) => {
                self.sender.tick(now);
                self.server.handle(now, Input::Tick);
            }
            Happens::Server(input) => self.server.handle(now, input),
            Happens::Send(Send { device, to }) => {
                let command = Command::Send { notify: true, message: b"!" };
                if let Err(why) = self.sender.request(now, Some(&to), None, &command, device) {
                    self.told.push_back(Told::Refused(format!("{why:?}")));
                }
            }
        }
    }

    fn poll(&mut self) -> Step<Asks> {
        loop {
            if let Some(told) = self.told.pop_front() {
                return Step::Do(Asks::Tell(told));
            }
            if let Some(action) = self.next.take() {
                return Step::Do(Asks::Link(action));
            }
            match self.server.poll() {
                Step::Do(Effect::Link(LinkAction::Send { link, block })) if link == SERVER_END => {
                    self.carry_to_sender(block);
                }
                Step::Do(Effect::Link(action)) => {
                    if matches!(action, LinkAction::Send { .. }) && !self.waiting.is_empty() {
                        self.told.push_back(Told::Left(std::mem::take(&mut self.waiting)));
                    }
                    self.next = Some(action);
                }
                Step::Idle(deadline) if !self.carry_from_sender() => {
                    let both = deadline.into_iter().chain(self.sender.deadline());
                    return Step::Idle(both.min_by_key(|deadline: &Deadline| deadline.at));
                }
                Step::Idle(_) => {}
            }
        }
    }
}

impl Role for Source {
    type Mail = Send;
    type Report = Told;
    type Word = Nothing;

    fn link_input(event: LinkEvent<'_>) -> Happens<'_> {
        Happens::Server(Input::Link(event))
    }

    fn on_mail(&mut self, now: Now, mail: Send) {
        self.handle(now, Happens::Send(mail));
    }

    fn on_word(&mut self, _: Now, _: ShardId, word: Nothing) {
        match word {}
    }

    fn tick_input() -> Happens<'static> {
        Happens::Server(Input::Tick)
    }

    fn stop_input() -> Happens<'static> {
        Happens::Server(Input::Stop)
    }

    fn facts(&self) -> Vec<Fact> {
        self.server.knowledge()
    }

    fn sort(effect: Asks) -> Sorted<Self> {
        match effect {
            Asks::Link(action) => Sorted::Link(action),
            Asks::Tell(told) => Sorted::Report(told),
        }
    }
}
