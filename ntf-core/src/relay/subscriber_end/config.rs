//! What the subscriber's end needs to be told, and what it counts.

use core::time::Duration;

use crate::base::backoff::BackoffPlan;
use crate::base::meter::{Counter, meters};
use crate::crypto::cert::ServerCredentials;
use crate::link::keepalive::KeepalivePlan;
use crate::model::server::ServerAddress;

/// Settings of the subscriber's end. [`Config::new`] has everything but whom to reach and who we are.
#[derive(Clone, Debug)]
pub struct Config {
    /// The push server, and the identity to expect there.
    pub server: ServerAddress,
    /// What proves us: the certificates that devices are shown as well, because sealed device tokens are
    /// bound to the identity in them.
    pub credentials: ServerCredentials,
    /// Orders held, waiting and unanswered; a further one is put off at once. Default 4096, as many as the
    /// subscriber has out. Source: ours; some 13 MB.
    pub orders_max: usize,
    /// Most credits that are believed. Default 4096. Source: ours.
    pub credits_max: u32,
    /// How long an order waits for a link and a credit. Then it is put off, and its notices merge with
    /// those that came since. Default 10 s: a push server's restart does not show. Source: ours.
    pub wait_max: Duration,
    /// How long an order that was sent waits for its outcome, on however many links. Shorter than the
    /// subscriber's own patience, or it would order again what may be answered. Default 100 s, below
    /// [`DeliveryLimits::order_timeout`](crate::delivery::limits::DeliveryLimits::order_timeout).
    pub answer_max: Duration,
    /// From asking for a link to the push server's welcome. Default 60 s: TCP, TLS and a round trip.
    pub hello_timeout: Duration,
    /// Pauses between attempts to connect. Default 500 ms, doubled up to 30 s. After the push server said
    /// that another link has replaced ours it is the longest one. Source: ours.
    pub retry: BackoffPlan,
    /// When silence is broken by a ping, and when it means death. Default: every 20 s, and 10 s for each of
    /// two answers: an hour's pushes wait for this link, so it is watched closer than others. Source: ours.
    pub keepalive: KeepalivePlan,
}

impl Config {
    /// The defaults, for a subscriber with these credentials and this push server.
    #[must_use]
    pub fn new(server: ServerAddress, credentials: ServerCredentials) -> Self {
        let seconds = Duration::from_secs;
        Self {
            server,
            credentials,
            orders_max: 4096,
            credits_max: 4096,
            wait_max: seconds(10),
            answer_max: seconds(100),
            hello_timeout: seconds(60),
            retry: BackoffPlan { first: Duration::from_millis(500), max: seconds(30) },
            keepalive: KeepalivePlan {
                interval: Some(seconds(20)),
                answer_timeout: seconds(10),
                unanswered_max: 2,
            },
        }
    }
}

/// Numbers of the subscriber's end since its start.
///
/// Each order taken in ends in exactly one of `answered`, `expired_unsent`, `expired_unanswered`, `full`,
/// `too_long` and `dropped`, or is [held](super::SubscriberEnd::held).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Orders taken in.
    pub orders: Counter,
    /// Orders with an outcome of the push server.
    pub answered: Counter,
    /// Orders put off because no link or no credit came in time.
    pub expired_unsent: Counter,
    /// Orders put off because no outcome came in time; the push may have been made.
    pub expired_unanswered: Counter,
    /// Orders put off because too many were held.
    pub full: Counter,
    /// Orders refused because they fit no block.
    pub too_long: Counter,
    /// Orders dropped by a stop.
    pub dropped: Counter,
    /// Orders sent a further time, after a link was lost.
    pub resent: Counter,
    /// Links that were welcomed.
    pub welcomed: Counter,
    /// Links that ended or never came up, whatever the reason.
    pub lost: Counter,
    /// Of those lost: the push server is another than the address names.
    pub wrong_identity: Counter,
    /// Of those lost: it sent what cannot be understood.
    pub faults: Counter,
    /// Of those lost: it fell silent.
    pub silent: Counter,
    /// Of those lost: a newer link with our identity replaced it.
    pub replaced: Counter,
}

/// What it holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Links over which orders can be sent: one, or none while the push server is away.
    pub open: usize,
    /// Orders without an outcome: what [`Config::orders_max`] bounds.
    pub held: usize,
    /// Orders sent and not answered on this link: what the push server's credits bound.
    pub credits_used: usize,
}

meters!(Counters {
    orders,
    answered,
    expired_unsent,
    expired_unanswered,
    full,
    too_long,
    dropped,
    resent,
    welcomed,
    lost,
    wrong_identity,
    faults,
    silent,
    replaced
});
meters!(Gauges { open, held, credits_used });
