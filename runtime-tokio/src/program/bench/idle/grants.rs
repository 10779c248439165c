//! An SMP server over sockets that grants every NSUB and then says nothing: the town's stub behind a real link.

use std::collections::{HashMap, VecDeque};

use ntf_core::base::id::LinkId;
use ntf_core::base::rng::{Rng, Seed, Stream};
use ntf_core::crypto::cert::ServerCredentials;
use ntf_core::link::dialect::Smp;
use ntf_core::link::event::{LinkAction, LinkEvent};
use ntf_core::link::responder::Responder;
use ntf_core::model::knowledge::Fact;
use ntf_core::model::shard::ShardId;
use ntf_core::wire::version::VersionRange;
use ntf_core::{Machine, Now, Step};

use crate::driver::{Role, Sorted};
use crate::program::bench::town::grant;
use crate::roles::Nothing;

/// The server's ends of its links.
pub(super) struct Grants {
    credentials: ServerCredentials,
    links: HashMap<LinkId, Responder<Smp>>,
    granted: i64,
    rng: Rng,
    asks: VecDeque<Asks>,
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
    /// So many more queues are granted.
    Tell(i64),
}

impl Grants {
    pub(super) fn new(credentials: ServerCredentials, seed: &Seed) -> Self {
        let rng = seed.stream(Stream::World);
        Self { credentials, links: HashMap::new(), granted: 0, rng, asks: VecDeque::new() }
    }

    fn on_link(&mut self, event: LinkEvent<'_>) {
        let link = event.link();
        let mut blocks = Vec::new();
        match event {
            LinkEvent::Up { transport, .. } => {
                let keys = &mut self.rng;
                let accepted = Responder::accept(&transport, &self.credentials, VersionRange::SMP, keys);
                if let Ok(mut responder) = accepted {
                    blocks.extend(responder.take_block());
                    self.links.insert(link, responder);
                }
            }
            LinkEvent::Block { block, .. } => {
                let before = self.granted;
                if let Some(responder) = self.links.get_mut(&link) {
                    blocks = grant(responder, block, &mut self.granted);
                }
                if self.granted != before {
                    self.asks.push_back(Asks::Tell(self.granted - before));
                }
            }
            LinkEvent::Sent { blocks, .. } => {
                if let Some(responder) = self.links.get_mut(&link) {
                    responder.on_sent(blocks);
                }
            }
            LinkEvent::Down { .. } => _ = self.links.remove(&link),
        }
        self.asks.extend(blocks.into_iter().map(|block| Asks::Link(LinkAction::Send { link, block })));
    }
}

impl Machine for Grants {
    type Input<'a> = Happens<'a>;
    type Effect = Asks;

    fn handle(&mut self, _: Now, input: Happens<'_>) {
        match input {
            Happens::Link(event) => self.on_link(event),
            Happens::Nothing => {}
            Happens::Stop => {
                let closes = self.links.drain().map(|(link, _)| Asks::Link(LinkAction::Close { link }));
                self.asks.extend(closes);
            }
        }
    }

    fn poll(&mut self) -> Step<Asks> {
        self.asks.pop_front().map_or(Step::Idle(None), Step::Do)
    }
}

impl Role for Grants {
    type Mail = Nothing;
    type Report = i64;
    type Word = Nothing;

    fn link_input(event: LinkEvent<'_>) -> Happens<'_> {
        Happens::Link(event)
    }

    fn on_mail(&mut self, _: Now, mail: Nothing) {
        match mail {}
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
            Asks::Tell(granted) => Sorted::Report(granted),
        }
    }
}
