//! One subscriber that is served, and one link of it.

use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use core::time::Duration;

use crate::base::budget::{Admit, Budget};
use crate::base::id::LinkId;
use crate::base::limits::LINK_WINDOW_BLOCKS;
use crate::base::time::Mono;
use crate::link::event::Block;
use crate::model::server::Fingerprint;
use crate::relay::frame::{Answer, BlockWriter, Frame, INSTANCE_LEN, Outcome, Room};
use crate::relay::push_end::config::Limits;
use crate::relay::push_end::requests::Requests;

/// A subscriber by its name, whether it is connected or not.
pub(super) struct Peer {
    pub(super) name: Box<str>,
    pub(super) limits: Limits,
    /// The instance whose numbers are known, and how many there were before it.
    pub(super) instance: Option<[u8; INSTANCE_LEN]>,
    pub(super) epoch: u64,
    pub(super) requests: Requests,
    /// Orders that the push server has, those of earlier instances included.
    pub(super) in_hand: usize,
    /// The link that was welcomed last.
    pub(super) link: Option<LinkId>,
    /// A link that has yet to say hello. At most one, so that a subscriber holds two links at most.
    pub(super) greeting: Option<LinkId>,
    short: Budget,
    long: Budget,
}

impl Peer {
    pub(super) fn new(name: Box<str>, limits: Limits) -> Self {
        Self {
            name,
            limits,
            instance: None,
            epoch: 0,
            requests: Requests::default(),
            in_hand: 0,
            link: None,
            greeting: None,
            short: Budget::new(),
            long: Budget::new(),
        }
    }

    /// Books one push, or says how long it has to wait. What waits is not booked.
    pub(super) fn admit(&mut self, now: Mono) -> Result<(), Duration> {
        let (mut short, mut long) = (self.short, self.long);
        let answers = [short.admit(now, self.limits.short), long.admit(now, self.limits.long)];
        let later = answers.into_iter().filter_map(|answer| match answer {
            Admit::Now => None,
            Admit::Later(at) => Some(at.since(now)),
        });
        if let Some(wait) = later.max() {
            return Err(wait);
        }
        (self.short, self.long) = (short, long);
        Ok(())
    }

    /// Another instance counts from the beginning; the same one goes on where it was.
    pub(super) fn is_now(&mut self, instance: [u8; INSTANCE_LEN]) {
        if self.instance != Some(instance) {
            self.instance = Some(instance);
            self.epoch = self.epoch.saturating_add(1);
            self.requests = Requests::default();
        }
    }
}

/// A link of a subscriber that is served.
pub(super) struct Link {
    pub(super) peer: usize,
    /// What its certificate says; sealed tokens are bound to it.
    pub(super) identity: Fingerprint,
    pub(super) phase: Phase,
    pub(super) heard: Mono,
}

pub(super) enum Phase {
    /// Until the hello.
    Greeting,
    Open(Open),
}

/// What goes on over a welcomed link.
#[derive(Default)]
pub(super) struct Open {
    /// Numbers asked for and not answered on this link: each takes a credit, so these are no more than the
    /// subscriber's limit.
    pub(super) asked: BTreeSet<u64>,
    /// Answers that are in no block yet: no more than were asked for.
    answers: VecDeque<Outcome>,
    pub(super) owes_pong: bool,
    pub(super) owes_drain: bool,
    pub(super) unsent_blocks: u32,
}

impl Open {
    /// Answers a number of this link. What was not asked for here is not answered here.
    pub(super) fn answer(&mut self, request: u64, result: Answer) -> Heard {
        if !self.asked.contains(&request) {
            return Heard::No;
        }
        self.answers.push_back(Outcome { request, result });
        Heard::Yes
    }

    /// The next block, if there is anything to say and the peer takes blocks.
    pub(super) fn next_block(&mut self) -> Option<Block> {
        if self.unsent_blocks >= LINK_WINDOW_BLOCKS {
            return None;
        }
        let mut writer = BlockWriter::new();
        for (owed, frame) in [(&mut self.owes_pong, Frame::Pong), (&mut self.owes_drain, Frame::Drain)] {
            if core::mem::take(owed) {
                let pushed = writer.push(&frame);
                debug_assert!(pushed.is_ok(), "a frame without fields fits");
            }
        }
        while let Some(outcome) = self.answers.front() {
            if writer.push(&Frame::Outcome(*outcome)) != Ok(Room::Yes) {
                break;
            }
            // Its credit is the subscriber's again when it reads this, so it is ours no longer.
            self.asked.remove(&outcome.request);
            self.answers.pop_front();
        }
        let block = writer.finish()?;
        self.unsent_blocks = self.unsent_blocks.saturating_add(1);
        Some(block)
    }
}

/// Whether somebody was there for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Yes,
    No,
}
