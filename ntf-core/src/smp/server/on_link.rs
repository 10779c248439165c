//! What happens to links: they come up, bring blocks, drain and go down.
//!
//! A link that does not read is first skipped by rounds; replies to its own commands are still queued,
//! until that shows that its adapter reads on although the window is used up. Then the link is closed:
//! that is the bound on what one link can make the server hold.

use super::broker::Broker;
use super::delivery::Event;
use super::on_timer::Timer;
use super::presence::Presence;
use super::{Effect, Server, close, config};
use crate::base::id::{EntityId, LinkId};
use crate::base::limits::LINK_WINDOW_BLOCKS;
use crate::base::time::{Mono, Now};
use crate::link::dialect::Smp;
use crate::link::event::{LinkAction, LinkEvent, Transport};
use crate::link::responder::Responder;

/// Blocks unsent on one link beyond which another block from it closes it.
///
/// The window, and the replies to one block read before its adapter knew that the window was used up: at
/// most one block for each of 255 commands. Source: ours, from [`LINK_WINDOW_BLOCKS`] and
/// `smp-transport` 4.8.
const UNSENT_MAX: u32 = LINK_WINDOW_BLOCKS + 255;

/// One link as the server sees it.
#[derive(Debug)]
pub(super) struct Connection {
    /// Handshake, ciphers, parsing and replies.
    pub(super) responder: Responder<Smp>,
    /// When the last block came.
    heard: Mono,
}

impl Server {
    /// Something happened to a link.
    pub(super) fn on_link(&mut self, now: Now, event: LinkEvent<'_>) {
        match event {
            LinkEvent::Up { link, transport } => self.on_up(now, link, &transport),
            LinkEvent::Block { link, block } => self.on_block(now, link, block),
            LinkEvent::Sent { link, blocks } => self.on_sent(link, blocks),
            LinkEvent::Down { link, .. } => self.forget_link(link),
        }
    }

    fn on_up(&mut self, now: Now, link: LinkId, transport: &Transport) {
        if self.links.len() >= self.config.limits.links || self.links.contains_key(&link) {
            self.broker.counters_mut().links_refused.count();
            self.outbox.push(close(link));
            return;
        }
        let accepted = Responder::accept(
            transport,
            &self.config.credentials,
            self.config.versions,
            self.broker.keys_mut(),
        );
        let Ok(responder) = accepted else {
            self.broker.counters_mut().handshakes_failed.count();
            self.outbox.push(close(link));
            return;
        };
        self.broker.counters_mut().links_accepted.count();
        self.broker.on_link_up(link);
        self.links.insert(link, Connection { responder, heard: now.mono });
        self.timers.set(Timer::Link(link), now.mono + self.config.handshake_max);
        self.hand_over(link);
    }

    fn on_block(&mut self, now: Now, link: LinkId, block: &mut [u8]) {
        let Some(connection) = self.links.get_mut(&link) else {
            return;
        };
        if connection.responder.unsent() > UNSENT_MAX {
            self.broker.counters_mut().links_overrun.count();
            self.close_link(link);
            return;
        }
        connection.heard = now.mono;
        let was_open = connection.responder.version().is_some();
        let Ok(requests) = connection.responder.on_block(block) else {
            if !was_open {
                self.broker.counters_mut().handshakes_failed.count();
            }
            self.close_link(link);
            return;
        };
        if let Some(applicant) = connection.responder.applicant() {
            let id = self.broker.introduce(link, applicant.identity(), applicant.role());
            let Some(id) = id.and_then(|id| EntityId::new(id.as_bytes())) else {
                connection.responder.refuse_service();
                self.broker.counters_mut().handshakes_failed.count();
                self.close_link(link);
                return;
            };
            self.broker.counters_mut().services_accepted.count();
            connection.responder.accept_service(id);
        }
        let Some(version) = connection.responder.version() else {
            return;
        };
        if was_open {
            self.on_requests(now, link, version, requests);
        } else {
            self.timers.set(Timer::Link(link), now.mono + self.config.silence_max);
        }
        self.hand_over(link);
    }

    fn on_sent(&mut self, link: LinkId, blocks: u32) {
        let Some(connection) = self.links.get_mut(&link) else {
            return;
        };
        connection.responder.on_sent(blocks);
        if !connection.responder.is_congested() {
            self.broker.on_link_drained(link);
        }
    }

    /// The handshake took too long, or it is time to see whether the link is silent.
    pub(super) fn on_link_deadline(&mut self, now: Now, link: LinkId) {
        let Some(connection) = self.links.get(&link) else {
            return;
        };
        if connection.responder.version().is_none() {
            self.broker.counters_mut().handshakes_failed.count();
            self.close_link(link);
            return;
        }
        let is_subscribed = self.broker.presence(link).is_some_and(Presence::is_subscribed);
        let deadline = if is_subscribed {
            now.mono + self.config.silence_max.max(config::SHORTEST)
        } else {
            connection.heard + self.config.silence_max
        };
        if deadline > now.mono {
            self.timers.set(Timer::Link(link), deadline);
        } else {
            self.broker.counters_mut().links_silent.count();
            self.close_link(link);
        }
    }

    /// Sends each link the messages it is owed, as far as it takes them.
    pub(super) fn send_owed(&mut self, now: Now) {
        let mut after = None;
        while let Some(link) = self.broker.owed_link(after) {
            self.send_events(link, |broker| broker.next_delivery(now, link));
            after = Some(link);
        }
    }

    /// Sends events to a link until there are none or it takes no more. Gives the blocks filled.
    pub(super) fn send_events(
        &mut self,
        link: LinkId,
        mut next: impl FnMut(&mut Broker) -> Option<Event>,
    ) -> u32 {
        let Some(connection) = self.links.get_mut(&link) else {
            debug_assert!(false, "the broker forgets a link together with the server");
            self.broker.on_link_down(link);
            return 0;
        };
        loop {
            if connection.responder.is_congested() {
                self.broker.on_link_blocked(link);
                break;
            }
            let Some(event) = next(&mut self.broker) else {
                break;
            };
            connection.responder.event(event.entity(), &event.message());
        }
        self.hand_over(link)
    }

    /// Hands the blocks that are ready to the adapter, and says how many.
    fn hand_over(&mut self, link: LinkId) -> u32 {
        let mut blocks = 0_u32;
        let Some(connection) = self.links.get_mut(&link) else {
            return blocks;
        };
        while let Some(block) = connection.responder.take_block() {
            self.outbox.push(Effect::Link(LinkAction::Send { link, block }));
            blocks = blocks.saturating_add(1);
        }
        blocks
    }

    /// Closes links that have more endings waiting than they may have.
    pub(super) fn close_overrun(&mut self) {
        while let Some(link) = self.broker.pop_overrun() {
            self.broker.counters_mut().links_overrun.count();
            self.close_link(link);
        }
    }

    /// Hands over what is ready, and closes the link.
    fn close_link(&mut self, link: LinkId) {
        self.hand_over(link);
        self.outbox.push(close(link));
        self.forget_link(link);
    }

    fn forget_link(&mut self, link: LinkId) {
        self.links.remove(&link);
        self.broker.on_link_down(link);
        self.timers.cancel(&Timer::Link(link));
    }
}
