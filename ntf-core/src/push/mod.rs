//! The push server: holds the provider's key, sees device tokens and ciphertext only.
//!
//! An order comes in, at most one push goes out for it, one outcome goes back. What the bytes of a push
//! mean, whose queue they speak of and whether they are wanted is none of its business. [`input`] and
//! [`effect`] are its face; [`apns`] builds requests, `on_order`, `on_answer` and `on_timer` are the
//! story, `state` the tables. Source: `ntf-protocol` 3.3 to 3.8.
//!
//! # At most one push for an order
//!
//! A request is sent again only when the provider cannot have acted on it: no connection was made, the
//! provider said that it did not process the stream, or it refused and the refusal was about our
//! provider token. When a connection broke or the time ran out after the request was written, nobody
//! knows; the order then ends as [`PushResult::TryLater`] and
//! the subscriber decides. A second push of the same notices costs a device one fetch and it drops what
//! it has seen, while a lost push costs the user a message; so a subscriber keeps the notices and sends
//! them in its next order.
//!
//! # When a provider is away
//!
//! Each provider has a lane: a bounded queue and a bound of requests in flight. A lane that found no
//! connection is held for a jittered, growing delay and then sends one request to see; when that one is
//! answered, it opens. Orders of other lanes are not touched. A full queue answers
//! [`PushResult::TryLater`] at once.
//!
//! # Hidden pushes
//!
//! Apple counts the hidden pushes of a device, whoever asked for them. So this server keeps a budget per
//! device over the orders of all subscribers, and answers [`PushResult::Throttled`] beyond it without asking
//! the provider; the subscriber keeps the notices. Verification pushes have a budget of their own, so that
//! no amount of notices keeps a device from registering, and no stranger who registers a device over and
//! over costs it its notices. An order that certainly never reached the device is taken off the books.

pub mod alert;
pub mod apns;
pub mod effect;
pub mod input;
mod json;
mod jwt;
mod limited;
mod on_answer;
mod on_order;
mod on_timer;
mod shares;
mod state;
#[cfg(test)]
mod tests;

pub use self::jwt::FORCED_INTERVAL_MIN;

use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU8;
use core::time::Duration;

use crate::base::backoff::BackoffPlan;
use crate::base::budget::BudgetPlan;
use crate::base::meter::{Counter, meters};
use crate::base::mutant;
use crate::base::outbox::Outbox;
use crate::base::rng::{Rng, Seed, Stream};
use crate::base::time::{Deadline, Now};
use crate::base::timers::Timers;
use crate::crypto::es256::Es256Key;
use crate::machine::{Machine, Step};
use crate::model::knowledge::Fact;
use crate::model::push::{PushId, PushPayload, PushResult};
use crate::model::token::Provider;
use crate::push::alert::AlertTexts;
use crate::push::effect::{Effect, Request, RequestId};
use crate::push::input::Input;
use crate::push::jwt::Jwt;
use crate::push::shares::Shares;
use crate::push::state::{Orders, Seen};

