//! Queues that are not wanted any more: gone for the application at once, deleted at their SMP server with
//! NDEL and DEL when it can be reached, over restarts and network errors, for three weeks.

use crate::base::backoff::Backoff;
use crate::base::time::Now;
use crate::client::Client;
use crate::client::advice::{Advice, lasting};
use crate::client::effect::Event;
use crate::client::input::QueueId;
use crate::client::on_timer::Timer;
use crate::client::queue::{DeleteStep, Fate, Lane, Notifier, Phase, Queue, Removal};
use crate::client::servers::{Ask, SmpAnswer, SmpTag, words};
use crate::wire::error_code::ErrorCode;
use crate::wire::smp::command::Command;
use crate::wire::smp::response::Message;

impl Client {
    pub(super) fn on_delete_queue(&mut self, now: Now, id: QueueId) {
        let Some(queue) = self.queues.get_mut(&id) else {
            return self.fail(None, Advice::Nothing, "there is no such queue to delete");
        };
        match &mut queue.phase {
            Phase::Creating { fate, .. } => *fate = Fate::Delete,
            Phase::Deleting { .. } => {}
            Phase::Live(live) => {
                let recipient = live.recipient.clone();
                let lane = match live.notifier {
                    Notifier::Removing(Removal::Asked) => Lane::Busy,
                    Notifier::Missing
                    | Notifier::Delayed
                    | Notifier::Asked { .. }
                    | Notifier::Ready(_)
                    | Notifier::Removing(Removal::Wanted | Removal::Delayed)
                    | Notifier::Off => Lane::Free,
                };
                self.unsubscribe(now, id);
                self.forget_subscription(id);
                self.line.remove(id);
                self.timers.cancel(&Timer::Fetch(id));
                self.timers.cancel(&Timer::Watch(id));
                if let Some(queue) = self.queues.get_mut(&id) {
                    let until = now.mono + self.config.deletion_age_max;
                    self.timers.set(Timer::Queue(id), until);
                    let (step, backoff) = (DeleteStep::Notifier, Backoff::new());
                    queue.phase = Phase::Deleting { recipient, step, lane, until, backoff };
                }
                self.let_go_of_unwatched();
                self.advance_queue(now, id);
            }
        }
    }

    pub(super) fn ask_delete(&mut self, now: Now, id: QueueId) {
        let Some(Queue { server, auth, phase: Phase::Deleting { recipient, step, lane, .. } }) =
            self.queues.get_mut(&id)
        else {
            return;
        };
        if *lane != Lane::Free {
            return;
        }
        let (command, tag) = match step {
            DeleteStep::Notifier => (Command::Ndel, SmpTag::Ndel(id)),
            DeleteStep::Queue => (Command::Del, SmpTag::Del(id)),
        };
        match self.servers.ask_smp(now, &self.config, server, Some(recipient), Some(auth), &command, tag) {
            Ask::Out => *lane = Lane::Busy,
            Ask::Later => {}
            Ask::Impossible(why, advice) => self.fail(None, advice, why),
        }
    }

    pub(super) fn on_ndel_answer(&mut self, now: Now, id: QueueId, answer: SmpAnswer<'_>) {
        let Some(Queue { phase: Phase::Deleting { step, lane, .. }, .. }) = self.queues.get_mut(&id) else {
            return self.on_removal_answer(now, id, answer);
        };
        *lane = Lane::Free;
        match answer {
            SmpAnswer::Lost => {}
            // Whatever it said: DEL removes the notifier as well.
            SmpAnswer::Message(_) | SmpAnswer::Error(_) | SmpAnswer::Unfit => *step = DeleteStep::Queue,
        }
        self.ask_delete(now, id);
    }

    pub(super) fn on_del_answer(&mut self, now: Now, id: QueueId, answer: SmpAnswer<'_>) {
        let Some(Queue { phase: Phase::Deleting { lane, .. }, .. }) = self.queues.get_mut(&id) else {
            return;
        };
        *lane = Lane::Free;
        match answer {
            SmpAnswer::Lost => return self.ask_delete(now, id),
            // AUTH: it is gone already, as after an answer that was lost.
            SmpAnswer::Message(Message::Ok) | SmpAnswer::Error(ErrorCode::Auth) => {
                self.tell(Event::QueueDeleted { queue: id });
            }
            SmpAnswer::Error(code) => {
                let why = words("DEL", "the SMP server", &code);
                match lasting(&code) {
                    None => {
                        self.delay_delete(now, id);
                        return self.fail(None, self.until(now, &Timer::Queue(id)), why);
                    }
                    Some(advice) => self.fail(None, advice, why),
                }
            }
            SmpAnswer::Message(_) | SmpAnswer::Unfit => {
                self.counters.answers_unfit.count();
                self.fail(None, Advice::ReportBug, "DEL: the SMP server's answer is none to this command");
            }
        }
        self.timers.cancel(&Timer::Queue(id));
        self.queues.remove(&id);
    }

    fn delay_delete(&mut self, now: Now, id: QueueId) {
        let Some(Queue { phase: Phase::Deleting { lane, until, backoff, .. }, .. }) =
            self.queues.get_mut(&id)
        else {
            return;
        };
        *lane = Lane::Delayed;
        let delay = backoff.next_delay(self.config.retry, &mut self.jitter);
        self.timers.set(Timer::Queue(id), (*until).min(now.mono + delay));
    }

    /// The delay after a refusal is over, or the time of the deletion is.
    pub(super) fn on_delete_timer(&mut self, now: Now, id: QueueId) {
        if let Some(Queue { phase: Phase::Deleting { until, lane, .. }, .. }) = self.queues.get_mut(&id) {
            if *until <= now.mono {
                self.queues.remove(&id);
                return self.fail(
                    None,
                    Advice::CheckNetwork,
                    "DEL: the SMP server could not be reached for too long; giving up",
                );
            }
            if *lane == Lane::Delayed {
                *lane = Lane::Free;
            }
            self.timers.set(Timer::Queue(id), *until);
        }
    }
}
