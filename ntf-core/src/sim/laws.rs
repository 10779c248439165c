//! Promises about single machines and single pushes: what must hold after each step, and what must be
//! left when all is over.

use crate::base::limits::NONCE_LEN;
use crate::base::time::Mono;
use crate::model::push::{PushId, PushKind, PushOrder, PushOutcome, PushPayload, PushResult};
use crate::push;
use crate::sim::oracle::Law;
use crate::sim::town::Nodes;
use crate::sim::world::{NodeId, World};
use crate::subscriber::meters::{Counters, Gauges};
use crate::wire::text::base64;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

/// A broken promise, in words.
type Broken = (Law, String);

/// Most verification pushes to one device token within [`BUDGET_WINDOW`], and a little for the rounding.
///
/// Source: `token::limits`, ten at once and one a minute after that.
const BUDGET: usize = 10 + 10 + 1;

const BUDGET_WINDOW: Duration = Duration::from_secs(600);

/// Watches pushes and machines.
pub(super) struct Laws {
    smp_hosts: Vec<String>,
    /// Devices that changed keys or queues, which makes pushes on their way useless.
    changed: BTreeSet<usize>,
    nonces: BTreeSet<[u8; NONCE_LEN]>,
    lens: Vec<(PushKind, usize)>,
    /// Orders without outcome: for which device.
    out: BTreeMap<(NodeId, PushId), usize>,
    /// Verification pushes of the last ten minutes, by device and the number of its token.
    verifications: BTreeMap<(usize, u32), Vec<Mono>>,
}

impl Laws {
    /// Laws of a world whose SMP servers have these host names.
    pub(super) fn new(smp_hosts: Vec<String>) -> Self {
        Self {
            smp_hosts,
            changed: BTreeSet::new(),
            nonces: BTreeSet::new(),
            lens: Vec::new(),
            out: BTreeMap::new(),
            verifications: BTreeMap::new(),
        }
    }

    /// A device has other keys or queues from here on.
    pub(super) fn keys_changed(&mut self, device: usize) {
        self.changed.insert(device);
    }

    /// A process began anew: a subscriber forgets what it had ordered and how often.
    pub(super) fn restarted(&mut self, nodes: &Nodes, node: NodeId) {
        if nodes.subscribers.iter().any(|(subscriber, _)| *subscriber == node) {
            self.out.retain(|(subscriber, _), _| *subscriber != node);
            self.verifications.clear();
        }
    }

    /// A push was ordered for a device and the token of it with this number.
    pub(super) fn on_order(
        &mut self,
        at: Mono,
        subscriber: NodeId,
        order: &PushOrder,
        owner: Option<(usize, u32)>,
    ) -> Option<Broken> {
        let Some((device, token)) = owner else {
            return Some((Law::OrderFits, "a push is ordered for a device token that nobody has".into()));
        };
        self.out.insert((subscriber, order.id), device);
        let (PushPayload::Verification(sealed) | PushPayload::Message(sealed) | PushPayload::Hidden(sealed)) =
            &order.payload
        else {
            return None;
        };
        if self.smp_hosts.iter().any(|host| contains(&sealed.ciphertext, host.as_bytes())) {
            return Some((Law::Secrecy, "an order shows the name of an SMP server".into()));
        }
        if !self.nonces.insert(sealed.nonce) {
            return Some((Law::Nonce, format!("a nonce is used twice, for device {}", device + 1)));
        }
        let (kind, len) = (order.payload.kind(), sealed.ciphertext.len());
        match self.lens.iter().find(|(known, _)| *known == kind) {
            None => self.lens.push((kind, len)),
            Some((_, known)) if *known == len => {}
            Some((_, known)) => {
                return Some((Law::Padding, format!("{kind:?} has {len} bytes, another had {known}")));
            }
        }
        if kind == PushKind::Verification {
            let recent = self.verifications.entry((device, token)).or_default();
            recent.retain(|earlier| at.since(*earlier) < BUDGET_WINDOW);
            recent.push(at);
            if recent.len() > BUDGET {
                let what =
                    format!("{} verification pushes to device {} in 10 minutes", recent.len(), device + 1);
                return Some((Law::VerificationBudget, what));
            }
        }
        None
    }

