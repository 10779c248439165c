//! The states of a registration and what moves it from one to the next.
//!
//! ```text
//! TNEW ──> Registered ──push accepted──> Confirmed ──TVFY──> Active
//!              │ └───────────────TVFY───────────────────────────┘
//!              └── any state ──provider rejects──> Invalid ──TNEW again──> Registered
//! ```
//!
//! TRPL leads from any state to `Registered` with another code. Source: `ntf-protocol` 4.3.

use crate::base::limits::CODE_LEN;
use crate::base::secret::Secret;
use crate::base::time::{Mono, Now, Wall};
use crate::model::token::{InvalidReason, TokenStatus};
use core::time::Duration;

/// A device token on its way from first sight to delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A verification push is wanted; the device has yet to echo its code.
    Registered,
    /// The provider took the verification push.
    Confirmed,
    /// The device has proved that it receives our pushes.
    Active(Active),
    /// The provider refused the device token; kept until the device registers again.
    Invalid(InvalidReason),
}

/// A verified registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Active {
    /// When the device echoed the code the first time.
    pub since: Wall,
}

impl State {
    /// The status as the protocol names it.
    #[must_use]
    pub const fn status(self) -> TokenStatus {
        match self {
            Self::Registered => TokenStatus::Registered,
            Self::Confirmed => TokenStatus::Confirmed,
            Self::Active(_) => TokenStatus::Active,
            Self::Invalid(reason) => TokenStatus::Invalid(Some(reason)),
        }
    }

    /// The device registered again with the same keys: a second chance for what the provider refused.
    #[must_use]
    pub const fn registered_again(self) -> Self {
        match self {
            Self::Invalid(_) => Self::Registered,
            Self::Registered | Self::Confirmed | Self::Active(_) => self,
        }
    }

    /// The provider accepted the verification push, which also proves a refused token right.
    #[must_use]
    pub const fn push_accepted(self) -> Self {
        match self {
            Self::Registered | Self::Invalid(_) => Self::Confirmed,
            Self::Confirmed | Self::Active(_) => self,
        }
    }

    /// The provider refused the device token, on whatever kind of push.
    #[must_use]
    pub const fn rejected(self, reason: InvalidReason) -> Self {
        match self {
            Self::Registered | Self::Confirmed | Self::Active(_) | Self::Invalid(_) => Self::Invalid(reason),
        }
    }

    /// Whether the device has yet to prove that it receives our pushes.
    #[must_use]
    pub const fn awaits_code(self) -> bool {
        match self {
            Self::Registered | Self::Confirmed => true,
            Self::Active(_) | Self::Invalid(_) => false,
        }
    }
}

/// The code that was pushed, how long it is good for, and how often it may still be guessed at.
#[derive(Debug)]
pub struct Challenge {
    code: Secret<CODE_LEN>,
    made: Mono,
    attempts_left: u16,
    has_failed: bool,
}

/// Why a registration stays unverified. All are answered alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotVerified {
    /// The code is not the one that was pushed.
    WrongCode,
    /// Too many wrong codes came before; registering again allows more.
    TooManyAttempts,
    /// Too many wrong codes came for the device token, and one of them for this registration.
    TooManyForDevice,
    /// The same for the source address, as the role counts it.
    TooManyFromSource,
    /// The code is too old.
    Expired,
    /// The state asks for no code.
    NotAwaited,
}

impl Challenge {
    /// A fresh challenge.
    #[must_use]
    pub const fn new(code: Secret<CODE_LEN>, made: Mono, attempts: u16) -> Self {
        Self { code, made, attempts_left: attempts, has_failed: false }
    }

    /// Whether the code is too old to be answered, where codes are good for so long.
    #[must_use]
    pub fn has_expired(&self, now: Mono, lifetime: Option<Duration>) -> bool {
        lifetime.is_some_and(|lifetime| self.made + lifetime <= now)
    }

    /// Whether a wrong code came.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// The code, for the one push that carries it.
    #[must_use]
    pub const fn code(&self) -> &Secret<CODE_LEN> {
        &self.code
    }

