//! A provider answered, or did not: the table of `ntf-protocol` 3.8 with its advice.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::time::Duration;

use serde_json::Value;

use crate::base::meter::Counter;
use crate::base::time::Mono;
use crate::model::push::{PushId, PushResult};
use crate::model::token::{InvalidReason, Provider};
use crate::push::Push;
use crate::push::effect::RequestId;
use crate::push::input::Answer;
use crate::push::jwt::{Generation, Renewal};
use crate::push::state::Gate;
use crate::push::{Counters, Timer};

impl Push {
    pub(super) fn on_answer(&mut self, request: RequestId, answer: Answer<'_>) {
        let Some((id, provider, jwt)) = self.orders.answered(request) else {
            self.counters.late_answers.count();
            return;
        };
        match answer {
            Answer::Response { status, body, retry_after } => {
                if let Some(lane) = self.orders.lane_mut(provider) {
                    lane.is_back();
                }
                self.on_verdict(id, provider, jwt, verdict(status, body, retry_after));
            }
            Answer::Unreachable | Answer::NotProcessed => {
                let until = self.pause_after_failure(provider);
                self.retry(id, provider, until);
            }
            // Whether the provider acted on the request is unknown, so it is not sent again: see the
            // module. The lane pauses, or a provider that breaks every connection would be dialled at
            // the pace of the orders.
            Answer::Broken => {
                self.pause_after_failure(provider);
                self.put_off(id, provider, |counters| &mut counters.broken);
            }
            Answer::TimedOut => self.put_off(id, provider, |counters| &mut counters.timed_out),
        }
    }

    fn on_verdict(&mut self, id: PushId, provider: Provider, jwt: Generation, verdict: Verdict) {
        match verdict {
            Verdict::Accepted => self.finish(id, PushResult::Accepted),
            Verdict::Invalid { reason, since_millis } => {
                self.finish(id, PushResult::TokenInvalid { reason, since_millis });
            }
            Verdict::TooLarge => {
                self.give_back(id);
                self.finish(id, PushResult::TooLarge);
            }
            Verdict::Refused(why) => {
                match why {
                    Why::ProviderToken => self.counters.refused_provider_token.count(),
                    Why::Topic => self.counters.refused_topic.count(),
                    Why::Push => {}
                }
                self.finish(id, PushResult::Refused);
            }
            Verdict::Renew => self.renew(id, jwt),
            Verdict::Repeat => {
                let had_it = self
                    .orders
                    .get_mut(id)
                    .is_none_or(|order| core::mem::replace(&mut order.used.repeat, true));
                if had_it {
                    self.finish(id, PushResult::Refused);
                }
            }
            Verdict::Later { asked, scope } => {
                if scope == Scope::Provider {
                    let pause = asked.unwrap_or(self.config.later).min(self.config.later_max);
                    self.pause(provider, pause);
                }
                if let (Scope::Device, Some(asked)) = (scope, asked)
                    && let Some(device) = self.orders.get_mut(id).map(|order| order.device)
                {
                    self.shares.limit(device, self.now.mono + asked.min(self.config.later_max));
                }
                let result = self.later(asked);
                self.give_back(id);
                self.finish(id, result);
            }
        }
    }

    /// The provider called our provider token expired: once per order, a newer one is tried.
    fn renew(&mut self, id: PushId, refused: Generation) {
        let had_it =
            self.orders.get_mut(id).is_none_or(|order| core::mem::replace(&mut order.used.renewal, true));
        let renewal = match &mut self.jwt {
            Some(jwt) if !had_it => jwt.renew(self.now, refused),
            Some(_) | None => Renewal::TooSoon,
        };
        match renewal {
            Renewal::Newer => {}
            Renewal::TooSoon => {
                self.counters.refused_provider_token.count();
                self.finish(id, PushResult::Refused);
            }
        }
    }

    /// Lets an order that the provider has not acted on wait for another attempt, if it has one left.
    fn retry(&mut self, id: PushId, provider: Provider, until: Mono) {
        let attempts_max = self.config.attempts_max;
        let is_over = self
            .orders
            .get_mut(id)
            .is_none_or(|order| order.attempts >= attempts_max || until >= order.deadline);
        if is_over {
            self.give_back(id);
            self.put_off(id, provider, |counters| &mut counters.unreachable);
        }
    }

