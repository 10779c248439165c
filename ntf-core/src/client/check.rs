//! Checks: whether the subscriber still has the token and each subscription.
//!
//! A subscriber keeps everything in memory, so asking is the only way to learn that it has begun anew.
//! Each subscription has a due date of its own; what is due soon goes along with what is due, so that a
//! device connects seldom and its blocks are full. TCHK goes first: where the token is gone, so are all
//! subscriptions, and there is no need to ask for each.

use crate::base::mutant;
use crate::base::time::{Mono, Now};
use crate::client::Client;
use crate::client::advice::{Advice, lasting};
use crate::client::effect::Event;
use crate::client::input::QueueId;
use crate::client::on_timer::Timer;
use crate::client::queue::{Attempt, Check, Notifier, Queue, Subscription};
use crate::client::servers::{Ask, NtfAnswer, NtfTag, words};
use crate::client::token::{Generation, Phase};
use crate::link::engine::Inbox;
use crate::model::token::TokenStatus;
use crate::wire::error_code::ErrorCode;
use crate::wire::ntf::command::Command;
use crate::wire::ntf::response::Response;
use alloc::vec::Vec;
use core::time::Duration;

impl Client {
    /// The application asks for a check. One that waits for its answer serves everybody who asked, and the
    /// next begins [`check_gap`](crate::client::Config::check_gap) later at the soonest.
    pub(super) fn on_check(&mut self, now: Now) {
        let Some(token) = &self.token else {
            return self.fail(None, Advice::Register, "there is no token to check");
        };
        let is_under_way = token.wants.check && self.checked_at.is_some();
        match self.checked_at.map(|at| at + self.config.check_gap) {
            Some(_) if is_under_way => {}
            Some(next) if next > now.mono => self.timers.set(Timer::CheckAsked, next),
            Some(_) | None => self.check_all(now),
        }
    }

    /// The device is on another network, or on one again: no connection can be trusted, and no delay has
    /// its reason any more.
    pub(super) fn on_network_changed(&mut self, now: Now) {
        self.redial_all(now);
        if self.token.is_some() {
            self.on_check(now);
        }
        self.retry_queues(now);
    }

    /// Gives up every connection, and opens those anew that somebody waits for.
    pub(super) fn redial_all(&mut self, now: Now) {
        for index in self.servers.wanted() {
            self.servers.redial(now, index);
            // What was asked over the old link is asked again over the one that follows.
            self.read(now, index, Inbox::default());
        }
    }

    /// Asks for the token and every subscription, and gives what was put off another chance.
    pub(super) fn check_all(&mut self, now: Now) {
        self.checked_at = Some(now.mono);
        for id in self.live_queues() {
            self.want_check(id);
        }
        self.timers.cancel(&Timer::CheckAsked);
        self.timers.cancel(&Timer::Register);
        self.timers.cancel(&Timer::Cron);
        self.check_token(now);
        self.retry_queues(now);
    }

    /// The timer of a check that was asked for too soon after another.
    pub(super) fn on_check_asked_timer(&mut self, now: Now) {
        if self.token.is_some() {
            self.check_all(now);
        }
    }

    /// The token's timer, or that of a subscription.
    pub(super) fn on_check_timer(&mut self, now: Now, due: Option<QueueId>) {
        if self.token.as_ref().is_some_and(|token| !token.wants.check) {
            // This one does not look at every subscription, so it serves nobody who asks for that.
            self.checked_at = None;
        }
        if let Some(id) = due {
            self.want_check(id);
        }
        let soon = now.mono + self.config.check_window;
        for id in self.live_queues() {
            if self.timers.deadline(&Timer::Subscription(id)).is_some_and(|at| at <= soon) {
                self.want_check(id);
            }
        }
        self.check_token(now);
    }

    fn check_token(&mut self, now: Now) {
        let next = self.check_at(now, self.config.later_checks);
        let Some(token) = &mut self.token else { return };
        token.wants.check = token.issued().is_some();
        self.timers.set(Timer::Check, next);
        self.advance_token(now);
    }

    /// Queues whose commands were refused get another chance.
    fn retry_queues(&mut self, now: Now) {
        let all: Vec<_> = self.queues.keys().copied().collect();
        for id in all {
            self.timers.cancel(&Timer::Queue(id));
            self.on_queue_timer(now, id);
        }
    }

