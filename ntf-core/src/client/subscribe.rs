//! The queues at the subscriber: SNEW. What follows is in [`check`](super::check) and
//! [`leave`](super::leave).
//!
//! A subscription that the subscriber calls dead, or does not know, is made anew with fresh notifier
//! credentials: SNEW of the same ones would answer with the dead record (`ntf-protocol` 4.4, 5.5).

use crate::base::id::EntityId;
use crate::base::time::Now;
use crate::client::Client;
use crate::client::advice::{Advice, lasting};
use crate::client::effect::Event;
use crate::client::input::QueueId;
use crate::client::on_timer::Timer;
use crate::client::queue::{Attempt, Check, Live, Notifier, Phase, Queue, Subscription};
use crate::client::servers::{Ask, NtfAnswer, NtfTag, words};
use crate::model::server::NotifierAddress;
use crate::model::subscription::SubscriptionStatus;
use crate::wire::error_code::ErrorCode;
use crate::wire::ntf::command::Command;
use crate::wire::ntf::response::Response;
use alloc::string::String;
use alloc::vec::Vec;

impl Client {
    /// The token has become active: makes what is missing.
    pub(super) fn subscribe_all(&mut self, now: Now) {
        for id in self.live_queues() {
            self.advance_queue(now, id);
        }
    }

    /// Goes on with every subscription at the subscriber, which has come up or has room again.
    pub(super) fn resume_subscriptions(&mut self, now: Now) {
        for id in self.live_queues() {
            self.ask_subscription(now, id);
            self.ask_check(now, id);
        }
    }

    /// The token is gone or starts anew: so do all subscriptions, with fresh notifier credentials for
    /// those that a subscriber has seen.
    pub(super) fn drop_subscriptions(&mut self, now: Now) {
        for id in self.live_queues() {
            let is_watched = self.is_watched(id);
            match self.subscription(id) {
                Some(Subscription::Delayed | Subscription::Asked | Subscription::Made { .. })
                    if is_watched =>
                {
                    self.renew_now(now, id);
                }
                // Those that the application wants no pushes for any more.
                Some(_) | None => self.turn_notifications(now, id),
            }
        }
    }

    pub(super) fn live_queues(&self) -> Vec<QueueId> {
        self.queues.iter().filter(|(_, queue)| queue.live().is_some()).map(|(id, _)| *id).collect()
    }

    fn subscription(&mut self, id: QueueId) -> Option<&mut Subscription> {
        self.queues.get_mut(&id).and_then(Queue::live_mut).map(|live| &mut live.subscription)
    }

    /// SNEW, if the token is active, the notifier ready and nothing there yet.
    pub(super) fn ask_subscription(&mut self, now: Now, id: QueueId) {
        let Some(token) = self.token.as_ref().filter(|token| token.is_active()) else { return };
        let Some(issued) = token.issued() else { return };
        let Some(Queue { server, phase: Phase::Live(live), .. }) = self.queues.get_mut(&id) else { return };
        let (Subscription::Missing, Notifier::Ready(keys)) = (&live.subscription, &live.notifier) else {
            return;
        };
        let command = Command::Snew {
            token: issued.id.as_bytes(),
            notifier: NotifierAddress { server: server.clone(), notifier: keys.id.clone() },
            key: keys.auth.clone(),
        };
        let tag = NtfTag::Snew(id, live.attempt);
        match self.servers.ask_ntf(now, &self.config, &token.server, None, &token.auth, &command, tag) {
            Ask::Out => live.subscription = Subscription::Asked,
            Ask::Later => {}
            Ask::Impossible(why, advice) => self.delay_subscription(now, id, Some(advice), why),
        }
    }

    pub(super) fn on_snew_answer(&mut self, now: Now, id: QueueId, attempt: Attempt, answer: NtfAnswer<'_>) {
        let Some(live) = self.asked_live(id, attempt) else { return };
        if !matches!(live.subscription, Subscription::Asked) {
            return;
        }
        match answer {
            NtfAnswer::Response(Response::Idsub { subscription }) => {
                let Some(subscription) = EntityId::new(subscription) else {
                    let why = "SNEW: the subscriber gave no subscription id";
                    return self.delay_subscription(now, id, Some(Advice::ReportBug), why);
                };
                let status = SubscriptionStatus::New;
                live.subscription =
                    Subscription::Made { id: subscription, status: status.clone(), check: Check::Idle };
                live.backoff.reset();
                self.await_subscription_check(now, id, self.config.first_check);
                self.tell(Event::Subscription { queue: id, status });
            }
            NtfAnswer::Lost => {
                live.subscription = Subscription::Missing;
                self.ask_subscription(now, id);
            }
            NtfAnswer::Error(ErrorCode::Auth) => {
                // The token may be gone, or the notifier belongs to somebody else: finds out the one,
                // and avoids the other with fresh credentials.
                self.renew_later(now, id);
                if let Some(token) = &mut self.token {
                    token.wants.check = true;
                }
                self.fail(
                    None,
                    self.until(now, &Timer::Queue(id)),
                    "SNEW: the subscriber refuses the subscription (AUTH); making it anew",
                );
                self.advance_token(now);
            }
            NtfAnswer::Error(code) => {
                self.delay_subscription(now, id, lasting(&code), words("SNEW", "the subscriber", &code));
            }
            NtfAnswer::Response(_) | NtfAnswer::Unfit => {
                self.counters.answers_unfit.count();
                let why = "SNEW: the subscriber's answer is none to this command";
                self.delay_subscription(now, id, Some(Advice::ReportBug), why);
            }
        }
    }

    /// The queue that an answer about its subscription is for; `None` if that was replaced meanwhile.
    pub(super) fn asked_live(&mut self, id: QueueId, attempt: Attempt) -> Option<&mut Live> {
        self.queues.get_mut(&id).and_then(Queue::live_mut).filter(|live| live.attempt == attempt)
    }

    /// SNEW was refused for a reason that may pass: says so, and tries again later.
    fn delay_subscription(&mut self, now: Now, id: QueueId, lasting: Option<Advice>, why: impl Into<String>) {
        let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) else { return };
        live.subscription = Subscription::Delayed;
        let delay = live.backoff.next_delay(self.config.retry, &mut self.jitter);
        self.timers.set(Timer::Queue(id), now.mono + delay);
        self.fail(None, lasting.unwrap_or(Advice::Wait { next: delay }), why);
    }
}