/// What a push server needs to be told. [`Config::default`] has everything but the key.
#[derive(Clone, Debug)]
pub struct Config {
    /// The app's bundle id, sent as `apns-topic`; see [`apns::is_topic`]. One that is none counts as a
    /// missing [`key`](Self::key). Default: the SimpleX app's. Source: `ntf-protocol` 3.6.
    pub topic: String,
    /// The developer team that owns the key. Default: the SimpleX team. Source: `ntf-protocol` 3.6.
    pub team_id: String,
    /// The id Apple gave the key. Default: empty.
    pub key_id: String,
    /// The key that signs provider tokens. Without one, every order but those of
    /// [`Provider::ApnsNull`] is refused and counted; the server still starts.
    pub key: Option<Es256Key>,
    /// Whether orders for [`Provider::ApnsTest`] are sent; else they are refused. Default: no.
    /// Source: `ntf-protocol` 2.2.
    pub allow_test_provider: bool,
    /// Requests in flight per provider, 1 or more. Default 1000, what Apple typically allows on a
    /// connection.
    pub in_flight_max: usize,
    /// Orders waiting per provider; beyond that the answer is "try later". Those in flight may come back
    /// to the queue, so it holds at most this many and [`in_flight_max`](Self::in_flight_max) more.
    /// Default 4096, about 12 MB at the usual payload. Source: ours.
    pub queue_len_max: usize,
    /// How long an order may take with all its attempts. Default 25 s. Source: `ntf-protocol` 3.7.
    pub order_deadline: Duration,
    /// Requests for one order, first one included, 1 or more. Default 4. Source: ours; the reference
    /// gives up after two.
    pub attempts_max: u32,
    /// How the pauses grow after a provider could not be reached. Default 200 ms to 10 s.
    pub retry: BackoffPlan,
    /// What "later" means when the provider did not say, in outcomes; up to half as much is added at
    /// random. Default 10 s. Source: ours.
    pub later: Duration,
    /// Longest `Retry-After` that is believed, of a provider as of a device; a longer one counts as this.
    /// Default one hour. Source: ours.
    pub later_max: Duration,
    /// Age at which the provider token is signed anew; kept within 30 to 50 minutes, as Apple demands 20
    /// to 60 and clocks differ. Default 40 minutes. Source: `ntf-protocol` 3.6.
    pub jwt_age_max: Duration,
    /// Distinct device tokens to count for [`Push::knowledge`], as keyed hashes. Default 0: remember
    /// nothing of a finished order.
    pub devices_counted_max: usize,
    /// Hidden pushes to one device, those with notices and those that only tell to look together. Default
    /// 2 at once, then one in 20 minutes: the budget of a subscriber of ours, and one more for an order that
    /// comes a little early. Source: ours, after Apple's "two or three an hour".
    pub hidden_pushes: BudgetPlan,
    /// Verification pushes to one device. Default 20 at once, then one a minute: that of a subscriber of
    /// ours, with room for a second one. Source: ours.
    pub verification_pushes: BudgetPlan,
    /// Devices on the books of each of the two budgets, and of those that the provider has asked to leave alone;
    /// beyond it the one nearest to a rest is forgotten. Default 1,000,000, each some 100 bytes.
    pub devices_paced_max: usize,
    /// The words of visible alerts.
    pub alert: AlertTexts,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            topic: "chat.simplex.app".into(),
            team_id: "5NN7GUYB6T".into(),
            key_id: String::new(),
            key: None,
            allow_test_provider: false,
            in_flight_max: 1000,
            queue_len_max: 4096,
            order_deadline: Duration::from_secs(25),
            attempts_max: 4,
            retry: BackoffPlan { first: Duration::from_millis(200), max: Duration::from_secs(10) },
            later: Duration::from_secs(10),
            later_max: Duration::from_secs(3600),
            jwt_age_max: Duration::from_secs(40 * 60),
            devices_counted_max: 0,
            hidden_pushes: BudgetPlan { burst: 2, period: Duration::from_secs(1200) },
            verification_pushes: BudgetPlan { burst: 20, period: Duration::from_secs(60) },
            devices_paced_max: 1_000_000,
            alert: AlertTexts::default(),
        }
    }
}

impl Config {
    /// The settings of one of several push servers that serve a subscriber's shards: what is held in all is divided.
    /// Each has requests in flight of its own, as each has connections of its own. What a device may get is counted by
    /// each for itself: the verified registration of a device is on one shard, and shards tell each other what it was
    /// sent. Registrations that are yet to be verified may be on any.
    #[must_use]
    pub fn for_shard(&self, shards: NonZeroU8) -> Self {
        let share = |bound: usize| bound.div_ceil(shards.get().into());
        let (queue_len_max, devices_paced_max) = (share(self.queue_len_max), share(self.devices_paced_max));
        Self { queue_len_max, devices_paced_max, ..self.clone() }
    }
}

/// Numbers of a push server since its start.
///
/// Each order received ends in exactly one of `accepted`, `token_invalid`, `try_later`, `throttled`,
/// `too_large`, `refused` and `dropped`, or is [in hand](Push::in_hand).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Orders received, repeats left out.
    pub orders: Counter,
    /// Orders that named one still in hand; they get no outcome of their own.
    pub repeated: Counter,
    /// Taken by a provider, or by [`Provider::ApnsNull`], which is nobody.
    pub accepted: Counter,
    /// The provider no longer accepts the device token, or it is none that the provider could have made.
    pub token_invalid: Counter,
    /// Put off, whatever the cause.
    pub try_later: Counter,
    /// Of those put off: the lane's queue was full.
    pub queue_full: Counter,
    /// Of those put off: the provider had asked to leave the device alone until later, and was not asked.
    pub device_limited: Counter,
    /// Of those put off: no answer within the order's deadline.
    pub timed_out: Counter,
    /// Of those put off: no connection, or none that took the request, in all attempts.
    pub unreachable: Counter,
    /// Of those put off: the connection broke after the request was written.
    pub broken: Counter,
    /// Not sent, because the device had its share of hidden pushes.
    pub throttled: Counter,
    /// Too large for the provider.
    pub too_large: Counter,
    /// Refused for good.
    pub refused: Counter,
    /// Of those refused: the provider does not take our provider token.
    pub refused_provider_token: Counter,
    /// Of those refused: the provider does not let us push to the app.
    pub refused_topic: Counter,
    /// Of those refused: for want of a key or of leave to use the test provider.
    pub not_configured: Counter,
    /// Dropped unfinished by a stop.
    pub dropped: Counter,
    /// Requests sent to providers.
    pub requests: Counter,
    /// Requests sent again after one that the provider did not act on.
    pub retried: Counter,
    /// Answers to requests that had ended before.
    pub late_answers: Counter,
    /// Bytes of request bodies sent.
    pub body_bytes: Counter,
    /// Provider tokens signed.
    pub jwt_signed: Counter,
}

