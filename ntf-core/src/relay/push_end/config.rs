//! What the push server's end needs to be told, and what it counts.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crate::base::budget::BudgetPlan;
use crate::base::meter::{Counter, meters};
use crate::model::server::Fingerprint;
use crate::relay::sealed_token::OpeningKey;

/// Settings of the push server's end. [`Config::new`] has everything but who is served.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who is served; nobody else gets past the first look at their certificate. Entries of one name are one
    /// subscriber with several certificates, as while it changes them; the limits of the first count.
    pub subscribers: Vec<Admitted>,
    /// Keys that open sealed device tokens, the one that clients are given at present first. Default none:
    /// sealed tokens are answered as invalid.
    pub keys: Vec<OpeningKey>,
    /// Outcomes remembered for each subscriber; beyond it the oldest are forgotten. Default 65,536, some
    /// 4 MB: 10 minutes at 100 pushes a second. Source: ours.
    pub remembered_max: usize,
    /// How long an outcome is remembered. Longer than a subscriber goes on asking
    /// ([`answer_max`](crate::relay::subscriber_end::Config::answer_max)). Default 10 minutes.
    pub remembered_for: Duration,
    /// From TLS to the subscriber's hello. Default 30 s.
    pub hello_timeout: Duration,
    /// Silence after which a link is closed. Default 90 s; a subscriber's end says something every 20 s.
    pub idle_timeout: Duration,
}

impl Config {
    /// The defaults, for these subscribers.
    #[must_use]
    pub fn new(subscribers: Vec<Admitted>) -> Self {
        Self {
            subscribers,
            keys: Vec::new(),
            remembered_max: 65_536,
            remembered_for: Duration::from_secs(600),
            hello_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(90),
        }
    }
}

/// A subscriber that is served.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// What its operator is called here; in counters and logs.
    pub name: Box<str>,
    /// The identity in its certificates: the same as in the address that its users have.
    pub identity: Fingerprint,
    /// How much it may ask for.
    pub limits: Limits,
}

/// How much a subscriber may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Orders in hand at a time. Default 1024: 5,000 a second at a fifth of a second each.
    pub credits: u32,
    /// Pushes within seconds. Default 1000 at once, then 500 a second.
    pub short: BudgetPlan,
    /// Pushes within hours. Default 100,000 at once, then 100,000 an hour.
    pub long: BudgetPlan,
    /// Which device tokens it may push to.
    pub tokens: TokensAllowed,
}

/// Which device tokens a subscriber may push to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokensAllowed {
    /// Plain ones of stock apps, and sealed ones.
    Any,
    /// Only those that it cannot read. For subscribers that are run by strangers.
    Sealed,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            credits: 1024,
            short: BudgetPlan { burst: 1000, period: Duration::from_millis(2) },
            long: BudgetPlan { burst: 100_000, period: Duration::from_millis(36) },
            tokens: TokensAllowed::Any,
        }
    }
}

/// Numbers of the push server's end since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// What became of links.
    pub links: LinkCounters,
    /// What became of orders.
    pub orders: OrderCounters,
}

/// What became of links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Links of subscribers that are served, from TLS on.
    pub accepted: Counter,
    /// Links closed because no certificate was shown.
    pub nameless: Counter,
    /// Links closed because the certificate is of nobody who is served.
    pub strangers: Counter,
    /// Links closed because we are about to leave.
    pub leaving: Counter,
    /// Links welcomed.
    pub welcomed: Counter,
    /// Links closed because a newer one of the same name came.
    pub replaced: Counter,
    /// Links closed because no version is spoken by both.
    pub version: Counter,
    /// Links closed because more was ordered than there were credits.
    pub overdrawn: Counter,
    /// Links closed because of something that cannot be understood.
    pub faults: Counter,
    /// Links closed because nothing was heard.
    pub silent: Counter,
    /// Links closed because the subscriber takes no answers.
    pub congested: Counter,
}

/// What became of orders.
///
/// Each order received ends in exactly one of `handed_on`, `repeated`, `remembered`, `forgotten`, `throttled`,
/// `busy`, `draining`, `plain_refused` and `unopened`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderCounters {
    /// Orders received.
    pub received: Counter,
    /// Handed to the push server.
    pub handed_on: Counter,
    /// Asked for again while in hand: nothing is done twice.
    pub repeated: Counter,
    /// Asked for again and answered from memory.
    pub remembered: Counter,
    /// Too old to tell whether they were pushed; put off.
    pub forgotten: Counter,
    /// Put off because the subscriber has used up its limits.
    pub throttled: Counter,
    /// Put off because orders of earlier links take all credits.
    pub busy: Counter,
    /// Put off because we are about to leave.
    pub draining: Counter,
    /// Refused because the subscriber may push to sealed tokens only.
    pub plain_refused: Counter,
    /// Answered as invalid because the sealed token does not open.
    pub unopened: Counter,
    /// Of those handed on: the device token came sealed.
    pub sealed: Counter,
    /// Outcomes of the push server.
    pub outcomes: Counter,
    /// Of those: nobody was there to hear them; they are kept for a while.
    pub kept: Counter,
    /// Of those: for an instance of the subscriber that is no more.
    pub orphaned: Counter,
}

/// What its tables hold now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Links of subscribers: two for each at most, one of which has yet to say hello.
    pub links: usize,
    /// Subscribers that are connected.
    pub subscribers: usize,
    /// Orders that the push server has: what all credits bound.
    pub in_hand: usize,
    /// Outcomes remembered, of all subscribers: what [`Config::remembered_max`] bounds for each.
    pub remembered: usize,
}

meters!(Counters { links, orders });
meters!(LinkCounters {
    accepted,
    nameless,
    strangers,
    leaving,
    welcomed,
    replaced,
    version,
    overdrawn,
    faults,
    silent,
    congested
});
meters!(OrderCounters {
    received,
    handed_on,
    repeated,
    remembered,
    forgotten,
    throttled,
    busy,
    draining,
    plain_refused,
    unopened,
    sealed,
    outcomes,
    kept,
    orphaned
});
meters!(Gauges { links, subscribers, in_hand, remembered });
