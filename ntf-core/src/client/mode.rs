//! How the application wants to learn of messages, and what follows: notifier credentials and TCRN.
//!
//! A queue is *watched* when its messages are to cause pushes. Watched queues have notifier credentials at
//! their SMP server and a subscription; others have neither, so that nobody hears of their messages.
//! Turning a queue off ends with a fetch, and turning it on does too: whatever came in between made no
//! notice, and is not lost.

use crate::base::time::Now;
use crate::client::Client;
use crate::client::advice::{Advice, lasting};
use crate::client::effect::Event;
use crate::client::input::QueueId;
use crate::client::on_timer::Timer;
use crate::client::queue::{Notifier, Queue, Removal};
use crate::client::servers::{NtfAnswer, words};
use crate::client::token::Generation;
use crate::model::cron::Cron;
use crate::wire::error_code::ErrorCode;
use crate::wire::ntf::response::Response;
use core::time::Duration;

/// How a device learns of messages. Source: `ntf-protocol` 5.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// A push for each message: the subscriber watches every queue whose notifications are on.
    ///
    /// The default. Source: ours; the reference defaults to `PERIODIC`, which is of no use before the
    /// subscriber sends periodic pushes, and its own never does (`ntf-protocol` 7.2, D1).
    #[default]
    Instant,
    /// A push now and then, whether or not anything came; the device looks into every queue. Neither
    /// subscriber nor SMP servers know which queues belong to the device.
    Periodic,
    /// Messages come straight from their SMP servers, over connections that the client holds: no push, and no
    /// use for a token. See [`direct`](crate::client::direct).
    Direct,
    /// Not at all: the device looks into its queues when the application says so.
    Off,
}

/// Whether the messages of one queue should cause pushes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Notifications {
    /// They should, in [`Mode::Instant`].
    #[default]
    On,
    /// They should not, in any mode. The queue is still looked into when the device is woken.
    Off,
}

impl Client {
    pub(super) fn on_set_mode(&mut self, now: Now, mode: Mode) {
        if self.mode == mode {
            return;
        }
        let was_direct = self.is_direct();
        self.mode = mode;
        match (was_direct, self.is_direct()) {
            (true, false) => self.end_direct(now),
            (false, true) => self.begin_direct(now),
            (true, true) | (false, false) => {}
        }
        self.timers.cancel(&Timer::Cron);
        self.advance_token(now);
        self.turn_all(now);
    }

    pub(super) fn on_set_notifications(&mut self, now: Now, id: QueueId, notifications: Notifications) {
        match self.queues.get_mut(&id).map(Queue::live_mut) {
            Some(Some(live)) => live.notifications = notifications,
            Some(None) => {
                let advice = self.try_again();
                return self.fail(None, advice, "the queue is being created or deleted; try again later");
            }
            None => {
                return self.fail(None, Advice::ReportBug, "there is no such queue to turn on or off");
            }
        }
        self.turn_notifications(now, id);
    }

    /// Makes or removes the notifier credentials of every queue, as mode and application want.
    pub(super) fn turn_all(&mut self, now: Now) {
        for id in self.live_queues() {
            self.turn_notifications(now, id);
        }
    }

    /// Whether the messages of a queue should cause pushes.
    pub(super) fn is_watched(&self, id: QueueId) -> bool {
        let wish = self.queues.get(&id).and_then(Queue::live).map(|live| live.notifications);
        self.mode == Mode::Instant && !self.has_unregistered && wish == Some(Notifications::On)
    }

    /// Makes or removes the notifier credentials of a queue, as mode and application want.
    ///
    /// A command that is out is waited for: a server executes the commands of one block in an order of its
    /// own (`smp-transport` 4.8), and NKEY after NDEL would leave the queue watched.
    pub(super) fn turn_notifications(&mut self, now: Now, id: QueueId) {
        let is_watched = self.is_watched(id);
        let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) else { return };
        match (&live.notifier, is_watched) {
            (Notifier::Off | Notifier::Removing(Removal::Wanted | Removal::Delayed), true) => {
                live.notifier = Notifier::Missing;
                self.timers.cancel(&Timer::Queue(id));
            }
            (Notifier::Missing | Notifier::Delayed | Notifier::Ready(_), false) => {
                self.unsubscribe(now, id);
                self.forget_subscription(id);
                if let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) {
                    live.notifier = Notifier::Removing(Removal::Wanted);
                }
            }
            (Notifier::Asked { .. } | Notifier::Removing(Removal::Asked), _)
            | (Notifier::Missing | Notifier::Delayed | Notifier::Ready(_), true)
            | (Notifier::Off | Notifier::Removing(Removal::Wanted | Removal::Delayed), false) => {}
        }
        self.advance_queue(now, id);
    }

    /// The interval of periodic pushes that the mode calls for.
    pub(super) const fn wanted_cron(&self) -> Cron {
        match self.mode {
            Mode::Instant => self.config.cron_instant,
            Mode::Periodic => self.config.cron_periodic,
            Mode::Direct | Mode::Off => Cron::Off,
        }
    }

    pub(super) fn on_tcrn_answer(
        &mut self,
        now: Now,
        generation: Generation,
        cron: Cron,
        answer: NtfAnswer<'_>,
    ) {
        let Some(token) = self.answered(generation) else { return };
        match answer {
            NtfAnswer::Response(Response::Ok) => {
                token.cron = Some(cron);
                token.cron_backoff.reset();
                self.tell(Event::Periodic(cron));
            }
            // It may have been carried out or not.
            NtfAnswer::Lost => token.cron = None,
            NtfAnswer::Error(ErrorCode::Auth) => {
                token.cron = None;
                token.wants.check = true;
                self.delay_cron(now);
                self.fail(
                    None,
                    Advice::Wait { next: Duration::ZERO },
                    "TCRN: the subscriber refuses it (AUTH); asking whether it has the token",
                );
            }
            NtfAnswer::Error(ErrorCode::Quota) => {
                token.cron = None;
                // Only another interval helps, and that is for the application to configure.
                self.timers.set(Timer::Cron, now.mono + self.config.later_checks);
                self.fail(
                    None,
                    Advice::Configure,
                    "TCRN: the interval of periodic pushes is too short for this subscriber (QUOTA)",
                );
            }
            NtfAnswer::Error(code) => {
                token.cron = None;
                self.delay_cron(now);
                let advice = lasting(&code).unwrap_or_else(|| self.until(now, &Timer::Cron));
                self.fail(None, advice, words("TCRN", "the subscriber", &code));
            }
            NtfAnswer::Response(_) | NtfAnswer::Unfit => {
                token.cron = None;
                self.delay_cron(now);
                self.unfit_ntf("TCRN");
            }
        }
        self.advance_token(now);
    }

    fn delay_cron(&mut self, now: Now) {
        let Some(token) = &mut self.token else { return };
        let delay = token.cron_backoff.next_delay(self.config.retry, &mut self.jitter);
        self.timers.set(Timer::Cron, now.mono + delay);
    }
}