/// What a push server holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Orders without an outcome.
    pub in_hand: usize,
    /// Of these, orders that wait for their turn.
    pub waiting: usize,
    /// Requests without an answer.
    pub in_flight: usize,
    /// Providers to which nothing, or one request to see, is sent for now.
    pub lanes_held: usize,
    /// Devices whose budgets are used up in part.
    pub devices_paced: usize,
    /// Devices that the provider has asked to leave alone for a while.
    pub devices_limited: usize,
}

meters!(Counters {
    orders,
    repeated,
    accepted,
    token_invalid,
    try_later,
    queue_full,
    device_limited,
    timed_out,
    unreachable,
    broken,
    throttled,
    too_large,
    refused,
    refused_provider_token,
    refused_topic,
    not_configured,
    dropped,
    requests,
    retried,
    late_answers,
    body_bytes,
    jwt_signed
});

meters!(Gauges { in_hand, waiting, in_flight, lanes_held, devices_paced, devices_limited });

/// The push server.
pub struct Push {
    config: Config,
    jwt: Option<Jwt>,
    orders: Orders,
    timers: Timers<Timer>,
    outbox: Outbox<Effect>,
    jitter: Rng,
    seen: Seen,
    shares: Shares,
    counters: Counters,
    requests_made: u64,
    now: Now,
    phase: Phase,
}

/// Whether anything is still to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Running,
    /// What is in hand is finished, and nothing new is taken.
    Draining,
    Stopped,
}

/// Why the push server wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// An order has used up its time.
    Deadline(PushId),
    /// A held lane may try again.
    Lane(Provider),
}

impl Timer {
    const fn reason(self) -> &'static str {
        match self {
            Self::Deadline(_) => "order deadline",
            Self::Lane(_) => "provider pause",
        }
    }
}

impl Push {
    /// A push server without orders. Values of the config outside their range are moved into it.
    #[must_use]
    pub fn new(mut config: Config, seed: Seed, now: Now) -> Self {
        const MINUTE: Duration = Duration::from_secs(60);
        config.in_flight_max = config.in_flight_max.max(1);
        config.attempts_max = config.attempts_max.max(1);
        let age_max = config.jwt_age_max.clamp(30 * MINUTE, 50 * MINUTE);
        let key = config.key.take().filter(|_| apns::is_topic(&config.topic));
        let jwt = key.map(|key| Jwt::new(key, &config.key_id, &config.team_id, age_max));
        let mut hashing = seed.stream(Stream::Hashing);
        let seen = Seen::new(config.devices_counted_max, &mut hashing);
        let shares = Shares::new(&config, &mut hashing);
        Self {
            config,
            jwt,
            orders: Orders::default(),
            timers: Timers::new(),
            outbox: Outbox::new(),
            jitter: seed.stream(Stream::Jitter),
            seen,
            shares,
            counters: Counters::default(),
            requests_made: 0,
            now,
            phase: Phase::Running,
        }
    }

    /// Orders that have no outcome yet: the gauge, and what a driver waits for before it stops.
    #[must_use]
    pub fn in_hand(&self) -> usize {
        self.orders.len()
    }