    /// Sets the token's first check.
    pub(super) fn await_check(&mut self, now: Now) {
        if self.timers.deadline(&Timer::Check).is_none() {
            let at = self.check_at(now, self.config.first_check);
            self.timers.set(Timer::Check, at);
        }
    }

    /// Sets the next check of a subscription.
    pub(super) fn await_subscription_check(&mut self, now: Now, id: QueueId, interval: Duration) {
        let at = self.check_at(now, interval);
        self.timers.set(Timer::Subscription(id), at);
    }

    /// TCHK was refused for a reason that may pass.
    fn delay_check(&mut self, now: Now) {
        let Some(token) = &mut self.token else { return };
        let delay = token.check_backoff.next_delay(self.config.retry, &mut self.jitter);
        self.timers.set(Timer::Check, now.mono + delay);
    }

    /// SCHK was refused for a reason that may pass.
    fn delay_subscription_check(&mut self, now: Now, id: QueueId) {
        let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) else { return };
        let delay = live.backoff.next_delay(self.config.retry, &mut self.jitter);
        self.timers.set(Timer::Subscription(id), now.mono + delay);
    }

    /// A time in the last part of an interval, so that devices which registered together do not return
    /// together.
    fn check_at(&mut self, now: Now, interval: Duration) -> Mono {
        let window = self.config.check_window.min(interval);
        let micros = u64::try_from(window.as_micros()).unwrap_or(u64::MAX);
        let early = Duration::from_micros(self.jitter.below(micros));
        now.mono + interval.saturating_sub(early)
    }

    fn want_check(&mut self, id: QueueId) {
        let live = self.queues.get_mut(&id).and_then(Queue::live_mut);
        if let Some(Subscription::Made { check, .. }) = live.map(|live| &mut live.subscription) {
            if *check == Check::Idle {
                *check = Check::Wanted;
            }
            self.timers.cancel(&Timer::Subscription(id));
        }
    }

    pub(super) fn on_tchk_answer(&mut self, now: Now, generation: Generation, answer: NtfAnswer<'_>) {
        let Some(token) = self.answered(generation) else { return };
        match answer {
            NtfAnswer::Response(Response::Tkn(status)) => {
                token.wants.check = false;
                token.check_backoff.reset();
                self.on_token_status(now, status);
            }
            NtfAnswer::Lost => {}
            NtfAnswer::Error(ErrorCode::Auth) if !mutant::is("forgotten_token_stays") => {
                self.restart_token(now);
                return self.fail(
                    None,
                    self.until(now, &Timer::Register),
                    "TCHK: the subscriber has forgotten the token (AUTH); registering anew",
                );
            }
            NtfAnswer::Error(code) => {
                token.wants.check = false;
                if lasting(&code).is_none() {
                    self.delay_check(now);
                }
                let advice = lasting(&code).unwrap_or_else(|| self.until(now, &Timer::Check));
                self.fail(None, advice, words("TCHK", "the subscriber", &code));
            }
            NtfAnswer::Response(_) | NtfAnswer::Unfit => {
                token.wants.check = false;
                self.unfit_ntf("TCHK");
            }
        }
        self.advance_token(now);
    }

    /// What TCHK said. Source: `ntf-protocol` 5.3, 5.4.
    fn on_token_status(&mut self, now: Now, status: TokenStatus) {
        let Some(token) = &mut self.token else { return };
        let Some(issued) = token.issued().cloned() else { return };
        match status {
            TokenStatus::Active => {
                let was_active = token.is_active();
                token.phase = Phase::Active(issued);
                self.resume_checks(now);
                if was_active {
                    self.tell(Event::Token(status));
                    self.await_check(now);
                    self.subscribe_all(now);
                } else {
                    self.on_active(now);
                }
            }
            TokenStatus::Invalid(_) => {
                token.phase = Phase::Refused(issued, status);
                self.tell(Event::Token(status));
                self.resume_checks(now);
            }
            // Forgotten for want of use, which is over: the device token is as good as before.
            TokenStatus::Expired => {
                token.phase = Phase::Refused(issued, status);
                token.wants.another_push = true;
                self.tell(Event::Token(status));
            }
            TokenStatus::New | TokenStatus::Registered | TokenStatus::Confirmed => {
                if !matches!(token.phase, Phase::Verifying(..)) {
                    token.phase = Phase::Registered(issued);
                    token.wants.another_push = true;
                }
                self.tell(Event::Token(status));
            }
        }
    }

    /// SCHK for every subscription that waits for one.
    pub(super) fn resume_checks(&mut self, now: Now) {
        for id in self.live_queues() {
            self.ask_check(now, id);
        }
    }

    /// SCHK, if it is wanted and the token is known to be there.
    pub(super) fn ask_check(&mut self, now: Now, id: QueueId) {
        let Some(token) = self.token.as_ref().filter(|token| !token.wants.check) else { return };
        let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) else { return };
        let Subscription::Made { id: subscription, check, .. } = &mut live.subscription else { return };
        if *check != Check::Wanted {
            return;
        }
        let tag = NtfTag::Schk(id, live.attempt);
        let entity = Some(&*subscription);
        match self.servers.ask_ntf(now, &self.config, &token.server, entity, &token.auth, &Command::Schk, tag)
        {
            Ask::Out => *check = Check::Asked,
            Ask::Later => {}
            Ask::Impossible(why, advice) => {
                *check = Check::Idle;
                self.await_subscription_check(now, id, self.config.later_checks);
                self.fail(None, advice, why);
            }
        }
    }

    pub(super) fn on_schk_answer(&mut self, now: Now, id: QueueId, attempt: Attempt, answer: NtfAnswer<'_>) {
        let later = self.config.later_checks;
        let Some(live) = self.asked_live(id, attempt) else { return };
        let Subscription::Made { status, check, .. } = &mut live.subscription else { return };
        *check = Check::Idle;
        match answer {
            NtfAnswer::Response(Response::Sub(said)) => {
                *status = said.clone();
                let is_kept = said.is_kept();
                live.backoff.reset();
                self.tell(Event::Subscription { queue: id, status: said });
                match is_kept {
                    true => self.await_subscription_check(now, id, later),
                    false => self.renew_now(now, id),
                }
            }
            NtfAnswer::Lost => {
                *check = Check::Wanted;
                self.ask_check(now, id);
            }
            NtfAnswer::Error(ErrorCode::Auth) => {
                self.fail(
                    None,
                    Advice::Wait { next: Duration::ZERO },
                    "SCHK: the subscriber has forgotten the subscription (AUTH); making it anew",
                );
                self.renew_now(now, id);
            }
            NtfAnswer::Error(code) => {
                match lasting(&code).is_none() {
                    true => self.delay_subscription_check(now, id),
                    false => self.await_subscription_check(now, id, later),
                }
                let advice = lasting(&code).unwrap_or_else(|| self.until(now, &Timer::Subscription(id)));
                self.fail(None, advice, words("SCHK", "the subscriber", &code));
            }
            NtfAnswer::Response(_) | NtfAnswer::Unfit => {
                self.await_subscription_check(now, id, later);
                self.unfit_ntf("SCHK");
            }
        }
    }

    /// Makes notifier credentials and subscription anew, at once.
    pub(super) fn renew_now(&mut self, now: Now, id: QueueId) {
        self.forget_subscription(id);
        let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) else { return };
        if !matches!(live.notifier, Notifier::Asked { .. }) {
            live.notifier = Notifier::Missing;
        }
        self.advance_queue(now, id);
    }

    /// As [`renew_now`](Self::renew_now), after a delay that grows with each such attempt.
    pub(super) fn renew_later(&mut self, now: Now, id: QueueId) {
        self.forget_subscription(id);
        let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) else { return };
        live.notifier = Notifier::Delayed;
        let delay = live.backoff.next_delay(self.config.retry, &mut self.jitter);
        self.timers.set(Timer::Queue(id), now.mono + delay);
    }

    /// Forgets what the subscriber has of a queue, and the credentials that it knows. Answers about it that
    /// are still to come find nothing.
    pub(super) fn forget_subscription(&mut self, id: QueueId) {
        self.forget_notifier(id);
        self.timers.cancel(&Timer::Queue(id));
        self.timers.cancel(&Timer::Subscription(id));
        let Some(live) = self.queues.get_mut(&id).and_then(Queue::live_mut) else { return };
        live.attempt = live.attempt.next();
        live.subscription = Subscription::Missing;
    }
}
