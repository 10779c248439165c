//! Verification: the code that comes by push, and TVFY that sends it back.
//!
//! Whoever can show the code gets the pushes of a device, so it is opened here and goes nowhere else.

use crate::base::fault::PeerFault;
use crate::base::limits::CODE_LEN;
use crate::base::secret::Secret;
use crate::base::time::Now;
use crate::client::Client;
use crate::client::body::SealedText;
use crate::client::effect::Event;
use crate::client::on_timer::Timer;
use crate::client::queue::Lane;
use crate::client::servers::NtfAnswer;
use crate::client::token::{Generation, Issued, Phase};
use crate::crypto::boxed::BoxKey;
use crate::model::token::TokenStatus;
use crate::wire::error_code::ErrorCode;
use crate::wire::ntf::response::Response;

impl Client {
    /// The token is known to the subscriber; the code is to come by push.
    pub(super) fn await_verification(&mut self, now: Now) {
        let Some(token) = &mut self.token else { return };
        let delay = token.backoff.next_delay(self.config.verification, &mut self.jitter);
        self.timers.set(Timer::Register, now.mono + delay);
        let early = token.early.take();
        self.tell(Event::Token(TokenStatus::Registered));
        if let Some(sealed) = early {
            self.on_verification(now, sealed);
        }
    }

    /// A verification push.
    pub(super) fn on_verification(&mut self, now: Now, mut sealed: SealedText) {
        let Some(token) = &mut self.token else {
            return self.reject_push("a verification push came, but no token is registered");
        };
        let Some(issued) = token.issued().cloned() else {
            // It has overtaken the answer to TNEW. The last one is the one that counts.
            token.early = Some(sealed);
            return;
        };
        if token.wants.replacement && token.lane == Lane::Busy {
            // It has overtaken the answer to TRPL, which ends what the token was before.
            token.early = Some(sealed);
            return;
        }
        let code = match open_code(&issued, &mut sealed) {
            Ok(code) => code,
            Err(why) => return self.reject_push(why),
        };
        match &token.phase {
            // Every TNEW is answered with a push; the second of two is no news.
            Phase::Active(_) | Phase::New => {}
            Phase::Registered(_) | Phase::Verifying(..) | Phase::Refused(..) => {
                token.phase = Phase::Verifying(issued, code);
                self.timers.cancel(&Timer::Register);
                self.advance_token(now);
            }
        }
    }

    pub(super) fn on_tvfy_answer(&mut self, now: Now, generation: Generation, answer: NtfAnswer<'_>) {
        let Some(token) = self.answered(generation) else { return };
        match answer {
            NtfAnswer::Response(Response::Ok) => {
                if let Phase::Verifying(issued, _) = &token.phase {
                    token.phase = Phase::Active(issued.clone());
                    self.on_active(now);
                }
            }
            NtfAnswer::Lost => {}
            NtfAnswer::Error(ErrorCode::Auth) => {
                self.restart_token(now);
                return self.fail(
                    None,
                    self.until(now, &Timer::Register),
                    "TVFY: the subscriber does not know the token or the code (AUTH); registering anew",
                );
            }
            NtfAnswer::Error(code) => {
                self.back_to_registered(now);
                return self.fail_registration(now, "TVFY", &code);
            }
            NtfAnswer::Response(_) | NtfAnswer::Unfit => {
                self.back_to_registered(now);
                return self.unfit_ntf("TVFY");
            }
        }
        self.advance_token(now);
    }

    /// The code was not accepted, for no reason of ours: asks for another push after a while.
    pub(super) fn back_to_registered(&mut self, now: Now) {
        let Some(token) = &mut self.token else { return };
        if let Some(issued) = token.issued().cloned() {
            token.phase = Phase::Registered(issued);
        }
        self.delay_registration(now);
    }
}

/// The code inside a verification push. Source: `ntf-protocol` 3.2.
fn open_code(issued: &Issued, sealed: &mut SealedText) -> Result<Secret<CODE_LEN>, &'static str> {
    let key = BoxKey::of_dh(&issued.secret);
    let opened: Result<&[u8], PeerFault> = key.open_padded(&sealed.nonce, &mut sealed.ciphertext);
    let code = opened.map_err(|_| "the verification push does not open with the key of the token")?;
    let code = code.try_into().map_err(|_| "the verification push opens, but holds no code of 32 bytes")?;
    Ok(Secret::new(code))
}
