//! What happens to the link: it comes up, the push server speaks, it goes away.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;

use super::{Effect, Open, State, SubscriberEnd, Timer};
use crate::base::id::LinkId;
use crate::base::reach::Reach;
use crate::link::event::{DownReason, LinkAction, LinkEvent};
use crate::link::keepalive::Keepalive;
use crate::model::server::Protocol;
use crate::relay::frame::{Farewell, Frame, Frames, Hello, Outcome, VERSION, Welcome, block_of};

impl SubscriberEnd {
    /// Asks for a link.
    pub(super) fn dial(&mut self) -> LinkAction {
        let link = self.links.next();
        self.state = State::Connecting { link };
        self.timers.set(Timer::Welcome, self.now.mono + self.config.hello_timeout);
        LinkAction::Connect {
            link,
            protocol: Protocol::Relay,
            server: self.config.server.clone(),
            showing: Some(Box::new(self.config.credentials.clone())),
            // The operator names the push server; it may well be in the same house.
            reach: Reach::Anywhere,
        }
    }

    pub(super) fn on_link(&mut self, event: LinkEvent<'_>) {
        // Events of links that were left behind are nobody's.
        if self.link() != Some(event.link()) {
            return;
        }
        match event {
            LinkEvent::Up { link, .. } => {
                let hello = Hello { version_min: VERSION, version_max: VERSION, instance: self.instance };
                let block = block_of(&Frame::Hello(hello));
                self.outbox.push(Effect::Link(LinkAction::Send { link, block }));
                self.state = State::Greeting { link };
            }
            LinkEvent::Block { link, block } => self.on_block(link, block),
            LinkEvent::Sent { blocks, .. } => {
                if let State::Open(open) = &mut self.state {
                    open.unsent_blocks = open.unsent_blocks.saturating_sub(blocks);
                }
            }
            LinkEvent::Down { reason, .. } => {
                if reason == DownReason::WrongIdentity {
                    self.counters.wrong_identity.count();
                }
                self.on_lost();
            }
        }
    }

    fn link(&self) -> Option<LinkId> {
        match &self.state {
            State::Connecting { link } | State::Greeting { link } => Some(*link),
            State::Open(open) => Some(open.link),
            State::Dialling | State::Waiting | State::Stopped => None,
        }
    }

    fn on_block(&mut self, link: LinkId, block: &[u8]) {
        if let State::Open(open) = &mut self.state {
            open.keepalive.on_heard(self.now.mono);
        }
        for frame in Frames::of(block) {
            let is_understood = frame.is_ok_and(|frame| self.on_frame(link, frame));
            if !is_understood {
                self.counters.faults.count();
                return self.leave(Some(Farewell::Fault));
            }
            // A goodbye ends the link, and with it the block.
            if self.link() != Some(link) {
                return;
            }
        }
    }

    /// Says whether the frame may come here.
    fn on_frame(&mut self, link: LinkId, frame: Frame<'_>) -> bool {
        match (&mut self.state, frame) {
            (State::Greeting { .. }, Frame::Welcome(welcome)) => self.on_welcome(link, welcome),
            (State::Open(open), Frame::Outcome(outcome)) => {
                // Nobody is answered who has not asked.
                if !open.asked.remove(&outcome.request) {
                    return false;
                }
                self.on_outcome(outcome);
                true
            }
            (State::Open(open), Frame::Credits(credits)) => {
                open.credits = credits.min(self.config.credits_max);
                true
            }
            (State::Open(open), Frame::Drain) => {
                open.credits = 0;
                true
            }
            (State::Open(open), Frame::Ping) => {
                open.owes_pong = true;
                true
            }
            (State::Open(_), Frame::Pong) => true,
            (State::Greeting { .. } | State::Open(_), Frame::Goodbye(why)) => {
                self.on_goodbye(why);
                true
            }
            (
                State::Dialling
                | State::Waiting
                | State::Connecting { .. }
                | State::Greeting { .. }
                | State::Open(_)
                | State::Stopped,
                _,
            ) => false,
        }
    }

    fn on_welcome(&mut self, link: LinkId, welcome: Welcome) -> bool {
        if welcome.version != VERSION {
            return false;
        }
        self.counters.welcomed.count();
        self.timers.cancel(&Timer::Welcome);
        let mut keepalive = Keepalive::new(self.config.keepalive);
        keepalive.watch(self.now.mono);
        self.state = State::Open(Open {
            link,
            credits: welcome.credits.min(self.config.credits_max),
            asked: BTreeSet::new(),
            keepalive,
            unsent_blocks: 0,
            owes_ping: false,
            owes_pong: false,
        });
        true
    }

    fn on_outcome(&mut self, outcome: Outcome) {
        // A push server that does its work is there again, however often it went before.
        self.backoff.reset();
        let Some(held) = self.orders.remove(&outcome.request) else { return };
        self.timers.cancel(&Timer::Order(outcome.request));
        self.counters.answered.count();
        let push = held.order.id;
        if let Some(device) = outcome.result.device() {
            self.outbox.push(Effect::Recognised { push, device });
        }
        self.report(push, outcome.result.to_model());
    }

    fn on_goodbye(&mut self, why: Farewell) {
        if why == Farewell::Replaced {
            // Two processes with one identity: whoever comes last is served, so hurrying would only make
            // them push each other out.
            self.counters.replaced.count();
            self.backoff.exhaust();
        }
        self.leave(None);
    }

    /// Closes the link, with a word if there is one to say, and waits before the next.
    pub(super) fn leave(&mut self, word: Option<Farewell>) {
        let Some(link) = self.link() else { return };
        let is_up = !matches!(self.state, State::Connecting { .. });
        if let Some(why) = word.filter(|_| is_up) {
            let block = block_of(&Frame::Goodbye(why));
            self.outbox.push(Effect::Link(LinkAction::Send { link, block }));
        }
        self.outbox.push(Effect::Link(LinkAction::Close { link }));
        self.on_lost();
    }

    /// The link is gone. What was sent and not answered is sent again on the next one.
    fn on_lost(&mut self) {
        self.counters.lost.count();
        self.timers.cancel(&Timer::Welcome);
        if let State::Open(open) = core::mem::replace(&mut self.state, State::Waiting) {
            self.unsent.extend(open.asked.into_iter().filter(|request| self.orders.contains_key(request)));
        }
        let pause = self.backoff.next_delay(self.config.retry, &mut self.jitter);
        self.timers.set(Timer::Connect, self.now.mono + pause);
    }
}
