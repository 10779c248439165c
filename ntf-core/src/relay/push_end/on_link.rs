//! Links of subscribers: let in by their certificates, greeted, read, and closed when something is wrong.

use super::peer::{Link, Open, Phase};
use super::{Effect, PushEnd, Running, Timer};
use crate::base::id::LinkId;
use crate::base::limits::LINK_WINDOW_BLOCKS;
use crate::base::meter::Counter;
use crate::crypto::cert::identity_of;
use crate::link::event::{LinkAction, LinkEvent, Transport};
use crate::relay::frame::{Farewell, Frame, Frames, Hello, VERSION, Welcome, block_of};
use crate::relay::push_end::config::Counters;

impl PushEnd {
    pub(super) fn on_link(&mut self, event: LinkEvent<'_>) {
        match event {
            LinkEvent::Up { link, transport } => self.on_up(link, &transport),
            LinkEvent::Block { link, block } => self.on_block(link, block),
            LinkEvent::Sent { link, blocks } => {
                if let Some(Link { phase: Phase::Open(open), .. }) = self.links.get_mut(&link) {
                    open.unsent_blocks = open.unsent_blocks.saturating_sub(blocks);
                    self.busy.insert(link);
                }
            }
            LinkEvent::Down { link, .. } => _ = self.forget_link(link),
        }
    }

    /// TLS has checked that the peer holds the key of what it shows; here is where it is somebody.
    fn on_up(&mut self, link: LinkId, transport: &Transport) {
        if self.phase == Running::Draining {
            return self.turn_away(link, |counters| &mut counters.links.leaving);
        }
        let Ok(identity) = identity_of(&transport.peer_chain) else {
            return self.turn_away(link, |counters| &mut counters.links.nameless);
        };
        let Some(index) = self.by_identity.get(&identity).copied() else {
            return self.turn_away(link, |counters| &mut counters.links.strangers);
        };
        self.counters.links.accepted.count();
        let earlier = self.peers.get_mut(index).and_then(|peer| peer.greeting.replace(link));
        if let Some(earlier) = earlier {
            self.close(earlier, None);
        }
        self.timers.set(Timer::Link(link), self.now.mono + self.config.hello_timeout);
        self.links.insert(link, Link { peer: index, identity, phase: Phase::Greeting, heard: self.now.mono });
    }

    fn turn_away(&mut self, link: LinkId, counter: impl FnOnce(&mut Counters) -> &mut Counter) {
        counter(&mut self.counters).count();
        self.outbox.push(Effect::Link(LinkAction::Close { link }));
    }

    fn on_block(&mut self, link: LinkId, block: &[u8]) {
        let Some(entry) = self.links.get_mut(&link) else { return };
        entry.heard = self.now.mono;
        for frame in Frames::of(block) {
            let Ok(frame) = frame else {
                self.counters.links.faults.count();
                return self.close(link, Some(Farewell::Fault));
            };
            self.on_frame(link, frame);
            // Whatever closed the link ends the block.
            if !self.links.contains_key(&link) {
                return;
            }
        }
        self.close_if_congested(link);
    }

    fn on_frame(&mut self, link: LinkId, frame: Frame<'_>) {
        let Some(entry) = self.links.get_mut(&link) else { return };
        match (&mut entry.phase, frame) {
            (Phase::Greeting, Frame::Hello(hello)) => self.on_hello(link, hello),
            (Phase::Open(_), Frame::Order(order)) => self.on_order(link, order),
            (Phase::Open(open), Frame::Ping) => {
                open.owes_pong = true;
                self.busy.insert(link);
            }
            (Phase::Open(_), Frame::Pong) => {}
            (Phase::Greeting | Phase::Open(_), Frame::Goodbye(_)) => self.close(link, None),
            (
                Phase::Greeting | Phase::Open(_),
                Frame::Hello(_)
                | Frame::Welcome(_)
                | Frame::Credits(_)
                | Frame::Order(_)
                | Frame::Outcome(_)
                | Frame::Ping
                | Frame::Pong
                | Frame::Drain,
            ) => {
                self.counters.links.faults.count();
                self.close(link, Some(Farewell::Fault));
            }
        }
    }

    fn on_hello(&mut self, link: LinkId, hello: Hello) {
        if !(hello.version_min..=hello.version_max).contains(&VERSION) {
            self.counters.links.version.count();
            return self.close(link, Some(Farewell::Version));
        }
        let Some(entry) = self.links.get_mut(&link) else { return };
        let Some(peer) = self.peers.get_mut(entry.peer) else { return };
        entry.phase = Phase::Open(Open::default());
        self.timers.set(Timer::Link(link), self.now.mono + self.config.idle_timeout);
        peer.is_now(hello.instance);
        peer.greeting = None;
        let credits = match self.phase {
            Running::Serving => peer.limits.credits,
            Running::Draining | Running::Stopped => 0,
        };
        let earlier = peer.link.replace(link);
        self.counters.links.welcomed.count();
        let block = block_of(&Frame::Welcome(Welcome { version: VERSION, credits }));
        self.outbox.push(Effect::Link(LinkAction::Send { link, block }));
        if let Some(earlier) = earlier {
            self.counters.links.replaced.count();
            self.close(earlier, Some(Farewell::Replaced));
        }
    }

    /// An adapter stops reading at the window, so twice the window means that nobody reads the answers.
    fn close_if_congested(&mut self, link: LinkId) {
        if let Some(Link { phase: Phase::Open(open), .. }) = self.links.get(&link)
            && open.unsent_blocks > LINK_WINDOW_BLOCKS.saturating_mul(2)
        {
            self.counters.links.congested.count();
            self.close(link, None);
        }
    }

    /// Closes a link that has been silent, or sets the timer for when it will have been.
    pub(super) fn on_silent(&mut self, link: LinkId) {
        let Some(entry) = self.links.get(&link) else { return };
        let until = entry.heard + self.config.idle_timeout;
        if matches!(entry.phase, Phase::Open(_)) && until > self.now.mono {
            self.timers.set(Timer::Link(link), until);
            return;
        }
        self.counters.links.silent.count();
        self.close(link, Some(Farewell::Silent));
    }

    /// Closes a link, with a word if there is one to say.
    pub(super) fn close(&mut self, link: LinkId, word: Option<Farewell>) {
        if !self.forget_link(link) {
            return;
        }
        if let Some(why) = word {
            let block = block_of(&Frame::Goodbye(why));
            self.outbox.push(Effect::Link(LinkAction::Send { link, block }));
        }
        self.outbox.push(Effect::Link(LinkAction::Close { link }));
    }

    /// Says whether the link was there.
    fn forget_link(&mut self, link: LinkId) -> bool {
        self.busy.remove(&link);
        self.timers.cancel(&Timer::Link(link));
        let Some(entry) = self.links.remove(&link) else { return false };
        if let Some(peer) = self.peers.get_mut(entry.peer) {
            peer.link = peer.link.filter(|open| *open != link);
            peer.greeting = peer.greeting.filter(|greeting| *greeting != link);
        }
        true
    }

    pub(super) fn on_stop(&mut self) {
        self.outbox.clear();
        let links: alloc::vec::Vec<LinkId> = self.links.keys().copied().collect();
        for link in links {
            self.close(link, Some(Farewell::Leaving));
        }
        self.in_hand.clear();
        self.peers.clear();
        self.by_identity.clear();
        self.timers.clear();
        self.phase = Running::Stopped;
    }
}