    /// The device whose push was refused for good, if it was.
    pub(super) fn on_outcome(&mut self, nodes: &Nodes, push: NodeId, outcome: PushOutcome) -> Option<usize> {
        let place = nodes.pushes.iter().position(|node| *node == push)?;
        let (subscriber, _) = nodes.subscribers.get(place)?;
        let device = self.out.remove(&(*subscriber, outcome.id))?;
        (outcome.result == PushResult::Refused).then_some(device)
    }

    /// What the provider gets must not name an SMP server, in plain text or in base64.
    pub(super) fn on_request(&self, body: &[u8]) -> Option<Broken> {
        let shows = |bytes: &[u8]| self.smp_hosts.iter().any(|host| contains(bytes, host.as_bytes()));
        let texts = body.split(|byte| *byte == b'"').filter(|text| text.len() >= 16);
        let decoded = texts.filter_map(|text| base64::decode_public(core::str::from_utf8(text).ok()?));
        if shows(body) || decoded.into_iter().any(|bytes| shows(&bytes)) {
            return Some((Law::Secrecy, "a request to the provider shows the name of an SMP server".into()));
        }
        None
    }

    /// A device could not use a push.
    pub(super) fn on_rejected(&self, device: usize, why: &'static str) -> Option<Broken> {
        // Repeats are usual: pushes carry the latest notices of other queues.
        if why.contains("repeats") || self.changed.contains(&device) {
            return None;
        }
        Some((Law::PushFits, format!("device {}: {why}", device + 1)))
    }

    /// What must hold of a node at any time.
    pub(super) fn after_step(world: &World, node: NodeId) -> Vec<Broken> {
        let mut broken = Vec::new();
        if let Some(subscriber) = world.subscriber(node) {
            let (counters, gauges) = (subscriber.counters(), subscriber.gauges());
            if let Some(what) = unbalanced(&counters, &gauges) {
                broken.push((Law::Conservation, format!("{}: {what}", world.name(node))));
            }
            if let Err(what) = subscriber.audit() {
                broken.push((Law::Tables, format!("{}: {what}", world.name(node))));
            }
        }
        if let Some(push) = world.push_server(node)
            && !is_balanced(&push.counters(), push.in_hand())
        {
            broken.push((Law::Conservation, format!("{}: orders do not add up", world.name(node))));
        }
        broken
    }

