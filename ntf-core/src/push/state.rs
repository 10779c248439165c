//! The tables of a push server: orders in hand, and a lane per provider.
//!
//! Knows who waits, who is in flight and which lane is held; decides nothing about answers.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

use zeroize::Zeroizing;

use crate::base::backoff::Backoff;
use crate::base::hash::HashKey;
use crate::base::rng::Rng;
use crate::base::time::Mono;
use crate::model::knowledge::Fact;
use crate::model::push::{PushId, PushPayload};
use crate::model::token::Provider;
use crate::push::effect::RequestId;
use crate::push::jwt::Generation;
use crate::push::shares::Share;

/// An order in hand.
pub(super) struct Order {
    pub(super) provider: Provider,
    /// The request path, which holds the device token.
    pub(super) path: Zeroizing<String>,
    pub(super) payload: PushPayload,
    /// When it ends without an answer.
    pub(super) deadline: Mono,
    /// Requests made for it.
    pub(super) attempts: u32,
    /// What it may not do a second time.
    pub(super) used: Used,
    /// What its device is called among budgets.
    pub(super) device: u64,
    /// What it took of its device's budget.
    pub(super) share: Option<Share>,
    /// Order of arrival; a retried order keeps its place.
    place: u64,
    stage: Stage,
}

/// Second chances that an order has had.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Used {
    /// It was sent again with a newer provider token.
    pub(super) renewal: bool,
    /// It was sent again after a 410 without a reason.
    pub(super) repeat: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    InFlight { request: RequestId, jwt: Generation },
}

impl Order {
    pub(super) fn new(
        provider: Provider,
        path: Zeroizing<String>,
        device: u64,
        payload: PushPayload,
        deadline: Mono,
    ) -> Self {
        Self {
            provider,
            path,
            device,
            payload,
            deadline,
            attempts: 0,
            used: Used::default(),
            share: None,
            place: 0,
            stage: Stage::Waiting,
        }
    }

    /// The device token, the last segment of the path.
    fn device_token(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    pub(super) const fn is_in_flight(&self) -> bool {
        matches!(self.stage, Stage::InFlight { .. })
    }
}

/// A provider's queue and whether requests may leave it.
#[derive(Debug, Default)]
pub(super) struct Lane {
    waiting: BTreeMap<u64, PushId>,
    in_flight: usize,
    pub(super) backoff: Backoff,
    pub(super) gate: Gate,
}

/// Whether requests may leave a lane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Gate {
    /// As many as the bound of requests in flight allows.
    #[default]
    Open,
    /// None until then.
    Held {
        /// When the lane may try again.
        until: Mono,
    },
    /// One, to see whether the provider is back.
    Probe {
        /// The one that is out.
        out: Option<RequestId>,
    },
}

impl Lane {
    pub(super) fn waiting_len(&self) -> usize {
        self.waiting.len()
    }

    /// The end of the pause, while there is one.
    pub(super) const fn held_until(&self) -> Option<Mono> {
        match self.gate {
            Gate::Held { until } => Some(until),
            Gate::Open | Gate::Probe { .. } => None,
        }
    }

    /// The provider answered something: it is back, if it was away.
    pub(super) const fn is_back(&mut self) {
        self.backoff.reset();
        match self.gate {
            Gate::Probe { .. } => self.gate = Gate::Open,
            // The pause was asked for by a later sign of trouble than the request this answers.
            Gate::Open | Gate::Held { .. } => {}
        }
    }

    fn next_ready(&self, in_flight_max: usize) -> Option<PushId> {
        let may_send = match self.gate {
            Gate::Open => self.in_flight < in_flight_max,
            Gate::Held { .. } | Gate::Probe { out: Some(_) } => false,
            Gate::Probe { out: None } => true,
        };
        if may_send { self.waiting.first_key_value().map(|(_, id)| *id) } else { None }
    }
}

/// All orders in hand, by lane.
#[derive(Default)]
pub(super) struct Orders {
    by_id: BTreeMap<PushId, Order>,
    by_request: BTreeMap<RequestId, PushId>,
    prod: Lane,
    dev: Lane,
    test: Lane,
    places_given: u64,
}

