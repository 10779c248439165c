//! What becomes due.

use crate::base::time::Now;
use crate::client::Client;
use crate::client::input::QueueId;
use crate::client::leave::LeavingId;
use crate::client::servers::ServerIndex;
use crate::link::engine::Inbox;

/// Why the client wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A server's engine: reply timeout, reconnection, PING.
    Server(ServerIndex),
    /// Nobody has used a connection for a while.
    Idle(ServerIndex),
    /// A registration is to be made or repeated.
    Register,
    /// Notifier credentials or the subscription of a queue are to be made after a refusal.
    Queue(QueueId),
    /// TCRN is to be sent after a refusal.
    Cron,
    /// The token is to be checked.
    Check,
    /// A check that was asked for too soon after another one is to begin.
    CheckAsked,
    /// The subscription of a queue is to be checked.
    Subscription(QueueId),
    /// A queue is to be fetched from after a refusal.
    Fetch(QueueId),
    /// A deletion at a subscriber is to be tried again, or given up.
    Leaving(LeavingId),
    /// Messages of a queue are to be subscribed to after a refusal.
    Watch(QueueId),
    /// The time of a background refresh is over.
    Refresh,
    /// A client that was restored is to subscribe to its queues.
    Watching,
    /// Servers of held connections are to be asked for a sign of life.
    Round,
}

impl Timer {
    /// For logs and tests.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Server(_) => "server",
            Self::Idle(_) => "idle connection",
            Self::Register => "registration",
            Self::Queue(_) => "credentials or subscription of a queue",
            Self::Cron => "periodic pushes",
            Self::Check => "check of the token",
            Self::CheckAsked => "check that was asked for",
            Self::Subscription(_) => "check of a subscription",
            Self::Fetch(_) => "fetching",
            Self::Leaving(_) => "deletion",
            Self::Watch(_) => "direct subscription",
            Self::Refresh => "background refresh",
            Self::Watching => "direct subscriptions",
            Self::Round => "round of pings",
        }
    }
}

/// Timers that fire in one tick. The rest fire in the next, which is due at once.
///
/// Source: ours; each costs a command at most, so a tick stays within a millisecond.
const DUE_PER_TICK: usize = 256;

impl Client {
    pub(super) fn on_tick(&mut self, now: Now) {
        for _ in 0..DUE_PER_TICK {
            let Some(timer) = self.timers.pop_due(now.mono) else { return };
            match timer {
                Timer::Server(index) => self.on_server_timer(now, index),
                Timer::Idle(index) => self.on_idle_timer(now, index),
                Timer::Register => self.on_register_timer(now),
                Timer::Queue(id) => self.on_queue_timer(now, id),
                Timer::Cron => self.advance_token(now),
                Timer::Check => self.on_check_timer(now, None),
                Timer::CheckAsked => self.on_check_asked_timer(now),
                Timer::Subscription(id) => self.on_check_timer(now, Some(id)),
                Timer::Fetch(id) => self.fetch(now, id),
                Timer::Leaving(id) => self.on_leaving_timer(now, id),
                Timer::Watch(id) => self.on_watch_timer(now, id),
                // Ends once this input is settled.
                Timer::Refresh => {}
                Timer::Watching => self.want_all(now),
                Timer::Round => self.on_round_timer(now),
            }
        }
    }

    fn on_server_timer(&mut self, now: Now, index: ServerIndex) {
        self.servers.touch(index);
        if let Some(server) = self.servers.get(index) {
            server.engine.tick(now);
        }
        self.read(now, index, Inbox::default());
    }

    fn on_idle_timer(&mut self, now: Now, index: ServerIndex) {
        self.servers.touch(index);
        if let Some(server) = self.servers.get(index) {
            server.engine.disconnect();
        }
        self.read(now, index, Inbox::default());
    }
}