    /// What must be left when everything is deleted: nothing.
    ///
    /// The exception are queues that no device knows of: NEW has no name of its own, so a repeat of one whose
    /// answer was lost makes a second queue (`smp-transport` 5.2). `queues_told` says how many are known.
    pub(super) fn at_end(world: &World, nodes: &Nodes, queues_told: u64) -> Vec<Broken> {
        let made = nodes.smp.iter().filter_map(|(node, _)| world.smp(*node));
        let made: u64 = made.map(|smp| smp.counters().queues_created.total()).sum();
        let orphans = made.saturating_sub(queues_told);
        let mut left: Vec<(NodeId, &'static str, u64)> = Vec::new();
        let count = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
        for (node, _) in &nodes.subscribers {
            let Some(subscriber) = world.subscriber(*node) else { continue };
            let gauges = subscriber.gauges();
            left.extend([
                (*node, "tokens", u64::from(gauges.tokens)),
                (*node, "subscriptions", u64::from(gauges.subscriptions)),
                (*node, "servers", u64::from(gauges.servers)),
                (*node, "notices", count(gauges.notices)),
                (*node, "orders", count(gauges.orders_out)),
                (*node, "tokens in line", count(gauges.in_line)),
                (*node, "periodic tokens", count(gauges.periodics)),
                (*node, "effects", count(gauges.effects)),
                (*node, "notices in no order", count(gauges.fresh)),
                (*node, "verifications", count(gauges.verifications)),
                (*node, "claims", count(gauges.claims)),
                (*node, "registrations on rosters", count(gauges.unproved)),
                (*node, "waiting commands", count(gauges.waits)),
                (*node, "busy servers", count(gauges.servers_busy)),
                (*node, "commands to servers", count(gauges.in_flight)),
                (*node, "links with servers", count(gauges.server_links)),
            ]);
        }
        for node in &nodes.pushes {
            let in_hand = world.push_server(*node).map_or(0, push::Push::in_hand);
            left.push((*node, "orders in hand", count(in_hand)));
        }
        for (node, _) in &nodes.smp {
            let Some(gauges) = world.smp(*node).map(|smp| smp.gauges()) else { continue };
            left.extend([
                (*node, "queues", count(gauges.queues).saturating_sub(orphans)),
                (*node, "notifiers", count(gauges.notifiers).saturating_sub(orphans)),
                (*node, "watched notifiers", count(gauges.watched)),
                (*node, "messages", count(gauges.messages)),
                (*node, "notifications", count(gauges.notifications)),
                (*node, "endings", count(gauges.endings)),
                (*node, "tied queues", count(gauges.tied)),
            ]);
        }
        for node in nodes.devices.iter().chain([&nodes.sender]) {
            let Some(client) = world.client(*node) else { continue };
            left.extend([
                (*node, "requests", count(client.pending())),
                (*node, "queues", count(client.queues().count())),
            ]);
        }
        let mut broken: Vec<_> = left
            .into_iter()
            .filter(|(_, _, size)| *size > 0)
            .map(|(node, what, size)| {
                (Law::NothingLeft, format!("{} still has {size} {what}", world.name(node)))
            })
            .collect();
        for (what, size) in [("links are up", world.links()), ("letters are on their way", world.in_flight())]
        {
            if size > 0 {
                broken.push((Law::NothingLeft, format!("{size} {what}")));
            }
        }
        broken
    }
}

/// Every notice received ended in one way, or is held. Source: `subscriber::meters`.
fn unbalanced(counters: &Counters, gauges: &Gauges) -> Option<&'static str> {
    let delivery = &counters.delivery;
    let arrived = counters.unwanted.total() + delivery.taken_in.total() + delivery.refused_full.total();
    if counters.received.total() != arrived {
        return Some("notices received and taken in do not add up");
    }
    let ended = [
        delivery.ordered.total(),
        delivery.merged.total(),
        delivery.displaced.total(),
        delivery.oversize.total(),
        delivery.expired.total(),
        delivery.forgotten.total(),
    ];
    let ended: u64 = ended.iter().sum();
    if delivery.taken_in.total() != ended + u64::try_from(gauges.fresh).unwrap_or(u64::MAX) {
        return Some("notices taken in and ended do not add up");
    }
    let ordered = delivery.message_orders.total()
        + delivery.alert_orders.total()
        + delivery.verification_orders.total()
        + delivery.periodic_orders.total();
    let landed = delivery.accepted.total()
        + delivery.put_off.total()
        + delivery.throttled.total()
        + delivery.too_large.total()
        + delivery.refused.total()
        + delivery.token_invalid.total()
        + delivery.lost.total();
    let out = u64::try_from(gauges.orders_out).unwrap_or(u64::MAX);
    if landed + out > ordered {
        return Some("more orders ended than were made");
    }
    // An order needs a notice that is new to it, or one that came back.
    let bounced = delivery.put_off.total()
        + delivery.throttled.total()
        + delivery.too_large.total()
        + delivery.lost.total();
    let causes = delivery.taken_in.total() + bounced * 6;
    if delivery.message_orders.total() > causes {
        return Some("more pushes are ordered than notices came");
    }
    None
}

/// Every order ended in one way, or is in hand. Source: `push::Counters`.
fn is_balanced(counters: &push::Counters, in_hand: usize) -> bool {
    let ended = counters.accepted.total()
        + counters.token_invalid.total()
        + counters.try_later.total()
        + counters.refused.total()
        + counters.dropped.total();
    counters.orders.total() == ended + u64::try_from(in_hand).unwrap_or(u64::MAX)
}

/// Whether these bytes are among those. Looks for the first of them before it compares the rest.
pub(super) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let Some(first) = needle.first() else { return false };
    haystack
        .iter()
        .enumerate()
        .any(|(at, byte)| byte == first && haystack.get(at..).is_some_and(|rest| rest.starts_with(needle)))
}
