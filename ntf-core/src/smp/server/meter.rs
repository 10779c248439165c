//! What the server counts and holds. Numbers only.

use crate::base::meter::Counter;

/// What happened since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Links that came up.
    pub links_accepted: Counter,
    /// Links closed at once because the table was full.
    pub links_refused: Counter,
    /// Links closed for a broken handshake or one that took too long.
    pub handshakes_failed: Counter,
    /// Links closed for silence.
    pub links_silent: Counter,
    /// Links closed because they did not take what was sent to them.
    pub links_overrun: Counter,
    /// Commands executed.
    pub commands: Counter,
    /// Commands refused before execution: unknown entity or wrong key.
    pub refused_auth: Counter,
    /// Queues created.
    pub queues_created: Counter,
    /// Queues deleted.
    pub queues_deleted: Counter,
    /// Messages accepted from senders.
    pub messages_accepted: Counter,
    /// Messages refused with `QUOTA`.
    pub messages_refused: Counter,
    /// Messages handed to recipients, repeats included.
    pub messages_delivered: Counter,
    /// Messages acknowledged.
    pub messages_acknowledged: Counter,
    /// Messages dropped because nobody fetched them in time.
    pub messages_expired: Counter,
    /// Notifications stored for a notifier.
    pub notifications_stored: Counter,
    /// Notifications sent to a notifier.
    pub notifications_sent: Counter,
    /// Notifications dropped because a bound was reached.
    pub notifications_dropped: Counter,
    /// Notifications dropped because nobody watched in time.
    pub notifications_expired: Counter,
    /// Notifications dropped with their notifier id (NKEY, NDEL, DEL).
    pub notifications_withdrawn: Counter,
    /// END, ENDS and DELD events sent.
    pub endings_sent: Counter,
    /// Links that introduced themselves as a service and were taken as one.
    pub services_accepted: Counter,
    /// Links refused because they introduced themselves as a service that is another, or one too many.
    pub services_refused: Counter,
}

/// What is held at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Links up.
    pub links: usize,
    /// Blocks handed over and not known to be sent, of all links.
    pub unsent_blocks: u64,
    /// Queues.
    pub queues: usize,
    /// Queues with a notifier.
    pub notifiers: usize,
    /// Notifier ids that some link watches.
    pub watched: usize,
    /// Queues that some link is subscribed to.
    pub subscribed: usize,
    /// Messages, quota markers included.
    pub messages: usize,
    /// Bytes of message bodies and link data.
    pub bytes: usize,
    /// Notifications that wait for a round or for a watcher.
    pub notifications: usize,
    /// Services known.
    pub services: usize,
    /// Notifier ids tied to a service.
    pub tied: usize,
    /// END, ENDS and DELD that wait for a round.
    pub endings: usize,
}
