//! What is not wanted any more at a subscriber: forgotten here at once, deleted there with TDEL or SDEL when
//! it can be reached, over restarts and network errors, for three weeks.

use crate::base::backoff::Backoff;
use crate::base::id::EntityId;
use crate::base::time::{Mono, Now};
use crate::client::Client;
use crate::client::advice::{Advice, lasting};
use crate::client::effect::Event;
use crate::client::input::QueueId;
use crate::client::on_timer::Timer;
use crate::client::queue::{Lane, Live, Queue, Subscription};
use crate::client::servers::{Ask, NtfAnswer, NtfTag, words};
use crate::client::token::{Generation, Token};
use crate::crypto::keys::AuthPrivateKey;
use crate::model::server::ServerAddress;
use crate::wire::error_code::ErrorCode;
use crate::wire::ntf::command::Command;
use crate::wire::ntf::response::Response;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Names a deletion. Later ones have higher numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LeavingId(u32);

/// Something that a subscriber should forget.
pub(super) struct Leaving {
    pub(super) what: Left,
    pub(super) server: ServerAddress,
    pub(super) id: EntityId,
    pub(super) auth: AuthPrivateKey,
    /// When it is given up: by then a subscriber has forgotten it by itself, or is gone.
    pub(super) until: Mono,
    pub(super) lane: Lane,
    pub(super) backoff: Backoff,
}

/// What kind of thing it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// A registration: TDEL.
    Token,
    /// A subscription of the token of this generation: SDEL.
    Subscription(Generation),
}

/// Everything that subscribers should forget.
#[derive(Default)]
pub(super) struct Leavings {
    all: BTreeMap<LeavingId, Leaving>,
    made: u32,
}

impl Leavings {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Leaving> + Clone {
        self.all.values()
    }

    /// Their timers.
    pub(super) fn timers(&self) -> Vec<Timer> {
        self.all.keys().map(|id| Timer::Leaving(*id)).collect()
    }

    /// The ids of those that `is_it` is true of.
    fn ids(&self, is_it: impl Fn(&Leaving) -> bool) -> Vec<LeavingId> {
        self.all.iter().filter(|(_, leaving)| is_it(leaving)).map(|(id, _)| *id).collect()
    }
}

impl Client {
    pub(super) fn on_unregister(&mut self, now: Now) {
        if self.token.is_none() {
            return self.fail(None, Advice::Nothing, "there is no token to delete");
        }
        self.has_unregistered = true;
        self.leave_token(now);
        self.tell(Event::Unregistered);
    }

    /// Forgets the token here and deletes it there; its subscriptions go with it.
    pub(super) fn leave_token(&mut self, now: Now) {
        let Some(token) = self.token.take() else { return };
        self.cancel_token_timers();
        self.drop_deletions_of(token.generation);
        self.drop_subscriptions(now);
        let Some(issued) = token.issued() else { return };
        let id = issued.id.clone();
        let Token { server, auth, .. } = token;
        let until = now.mono + self.config.deletion_age_max;
        let id = self.enter_leaving(Leaving {
            what: Left::Token,
            server,
            id,
            auth,
            until,
            lane: Lane::Free,
            backoff: Backoff::new(),
        });
        self.ask_leaving(now, id);
    }

    /// A token took its subscriptions along: nothing of them is left to delete.
    pub(super) fn drop_deletions_of(&mut self, generation: Generation) {
        for id in self.leavings.ids(|leaving| leaving.what == Left::Subscription(generation)) {
            self.forget_leaving(id);
        }
    }

    pub(super) fn cancel_token_timers(&mut self) {
        for timer in [Timer::Register, Timer::Check, Timer::CheckAsked, Timer::Cron] {
            self.timers.cancel(&timer);
        }
    }

    /// Tells the subscriber that a queue is no longer watched. The SMP server tells it too, in most cases
    /// sooner or later.
    pub(super) fn unsubscribe(&mut self, now: Now, id: QueueId) {
        let Some(token) = &self.token else { return };
        let Some(live) = self.queues.get(&id).and_then(Queue::live) else { return };
        let Live { subscription: Subscription::Made { id: subscription, .. }, .. } = live else { return };
        let leaving = Leaving {
            what: Left::Subscription(token.generation),
            server: token.server.clone(),
            id: subscription.clone(),
            auth: token.auth.clone(),
            until: now.mono + self.config.deletion_age_max,
            lane: Lane::Free,
            backoff: Backoff::new(),
        };
        let id = self.enter_leaving(leaving);
        self.ask_leaving(now, id);
    }