impl Orders {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.by_request.len()
    }

    pub(super) fn waiting(&self) -> usize {
        self.lanes().iter().map(|lane| lane.waiting.len()).sum()
    }

    pub(super) fn lanes_held(&self) -> usize {
        self.lanes().iter().filter(|lane| lane.gate != Gate::Open).count()
    }

    /// All lanes, production first.
    const fn lanes(&self) -> [&Lane; 3] {
        [&self.prod, &self.dev, &self.test]
    }

    pub(super) fn has(&self, id: PushId) -> bool {
        self.by_id.contains_key(&id)
    }

    pub(super) fn get_mut(&mut self, id: PushId) -> Option<&mut Order> {
        self.by_id.get_mut(&id)
    }

    /// The lane of a provider. [`Provider::ApnsNull`] has none, nothing waits for nobody, and a sealed token
    /// is no order yet.
    pub(super) const fn lane_mut(&mut self, provider: Provider) -> Option<&mut Lane> {
        match provider {
            Provider::ApnsProd => Some(&mut self.prod),
            Provider::ApnsDev => Some(&mut self.dev),
            Provider::ApnsTest => Some(&mut self.test),
            Provider::ApnsNull | Provider::Sealed => None,
        }
    }

    /// Takes an order in, at the end of its lane.
    pub(super) fn admit(&mut self, id: PushId, mut order: Order) {
        self.places_given = self.places_given.saturating_add(1);
        order.place = self.places_given;
        if let Some(lane) = self.lane_mut(order.provider) {
            lane.waiting.insert(order.place, id);
        }
        self.by_id.insert(id, order);
    }

    /// The order that should leave next. Production goes before the others; each lane has room of its own.
    pub(super) fn next_ready(&self, in_flight_max: usize) -> Option<PushId> {
        self.lanes().into_iter().find_map(|lane| lane.next_ready(in_flight_max))
    }

    /// Marks an order as in flight.
    pub(super) fn sent(&mut self, id: PushId, request: RequestId, jwt: Generation) -> Option<&Order> {
        let order = self.by_id.get_mut(&id)?;
        let (provider, place) = (order.provider, order.place);
        order.stage = Stage::InFlight { request, jwt };
        order.attempts = order.attempts.saturating_add(1);
        let lane = self.lane_mut(provider)?;
        lane.waiting.remove(&place);
        lane.in_flight += 1;
        if let Gate::Probe { out } = &mut lane.gate {
            *out = Some(request);
        }
        self.by_request.insert(request, id);
        self.by_id.get(&id)
    }

    /// The request has ended; its order waits again, in its old place, unless it is removed next.
    /// With the order comes the generation of the provider token that the request carried.
    pub(super) fn answered(&mut self, request: RequestId) -> Option<(PushId, Provider, Generation)> {
        let id = self.by_request.remove(&request)?;
        let order = self.by_id.get_mut(&id)?;
        let Stage::InFlight { jwt, .. } = order.stage else { return None };
        order.stage = Stage::Waiting;
        let (provider, place) = (order.provider, order.place);
        let lane = self.lane_mut(provider)?;
        lane.in_flight = lane.in_flight.saturating_sub(1);
        // A probe that ended undecided leaves room for another.
        if lane.gate == (Gate::Probe { out: Some(request) }) {
            lane.gate = Gate::Probe { out: None };
        }
        lane.waiting.insert(place, id);
        Some((id, provider, jwt))
    }

    /// Takes an order out, wherever it is.
    pub(super) fn remove(&mut self, id: PushId) -> Option<Order> {
        let in_flight = match self.by_id.get(&id)?.stage {
            Stage::Waiting => None,
            Stage::InFlight { request, .. } => Some(request),
        };
        if let Some(request) = in_flight {
            self.answered(request);
        }
        let order = self.by_id.remove(&id)?;
        if let Some(lane) = self.lane_mut(order.provider) {
            lane.waiting.remove(&order.place);
        }
        Some(order)
    }
}

/// Device tokens seen, as keyed hashes: enough to count them, not to tell them.
pub(super) struct Seen {
    key: HashKey,
    hashes: BTreeSet<u64>,
    bound: usize,
    sample: Option<String>,
}

impl Seen {
    pub(super) fn new(bound: usize, rng: &mut Rng) -> Self {
        Self { key: HashKey::new(rng), hashes: BTreeSet::new(), bound, sample: None }
    }

    /// Counts the device of an order if it is a new one and there is room.
    pub(super) fn count(&mut self, order: &Order) {
        if self.hashes.len() >= self.bound {
            return;
        }
        let token = order.device_token();
        self.hashes.insert(self.key.of(token));
        self.sample.get_or_insert_with(|| shortened(token));
    }

    /// The fact "device tokens": those seen, or at least those in hand.
    pub(super) fn devices(&self, orders: &Orders) -> Fact {
        let what = "device tokens";
        if self.bound > 0 {
            let count = u64::try_from(self.hashes.len()).unwrap_or(u64::MAX);
            return Fact { what, count, sample: self.sample.clone() };
        }
        let in_hand: BTreeSet<&str> = orders.by_id.values().map(Order::device_token).collect();
        let count = u64::try_from(in_hand.len()).unwrap_or(u64::MAX);
        Fact { what, count, sample: in_hand.first().map(|token| shortened(token)) }
    }
}

/// The beginning of a token: enough to recognise one's own on a screen.
fn shortened(token: &str) -> String {
    let mut text: String = token.chars().take(8).collect();
    text.push('…');
    text
}
