//! Orders for the push server: contents gathered, padded, encrypted to the device.

use crate::base::budget::Admit;
use crate::base::limits::NONCE_LEN;
use crate::base::mutant;
use crate::base::rng::Rng;
use crate::crypto::boxed::BoxKey;
use crate::crypto::pad;
use crate::delivery::notices::Held;
use crate::delivery::orders::{Presentation, Ready};
use crate::delivery::policy::PushPolicy;
use crate::model::index::TokenIndex;
use crate::model::notification::Notice;
use crate::model::push::{PushOrder, PushPayload, Sealed};
use crate::model::server::NotifierRef;
use crate::subscriber::Subscriber;
use crate::subscriber::config::PADDED_LEN_MIN;
use crate::subscriber::effect::{Effect, Milestone};
use crate::subscription::table::Subscriptions;
use crate::token::registration::Spent;
use crate::token::state::State;
use crate::wire::payload;
use alloc::vec::Vec;

impl Subscriber {
    /// Orders for the next token in line that is owed something.
    pub(super) fn next_order(&mut self) {
        while self.outbox.is_empty()
            && let Some(ready) = self.delivery.next_ready()
        {
            match ready {
                Ready::Message(token) => self.order_message(token),
                Ready::Verification(token) => self.order_verification(token),
                Ready::Periodic(token) => self.order_periodic(token),
            }
        }
    }

    fn order_message(&mut self, index: TokenIndex) {
        let Self { tokens, subscriptions, delivery, nonces, outbox, config, .. } = self;
        let subscriptions = &*subscriptions;
        let (Some(token), Some(device)) = (tokens.get(index), tokens.device(index)) else { return };
        if !matches!(token.state(), State::Active(_)) {
            delivery.park(index);
            return;
        }
        // Each entry but the first comes with a separator, so the room is one byte larger than the text's.
        let padded_len = padded_len(config.padded_len, delivery.shrinks(index));
        let room = (padded_len + 1).saturating_sub(pad::LENGTH_LEN);
        let mut is_hidden = false;
        let len_of = |held: &Held| {
            let queue = address_of(subscriptions, held);
            queue.map_or(0, |queue| payload::notice_len(queue, &held.notice)) + 1
        };
        let make = |id, presentation, notices: &mut dyn Iterator<Item = &Held>| {
            let mut entries = Vec::new();
            for held in notices {
                if let Some(queue) = address_of(subscriptions, held) {
                    entries.push((queue, &held.notice));
                }
                if held.is_fresh() {
                    outbox.push(Effect::Milestone(Milestone::Ordered { nonce: held.notice.nonce, push: id }));
                }
            }
            let sealed = |nonces, entries: Vec<(NotifierRef<'_>, &Notice)>| {
                let mut text = Vec::new();
                payload::encode_notices(entries, &mut text);
                seal(token.box_key(), nonces, &text, padded_len)
            };
            is_hidden = matches!(presentation, Presentation::Hidden);
            let payload = match presentation {
                Presentation::Mutable => PushPayload::Message(sealed(nonces, entries)),
                Presentation::Hidden => PushPayload::Hidden(sealed(nonces, entries)),
                Presentation::Alert(collapse) => PushPayload::Alert(collapse),
            };
            outbox.push(Effect::Push(PushOrder { id, device: device.token(), payload }));
        };
        delivery.order_message(self.now, index, |key| device.hash(key), room, len_of, make);
        if is_hidden {
            self.tell_of_hidden_push(index);
        }
    }

    fn order_verification(&mut self, index: TokenIndex) {
        match self.tokens.admit_verification_push(self.now, index) {
            Some(Admit::Now) => self.tell_of_device(index, Spent::VerificationPush),
            Some(Admit::Later(at)) => {
                self.counters.tokens.verification_paced.count();
                self.delivery.delay_verification(index, at);
                return;
            }
            None => return,
        }
        let Some(id) = self.delivery.order_verification(self.now, index) else { return };
        let Some(code) = self.tokens.code_to_push(self.now, index, &mut self.makers).cloned() else { return };
        let (Some(token), Some(device)) = (self.tokens.get(index), self.tokens.device(index)) else { return };
        let padded_len = padded_len(self.config.padded_len, self.delivery.shrinks(index));
        let sealed = seal(token.box_key(), &mut self.nonces, code.expose(), padded_len);
        let payload = PushPayload::Verification(sealed);
        self.outbox.push(Effect::Push(PushOrder { id, device: device.token(), payload }));
    }

    /// Only a device that has proved itself is woken; others are asked again an interval later, because
    /// they may be on their way to another device token. Source: `ntf-protocol` 4.6.
    fn order_periodic(&mut self, index: TokenIndex) {
        let (Some(token), Some(device)) = (self.tokens.get(index), self.tokens.device(index)) else { return };
        if !matches!(token.state(), State::Active(_)) {
            self.delivery.skip_periodic(self.now, index);
            return;
        }
        if let Some(id) = self.delivery.order_periodic(self.now, index, |key| device.hash(key)) {
            let payload = PushPayload::CheckMessages;
            self.outbox.push(Effect::Push(PushOrder { id, device: device.token(), payload }));
            if self.delivery.policy(index) != PushPolicy::Mutable {
                self.tell_of_hidden_push(index);
            }
        }
    }
}

fn address_of<'s>(subscriptions: &'s Subscriptions, held: &Held) -> Option<NotifierRef<'s>> {
    let server = subscriptions.server(subscriptions.server_of(held.subscription)?)?.address();
    let notifier = subscriptions.notifier(held.subscription)?;
    Some(NotifierRef { server, notifier })
}

/// To what a push is padded whose larger ones the provider refused so many times.
///
/// A few sizes by halving, the same whatever the push holds: the size tells that a provider takes less, and
/// nothing of the notices. Source: ours, for `ntf-protocol` 3.8, advice on 413.
fn padded_len(configured: usize, shrinks: u8) -> usize {
    (configured >> shrinks).max(PADDED_LEN_MIN)
}

/// Pads and encrypts what a push carries. Source: `ntf-protocol` 3.2.
fn seal(key: &BoxKey, nonces: &mut Rng, message: &[u8], padded_len: usize) -> Sealed {
    let nonce = if mutant::is("nonce_used_again") { [7; NONCE_LEN] } else { nonces.bytes() };
    let padded_len = if mutant::is("push_not_padded") { message.len() + 2 } else { padded_len };
    let ciphertext = key
        .seal_padded(&nonce, message, padded_len)
        .expect("a code is shorter than the smallest padded length, and notices are chosen to fit");
    Sealed { nonce, ciphertext: ciphertext.into() }
}