    /// The device registered again: wrong codes of the past are forgotten, the code stays.
    pub const fn renew(&mut self, attempts: u16) {
        self.attempts_left = attempts;
        self.has_failed = false;
    }

    /// Exchanges the right code for an active registration; repeating it changes nothing, however late.
    ///
    /// # Errors
    ///
    /// Why not, for the counters; a wrong code costs one of the attempts.
    pub fn answer(
        &mut self,
        state: State,
        now: Now,
        lifetime: Option<Duration>,
        code: &[u8],
    ) -> Result<Active, NotVerified> {
        let active = match state {
            State::Registered | State::Confirmed if self.has_expired(now.mono, lifetime) => {
                return Err(NotVerified::Expired);
            }
            State::Registered | State::Confirmed => Active { since: now.wall },
            State::Active(active) => active,
            State::Invalid(_) => return Err(NotVerified::NotAwaited),
        };
        if self.attempts_left == 0 {
            return Err(NotVerified::TooManyAttempts);
        }
        if !self.code.matches(code) {
            self.attempts_left -= 1;
            self.has_failed = true;
            return Err(NotVerified::WrongCode);
        }
        Ok(active)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use InvalidReason::{Bad, Unregistered};

    const NOW: Now = Now { mono: Mono::from_micros(5), wall: Wall::from_secs(2000) };
    const ACTIVE: State = State::Active(Active { since: Wall::from_secs(1000) });
    const CODE: [u8; CODE_LEN] = [3; CODE_LEN];

    fn challenge(attempts: u16) -> Challenge {
        Challenge::new(Secret::new(CODE), Mono::ZERO, attempts)
    }

    #[test]
    fn transitions() {
        // From, then after: registered again, push accepted, rejected as unregistered.
        for (state, again, accepted) in [
            (State::Registered, State::Registered, State::Confirmed),
            (State::Confirmed, State::Confirmed, State::Confirmed),
            (ACTIVE, ACTIVE, ACTIVE),
            (State::Invalid(Bad), State::Registered, State::Confirmed),
        ] {
            assert_eq!(state.registered_again(), again, "{state:?}");
            assert_eq!(state.push_accepted(), accepted, "{state:?}");
            assert_eq!(state.rejected(Unregistered), State::Invalid(Unregistered), "{state:?}");
        }
    }

    #[test]
    fn verification_by_state() {
        for (state, expected) in [
            (State::Registered, Ok(Active { since: NOW.wall })),
            (State::Confirmed, Ok(Active { since: NOW.wall })),
            (ACTIVE, Ok(Active { since: Wall::from_secs(1000) })),
            (State::Invalid(Bad), Err(NotVerified::NotAwaited)),
        ] {
            assert_eq!(challenge(1).answer(state, NOW, None, &CODE), expected, "{state:?}");
            assert_eq!(
                state.status().allows_verification(),
                expected.is_ok(),
                "the status says the same of {state:?}"
            );
        }
    }

    #[test]
    fn a_code_is_good_for_its_time() {
        for (lifetime, state, expected) in [
            (None, State::Registered, Ok(())),
            (Some(6), State::Registered, Ok(())),
            (Some(5), State::Registered, Err(NotVerified::Expired)),
            (Some(0), State::Confirmed, Err(NotVerified::Expired)),
            (Some(0), ACTIVE, Ok(())),
        ] {
            let lifetime = lifetime.map(Duration::from_micros);
            let answered = challenge(1).answer(state, NOW, lifetime, &CODE);
            assert_eq!(answered.map(|_| ()), expected, "{lifetime:?} {state:?}");
        }
    }

    #[test]
    fn a_code_may_be_guessed_at_so_often() {
        let mut challenge = challenge(2);
        let mut answer = |code: &[u8]| challenge.answer(State::Registered, NOW, None, code);
        assert_eq!(answer(&CODE[1..]), Err(NotVerified::WrongCode));
        assert_eq!(answer(&[4; CODE_LEN]), Err(NotVerified::WrongCode));
        assert_eq!(answer(&CODE), Err(NotVerified::TooManyAttempts));
        challenge.renew(1);
        assert!(challenge.answer(State::Registered, NOW, None, &CODE).is_ok());
    }
}
