//! The push server tells devices apart for us, where their tokens are sealed.

use crate::model::push::PushId;
use crate::model::token::DeviceTag;
use crate::subscriber::Subscriber;
use crate::token::state::State;
use crate::token::table::Recognised;

impl Subscriber {
    /// The name usually comes before the device has echoed its code, and verifying then finds the other
    /// registrations of the device. Where it comes late, they are found here. A name that is known already
    /// says nothing new: only verifying ends other registrations.
    pub(super) fn on_recognised(&mut self, push: PushId, device: DeviceTag) {
        let Some(landed) = self.delivery.order(push) else { return };
        match self.tokens.recognise(landed.token, device) {
            Recognised::First => {}
            Recognised::Before => return,
        }
        if self.tokens.get(landed.token).is_some_and(|token| matches!(token.state(), State::Active(_))) {
            let _ = self.drop_rivals(landed.token);
        }
    }
}