    /// Whether nothing is in hand any more after [`Input::Drain`], and every outcome was given out.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        match self.phase {
            Phase::Running => false,
            Phase::Draining => self.in_hand() == 0 && self.outbox.is_empty(),
            Phase::Stopped => true,
        }
    }

    /// Requests without an answer yet.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.orders.in_flight()
    }

    /// Devices whose budgets are used up in part: the gauge.
    #[must_use]
    pub fn devices_paced(&self) -> usize {
        self.shares.len()
    }

    /// What it holds now.
    #[must_use]
    pub fn gauges(&self) -> Gauges {
        Gauges {
            in_hand: self.in_hand(),
            waiting: self.orders.waiting(),
            in_flight: self.in_flight(),
            lanes_held: self.orders.lanes_held(),
            devices_paced: self.devices_paced(),
            devices_limited: self.shares.limited(),
        }
    }

    /// What was counted since the start.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let mut counters = self.counters;
        counters.jwt_signed.add(self.jwt.as_ref().map_or(0, Jwt::signatures));
        counters
    }

    /// What this push server would have to admit to knowing.
    ///
    /// Device tokens are those of orders in hand, or with [`Config::devices_counted_max`] all that were
    /// seen, up to that many.
    #[must_use]
    pub fn knowledge(&self) -> Vec<Fact> {
        let mut facts = Vec::with_capacity(3);
        facts.push(self.seen.devices(&self.orders));
        let number = |what, counter: Counter| Fact { what, count: counter.total(), sample: None };
        facts.push(number("pushes", self.counters.requests));
        facts.push(number("encrypted bytes", self.counters.body_bytes));
        facts
    }

    /// Ends an order: the one place that writes an outcome.
    fn finish(&mut self, id: PushId, result: PushResult) {
        if self.orders.remove(id).is_some() {
            self.timers.cancel(&Timer::Deadline(id));
            if mutant::is("failed_push_ends_silently") && result != PushResult::Accepted {
                return;
            }
            self.report(id, result);
        }
    }

    /// Takes an order off the books of its device: the push certainly did not arrive.
    fn give_back(&mut self, id: PushId) {
        if let Some(share) = self.orders.get_mut(id).and_then(|order| order.share.take()) {
            self.shares.give_back(self.now.mono, share);
        }
    }

    /// "Later", spread so that devices put off together do not return together.
    fn later(&mut self, asked: Option<Duration>) -> PushResult {
        let base = asked.unwrap_or(self.config.later).clamp(Duration::from_secs(1), self.config.later_max);
        let spread = u64::try_from(base.as_micros() / 2).unwrap_or(u64::MAX);
        PushResult::TryLater { after: base + Duration::from_micros(self.jitter.below(spread)) }
    }

    /// The next attempt of an order as a request, and the order marked as in flight.
    ///
    /// `None` when the order is gone or cannot be sent; admission rules both out.
    fn request(&mut self, id: PushId) -> Option<Request> {
        let (jwt, generation) = self.jwt.as_mut()?.text(self.now);
        let request_id = RequestId(self.requests_made.saturating_add(1));
        let order = self.orders.sent(id, request_id, generation)?;
        let body = apns::body(&order.payload, &self.config.alert);
        let mut headers = apns::headers(order.payload.kind(), &self.config.topic, jwt);
        if let PushPayload::Alert(collapse) = order.payload {
            // Before the last one, which is that of the credential.
            let last = headers.len().saturating_sub(1);
            headers.splice(last..last, self.config.alert.headers(collapse, self.now.wall));
        }
        let request = Request {
            id: request_id,
            provider: order.provider,
            path: order.path.as_str().into(),
            headers,
            body,
            timeout: order.deadline.since(self.now.mono),
        };
        if order.attempts > 1 {
            self.counters.retried.count();
        }
        self.requests_made = request_id.0;
        self.counters.requests.count();
        self.counters.body_bytes.add(u64::try_from(request.body.len()).unwrap_or(u64::MAX));
        Some(request)
    }
}

impl core::fmt::Debug for Push {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Push({} orders in hand)", self.in_hand())
    }
}

impl Machine for Push {
    type Input<'a> = Input<'a>;
    type Effect = Effect;

    fn handle(&mut self, now: Now, input: Input<'_>) {
        if self.phase == Phase::Stopped {
            return;
        }
        self.now = Now { mono: now.mono.max(self.now.mono), wall: now.wall };
        match input {
            Input::Drain => self.phase = Phase::Draining,
            Input::Stop => self.on_stop(),
            // Time is looked at first, so that what follows meets no order that is overdue.
            Input::Tick => self.on_timer(),
            Input::Order(order) => {
                self.on_timer();
                self.on_order(order);
            }
            // An answer counts even when it comes in the same moment as the deadline.
            Input::Answer { request, answer } => {
                self.on_answer(request, answer);
                self.on_timer();
            }
        }
    }

    fn poll(&mut self) -> Step<Effect> {
        loop {
            if let Some(effect) = self.outbox.pop() {
                return Step::Do(effect);
            }
            let Some(id) = self.orders.next_ready(self.config.in_flight_max) else {
                let deadline = self.timers.next();
                return Step::Idle(deadline.map(|(at, timer)| Deadline { at, reason: timer.reason() }));
            };
            if self.end_if_limited(id) {
                continue;
            }
            match self.request(id) {
                Some(request) => return Step::Do(Effect::Request(request)),
                None => {
                    debug_assert!(false, "an admitted order can be made a request");
                    self.finish(id, PushResult::Refused);
                }
            }
        }
    }
}
