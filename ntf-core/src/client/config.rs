//! What may be set about a client.

use crate::base::backoff::BackoffPlan;
use crate::client::direct::DirectPlan;
use crate::crypto::keys::X25519Public;
use crate::link::dialect::Ntf;
use crate::link::engine::EnginePlan;
use crate::link::keepalive::KeepalivePlan;
use crate::model::cron::{CRON_INTERVAL_MINUTES_MIN, Cron};
use crate::smp::client::SmpPlan;
use core::time::Duration;

/// Limits and waits of a client. All have defaults.
#[derive(Clone, Debug)]
pub struct Config {
    /// Connections to SMP servers. Default: the engine's, with attempts up to 3 minutes apart, and with pings
    /// when somebody doubts that a server is there, of which one must be answered within 20 s.
    ///
    /// Source: `ntf-protocol` 5.6 for the cap; ours for the pings: TCP repeats what is lost, so a second
    /// ping tells nothing that the first does not.
    pub smp: SmpPlan,
    /// Connections to subscribers. Default: as for SMP servers.
    pub ntf: EnginePlan<Ntf>,
    /// How direct connections are held.
    pub direct: DirectPlan,
    /// How long a connection that nothing waits for is kept. Default 2 min.
    ///
    /// Source: ours; long enough for the next push to use it, short enough for a phone's radio.
    pub idle_close: Duration,
    /// Most servers, of both kinds. Default 1024. At the bound, commands about another fail. Source: ours.
    pub servers_max: usize,
    /// Waits before a refused subscription or registration is made anew. Default 2 s growing to 3 min.
    ///
    /// Source: `ntf-protocol` 5.6.
    pub retry: BackoffPlan,
    /// How long to wait for a verification push before asking for another. Default 1 min growing to 15.
    ///
    /// Source: ours; a provider delivers within seconds or not for a long time.
    pub verification: BackoffPlan,
    /// From the making of token or subscription to its first check, at most. Default 24 h.
    ///
    /// Source: `ntf-protocol` 5.6.
    pub first_check: Duration,
    /// From one check to the next, at most. Default 72 h. Source: `ntf-protocol` 5.6.
    ///
    /// After a subscriber has begun anew, a device is back within this time, or at once when asked.
    pub later_checks: Duration,
    /// The part at the end of an interval in which the check falls, evenly; and how far ahead a check looks
    /// for others to take along. Default 2 h.
    ///
    /// Source: ours; a million devices that registered in one minute come back at 140 a second, and the
    /// subscriptions of one device, made within a while, with one connection.
    pub check_window: Duration,
    /// Least distance between checks that are asked for. Default 5 s. One asked for sooner comes at its end.
    ///
    /// Source: ours; what was true 5 s ago is what a person would be shown anyway.
    pub check_gap: Duration,
    /// Periodic pushes in [`Mode::Instant`](crate::client::Mode::Instant). Default off.
    ///
    /// Source: ours; each message has its push, and the reference's 20 minutes would cost wake-ups.
    pub cron_instant: Cron,
    /// Periodic pushes in [`Mode::Periodic`](crate::client::Mode::Periodic). Default every 20 min, the
    /// shortest. Source: `ntf-protocol` 5.4.
    pub cron_periodic: Cron,
    /// The push server to whose key device tokens are sealed, so that no subscriber can read them. Default
    /// none: they are registered in plain, as stock apps do. An app has one push server, that of whoever
    /// holds its key of the provider, behind whichever subscriber.
    ///
    /// A subscriber that takes no sealed tokens refuses the registration; it is never made in plain instead. A
    /// token that is sealed already is registered as it is. With another key than before, a registration moves
    /// to a fresh sealing when the app gives its device token; one that is restored before the subscriber took it
    /// does at once, and is given up where the device token cannot be sealed. Source: `docs/protocol/sealed-tokens.md`.
    pub seal_to: Option<X25519Public>,
    /// Most subscribers to choose from. Default 64. A longer list is refused as a whole. Source: ours.
    pub subscribers_max: usize,
    /// How long a deletion is tried before it is given up: of a token, a subscription or a queue. Default
    /// 21 days. Source: `ntf-protocol` 5.6.
    pub deletion_age_max: Duration,
    /// Most deletions of tokens and subscriptions that wait. Default 4096. At the bound the oldest one of a
    /// subscription is forgotten, then the oldest of all. Source: ours; as many as queues.
    pub deletions_max: usize,
    /// Most queues. Default 4096. At the bound, creating another fails. Source: ours.
    pub queues_max: usize,
    /// Most addresses sent to. Default 4096. At the bound, sending to another fails. Source: ours.
    pub senders_max: usize,
    /// Most messages that wait to be sent to one address. Default 256; a further one fails. Source: ours.
    pub outgoing_max: usize,
    /// Most queues fetched from at once, over all servers. Default 32; others wait in line. Source: ours;
    /// a phone that opens a push has little memory and little time.
    pub fetches_max: usize,
}

/// Nobody is asked by interval: a client that waits for messages asks all its servers at a time.
const ON_DOUBT: KeepalivePlan =
    KeepalivePlan { interval: None, answer_timeout: Duration::from_secs(20), unanswered_max: 1 };

impl Default for Config {
    fn default() -> Self {
        let plan =
            |first, max| BackoffPlan { first: Duration::from_secs(first), max: Duration::from_secs(max) };
        Self {
            smp: SmpPlan { backoff: plan(1, 180), keepalive: ON_DOUBT, ..SmpPlan::default() },
            direct: DirectPlan::default(),
            ntf: EnginePlan { backoff: plan(1, 180), ..EnginePlan::default() },
            idle_close: Duration::from_secs(120),
            servers_max: 1024,
            retry: plan(2, 180),
            verification: plan(60, 900),
            first_check: Duration::from_secs(24 * 3600),
            later_checks: Duration::from_secs(72 * 3600),
            check_window: Duration::from_secs(2 * 3600),
            check_gap: Duration::from_secs(5),
            cron_instant: Cron::Off,
            cron_periodic: Cron::Every { minutes: CRON_INTERVAL_MINUTES_MIN },
            seal_to: None,
            subscribers_max: 64,
            deletion_age_max: Duration::from_secs(21 * 24 * 3600),
            deletions_max: 4096,
            queues_max: 4096,
            senders_max: 4096,
            outgoing_max: 256,
            fetches_max: 32,
        }
    }
}