    /// Ends an order without an answer as "later", not before the lane's pause is over.
    pub(super) fn put_off(
        &mut self,
        id: PushId,
        provider: Provider,
        cause: impl FnOnce(&mut Counters) -> &mut Counter,
    ) {
        cause(&mut self.counters).count();
        let held = self.orders.lane_mut(provider).and_then(|lane| lane.held_until());
        let pause = held.map(|until| until.since(self.now.mono)).filter(|left| *left > self.config.later);
        let result = self.later(pause);
        self.finish(id, result);
    }

    /// Holds a lane after a failed connection; requests that fail with it do not lengthen the pause.
    fn pause_after_failure(&mut self, provider: Provider) -> Mono {
        let now = self.now.mono;
        let Some(lane) = self.orders.lane_mut(provider) else { return now };
        if let Some(until) = lane.held_until() {
            return until;
        }
        let pause = lane.backoff.next_delay(self.config.retry, &mut self.jitter);
        self.pause(provider, pause);
        now + pause
    }

    /// Holds a lane for at least this long.
    fn pause(&mut self, provider: Provider, pause: Duration) {
        let until = self.now.mono + pause;
        let Some(lane) = self.orders.lane_mut(provider) else { return };
        let until = lane.held_until().map_or(until, |held| held.max(until));
        lane.gate = Gate::Held { until };
        self.timers.set(Timer::Lane(provider), until);
    }
}

/// What a response means for its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The provider took the push.
    Accepted,
    /// The provider no longer accepts the device token.
    Invalid {
        /// The reason it named.
        reason: InvalidReason,
        /// Since when, in Unix milliseconds.
        since_millis: Option<u64>,
    },
    /// The provider refused this push for its size; a smaller one may pass.
    TooLarge,
    /// The provider refused this push for good.
    Refused(Why),
    /// The provider token has expired; a newer one may pass.
    Renew,
    /// The device token is gone for a reason not known here; the reference asks once more.
    Repeat,
    /// Not now.
    Later {
        /// How long the provider asked to wait.
        asked: Option<Duration>,
        /// Who should wait.
        scope: Scope,
    },
}

/// What a refusal is about, for the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// Our provider token or the key behind it.
    ProviderToken,
    /// The app that we push to, or our right to do so.
    Topic,
    /// This push.
    Push,
}

/// Who should wait after "later".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// The device of this order.
    Device,
    /// Every device of the provider.
    Provider,
}

/// Reads a response. Source: `ntf-protocol` 3.8 and its advice.
fn verdict(status: u16, body: &[u8], asked: Option<Duration>) -> Verdict {
    match status {
        200 => Verdict::Accepted,
        400 | 403 | 410 | 429 => {
            let Explanation { reason, timestamp } = Explanation::read(body);
            let invalid = |reason| Verdict::Invalid { reason, since_millis: timestamp };
            match (status, reason.as_str()) {
                (400, "BadDeviceToken") => invalid(InvalidReason::Bad),
                (400, "DeviceTokenNotForTopic") => invalid(InvalidReason::Topic),
                (400, "TopicDisallowed" | "BadTopic" | "MissingTopic") => Verdict::Refused(Why::Topic),
                (403, "ExpiredProviderToken") => Verdict::Renew,
                (403, _) => Verdict::Refused(Why::ProviderToken),
                (410, "ExpiredToken") => invalid(InvalidReason::Expired),
                (410, "Unregistered") => invalid(InvalidReason::Unregistered),
                (410, _) => Verdict::Repeat,
                (429, "TooManyProviderTokenUpdates") => Verdict::Later { asked, scope: Scope::Provider },
                (429, _) => Verdict::Later { asked, scope: Scope::Device },
                _ => Verdict::Refused(Why::Push),
            }
        }
        413 => Verdict::TooLarge,
        // A provider that names a time is overloaded as a whole; one that does not may have stumbled
        // over this push only.
        500..=599 => {
            let scope = if asked.is_some() { Scope::Provider } else { Scope::Device };
            Verdict::Later { asked, scope }
        }
        _ => Verdict::Refused(Why::Push),
    }
}

/// The JSON body of an error response; what is missing or malformed reads as empty.
/// Source: `ntf-protocol` 3.5.
struct Explanation {
    reason: String,
    /// Of a 410: when the token was last known to be invalid, in Unix milliseconds.
    timestamp: Option<u64>,
}

impl Explanation {
    fn read(body: &[u8]) -> Self {
        let body: Option<Value> = serde_json::from_slice(body).ok();
        let field = |name| body.as_ref().and_then(|body| body.get(name));
        Self {
            reason: field("reason").and_then(Value::as_str).unwrap_or_default().to_owned(),
            timestamp: field("timestamp").and_then(Value::as_u64),
        }
    }
}
