//! What became of pushes, as far as it changes a token.

use crate::model::push::{PushKind, PushOutcome, PushResult};
use crate::subscriber::Subscriber;

impl Subscriber {
    pub(super) fn on_outcome(&mut self, outcome: PushOutcome) {
        let Some(landed) = self.delivery.on_outcome(self.now, outcome, &mut self.jitter) else { return };
        match (outcome.result, landed.kind) {
            (PushResult::Accepted, PushKind::Verification) => {
                self.tokens.push_accepted(self.now, landed.token)
            }
            (PushResult::TokenInvalid { reason, .. }, _) => {
                self.counters.tokens.invalid.count();
                self.tokens.rejected(self.now, landed.token, reason);
            }
            (PushResult::Accepted, PushKind::Message | PushKind::CheckMessages)
            | (PushResult::TryLater { .. } | PushResult::Refused, _) => {}
        }
    }
}
