//! What became of pushes, as far as it changes a token.

use crate::model::push::{PushKind, PushOutcome, PushResult};
use crate::subscriber::Subscriber;
use crate::token::state::State;

impl Subscriber {
    pub(super) fn on_outcome(&mut self, mut outcome: PushOutcome) {
        if self.is_outdated(&outcome) {
            self.counters.tokens.invalid_outdated.count();
            outcome.result = PushResult::Refused;
        }
        let Some(landed) = self.delivery.on_outcome(self.now, outcome, &mut self.jitter) else { return };
        match (outcome.result, landed.kind) {
            (PushResult::Accepted, PushKind::Verification) => {
                self.tokens.push_accepted(self.now, landed.token)
            }
            (PushResult::TokenInvalid { reason, .. }, _) => {
                self.counters.tokens.invalid.count();
                self.tokens.rejected(self.now, landed.token, reason);
            }
            (
                PushResult::Accepted,
                PushKind::Message | PushKind::Hidden | PushKind::CheckMessages | PushKind::Alert,
            )
            | (
                PushResult::TryLater { .. }
                | PushResult::Throttled { .. }
                | PushResult::TooLarge
                | PushResult::Refused,
                _,
            ) => {}
        }
    }

    /// Whether the provider speaks of a time before the device echoed a code that was pushed to this very
    /// device token: then it is valid again, and the provider late. The push was not delivered all the same.
    ///
    /// A registration that was never verified has proved nothing, and is refused as it stands.
    ///
    /// Source: Apple, on the timestamp of a 410: stop until the device registers again after it.
    fn is_outdated(&self, outcome: &PushOutcome) -> bool {
        let PushResult::TokenInvalid { since_millis: Some(since), .. } = outcome.result else { return false };
        let token = self.delivery.order(outcome.id).and_then(|landed| self.tokens.get(landed.token));
        token.is_some_and(|token| match token.state() {
            State::Active(active) => since < active.since.as_millis(),
            State::Registered | State::Confirmed | State::Invalid(_) => false,
        })
    }
}
