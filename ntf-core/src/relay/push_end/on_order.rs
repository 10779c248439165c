//! An order comes in, an outcome goes back.

use core::time::Duration;

use super::peer::{Heard, Link, Phase};
use super::{Effect, InHand, PushEnd, Running};
use crate::base::id::LinkId;
use crate::base::meter::Counter;
use crate::model::push::{PushId, PushOutcome};
use crate::model::server::Fingerprint;
use crate::model::token::{DeviceTag, DeviceToken};
use crate::relay::frame::{Answer, Device, Farewell, InvalidReason, Order, Refusal};
use crate::relay::order::push_order;
use crate::relay::push_end::config::{OrderCounters, TokensAllowed};
use crate::relay::push_end::requests::Seen;

/// "Later" without a reason to name a time; the subscriber's own pauses are longer.
const SOON: Answer = Answer::TryLater { after_millis: 1000 };

impl PushEnd {
    pub(super) fn on_order(&mut self, link: LinkId, order: Order<'_>) {
        let Some(Link { peer: index, identity, phase: Phase::Open(open), .. }) = self.links.get_mut(&link)
        else {
            return;
        };
        let (index, identity) = (*index, *identity);
        let Some(peer) = self.peers.get(index) else { return };
        self.counters.orders.received.count();
        let credits = usize::try_from(peer.limits.credits).unwrap_or(usize::MAX);
        if open.asked.contains(&order.request) {
            // It takes the one credit that it has, and has its one answer.
            return self.counters.orders.repeated.count();
        }
        if open.asked.len() >= credits {
            self.counters.links.overdrawn.count();
            return self.close(link, Some(Farewell::Credits));
        }
        open.asked.insert(order.request);
        match peer.requests.look_up(order.request) {
            // Its outcome comes over this link.
            Seen::InHand => self.counters.orders.repeated.count(),
            Seen::Ended(answer) => self.answer(link, order.request, answer, |it| &mut it.remembered),
            Seen::Forgotten => self.answer(link, order.request, SOON, |it| &mut it.forgotten),
            Seen::Never => self.on_new_order(link, index, &identity, order),
        }
    }

    fn on_new_order(&mut self, link: LinkId, index: usize, identity: &Fingerprint, order: Order<'_>) {
        let Some(peer) = self.peers.get_mut(index) else { return };
        if self.phase != Running::Serving {
            return self.answer(link, order.request, SOON, |it| &mut it.draining);
        }
        if peer.in_hand >= usize::try_from(peer.limits.credits).unwrap_or(usize::MAX) {
            return self.answer(link, order.request, SOON, |it| &mut it.busy);
        }
        if peer.limits.tokens == TokensAllowed::Sealed && matches!(order.device, Device::Plain { .. }) {
            let refused = Answer::Refused(Refusal::PlainToken);
            return self.answer(link, order.request, refused, |it| &mut it.plain_refused);
        }
        // Before the costly part, which opening a sealed token is.
        if let Err(wait) = peer.admit(self.now.mono) {
            return self.answer(link, order.request, Answer::throttled(wait), |it| &mut it.throttled);
        }
        let Some((device, tag)) = self.open(order.device, identity) else {
            let invalid = Answer::TokenInvalid { reason: InvalidReason::Bad, since_millis: None };
            return self.answer(link, order.request, invalid, |it| &mut it.unopened);
        };
        self.hand_on(index, order, device, tag);
    }

    fn hand_on(&mut self, index: usize, order: Order<'_>, device: DeviceToken, tag: Option<DeviceTag>) {
        let Some(peer) = self.peers.get_mut(index) else { return };
        self.counters.orders.handed_on.count();
        self.pushes_made = self.pushes_made.saturating_add(1);
        let id = PushId(self.pushes_made);
        peer.in_hand += 1;
        peer.requests.begin(order.request);
        self.in_hand.insert(id, InHand { peer: index, epoch: peer.epoch, request: order.request, tag });
        self.outbox.push(Effect::Order(push_order(id, device, order.payload)));
    }

    /// The device token that the order is for, and what its subscriber calls it. `None` when it is sealed
    /// and does not open: by another key, for another subscriber, or changed. Which of these is not told.
    fn open(
        &mut self,
        device: Device<'_>,
        subscriber: &Fingerprint,
    ) -> Option<(DeviceToken, Option<DeviceTag>)> {
        let sealed = match device {
            Device::Plain { provider, token } => {
                return Some((DeviceToken { provider: provider.to_model(), token: token.into() }, None));
            }
            Device::Sealed(sealed) => sealed,
        };
        let named = self.config.keys.iter().filter(|key| key.is_named_by(sealed));
        let device = named.filter_map(|key| key.open(sealed, subscriber).ok()).next()?;
        self.counters.orders.sealed.count();
        // Tags are of the first key, so that they do not tell which key a token was sealed to.
        let tag = self.config.keys.first().map(|key| key.tag(&device, subscriber));
        Some((device, tag))
    }

    /// Answers at the door. Such answers are not remembered: asked again, the order is looked at again.
    fn answer(
        &mut self,
        link: LinkId,
        request: u64,
        answer: Answer,
        counter: impl FnOnce(&mut OrderCounters) -> &mut Counter,
    ) {
        counter(&mut self.counters.orders).count();
        if let Some(Link { phase: Phase::Open(open), .. }) = self.links.get_mut(&link) {
            let heard = open.answer(request, answer);
            debug_assert_eq!(heard, Heard::Yes, "it was asked for on this link");
            self.busy.insert(link);
        }
    }

    pub(super) fn on_outcome(&mut self, outcome: PushOutcome) {
        let Some(in_hand) = self.in_hand.remove(&outcome.id) else { return };
        let Some(peer) = self.peers.get_mut(in_hand.peer) else { return };
        self.counters.orders.outcomes.count();
        peer.in_hand = peer.in_hand.saturating_sub(1);
        if peer.epoch != in_hand.epoch {
            return self.counters.orders.orphaned.count();
        }
        let answer = Answer::of(outcome.result, in_hand.tag);
        peer.requests.end(self.now.mono, in_hand.request, answer, self.config.remembered_max);
        let link = peer.link;
        self.watch_memory(in_hand.peer);
        let heard = link.and_then(|link| match self.links.get_mut(&link) {
            Some(Link { phase: Phase::Open(open), .. }) => Some((link, open.answer(in_hand.request, answer))),
            Some(_) | None => None,
        });
        match heard {
            Some((link, Heard::Yes)) => _ = self.busy.insert(link),
            Some((_, Heard::No)) | None => self.counters.orders.kept.count(),
        }
    }
}

impl Answer {
    /// "Later" because of the subscriber's own limits, in whole milliseconds, rounded up.
    fn throttled(after: Duration) -> Self {
        let after_millis = u64::try_from(after.as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
        Self::Throttled { after_millis }
    }
}