    /// Notes a deletion. Where there are as many as may be, the oldest one of a subscription makes room,
    /// as its SMP server tells of it too, and then the oldest of all.
    pub(super) fn enter_leaving(&mut self, leaving: Leaving) -> LeavingId {
        if self.leavings.len() >= self.config.deletions_max {
            let oldest = self.leavings.all.iter().find(|(_, old)| old.what != Left::Token);
            let oldest = oldest.or_else(|| self.leavings.all.iter().next()).map(|(id, _)| *id);
            if let Some(oldest) = oldest {
                self.forget_leaving(oldest);
            }
        }
        let id = LeavingId(self.leavings.made);
        self.leavings.made = self.leavings.made.wrapping_add(1);
        self.timers.set(Timer::Leaving(id), leaving.until);
        self.leavings.all.insert(id, leaving);
        id
    }

    fn forget_leaving(&mut self, id: LeavingId) {
        self.timers.cancel(&Timer::Leaving(id));
        self.leavings.all.remove(&id);
    }

    fn ask_leaving(&mut self, now: Now, id: LeavingId) {
        let Some(leaving) = self.leavings.all.get_mut(&id) else { return };
        if leaving.lane != Lane::Free {
            return;
        }
        let (command, tag) = match leaving.what {
            Left::Token => (Command::Tdel, NtfTag::Tdel(id)),
            Left::Subscription(_) => (Command::Sdel, NtfTag::Sdel(id)),
        };
        let Leaving { server, id: entity, auth, .. } = &*leaving;
        match self.servers.ask_ntf(now, &self.config, server, Some(entity), auth, &command, tag) {
            Ask::Out => leaving.lane = Lane::Busy,
            Ask::Later => {}
            Ask::Impossible(..) => self.forget_leaving(id),
        }
    }

    /// Goes on with every deletion at a subscriber that has come up.
    pub(super) fn resume_leavings(&mut self, now: Now, server: &ServerAddress) {
        for id in self.leavings.ids(|leaving| leaving.server == *server) {
            self.ask_leaving(now, id);
        }
    }

    pub(super) fn on_leaving_answer(
        &mut self,
        now: Now,
        id: LeavingId,
        command: &'static str,
        answer: NtfAnswer<'_>,
    ) {
        let Some(leaving) = self.leavings.all.get_mut(&id) else { return };
        leaving.lane = Lane::Free;
        match answer {
            NtfAnswer::Lost => return self.ask_leaving(now, id),
            // AUTH: it is gone already.
            NtfAnswer::Response(Response::Ok) | NtfAnswer::Error(ErrorCode::Auth) => {}
            NtfAnswer::Error(code) => {
                let why = words(command, "the subscriber", &code);
                match lasting(&code) {
                    None => {
                        self.delay_leaving(now, id);
                        return self.fail(None, self.until(now, &Timer::Leaving(id)), why);
                    }
                    Some(advice) => self.fail(None, advice, why),
                }
            }
            NtfAnswer::Response(_) | NtfAnswer::Unfit => self.unfit_ntf(command),
        }
        self.forget_leaving(id);
    }

    fn delay_leaving(&mut self, now: Now, id: LeavingId) {
        let Some(leaving) = self.leavings.all.get_mut(&id) else { return };
        leaving.lane = Lane::Delayed;
        let delay = leaving.backoff.next_delay(self.config.retry, &mut self.jitter);
        self.timers.set(Timer::Leaving(id), leaving.until.min(now.mono + delay));
    }

    /// The timer of a deletion: the delay after a refusal is over, or its time is.
    pub(super) fn on_leaving_timer(&mut self, now: Now, id: LeavingId) {
        let Some(leaving) = self.leavings.all.get_mut(&id) else { return };
        if leaving.until <= now.mono {
            let what = leaving.what;
            self.forget_leaving(id);
            return self.fail(
                None,
                Advice::CheckNetwork,
                match what {
                    Left::Token => "TDEL: the subscriber could not be reached for too long; giving up",
                    Left::Subscription(_) => {
                        "SDEL: the subscriber could not be reached for too long; giving up"
                    }
                },
            );
        }
        if leaving.lane == Lane::Delayed {
            leaving.lane = Lane::Free;
        }
        self.timers.set(Timer::Leaving(id), leaving.until);
        self.ask_leaving(now, id);
    }
}
