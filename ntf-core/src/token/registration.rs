//! A registration and the device it is for, as the table holds them; what is asked of the table, and what it
//! answers.

use crate::base::budget::Budget;
use crate::base::hash::HashKey;
use crate::base::id::{ID_LEN, TokenId};
use crate::base::limits::CODE_LEN;
use crate::base::list::Links;
use crate::base::rng::Rng;
use crate::base::secret::Secret;
use crate::base::time::Mono;
use crate::crypto::boxed::BoxKey;
use crate::crypto::keys::{AuthPublicKey, X25519Private, X25519Public};
use crate::model::index::{DeviceIndex, TokenIndex};
use crate::model::shard::ShardPlan;
use crate::model::token::DeviceToken;
use crate::token::packed::{PackedDevice, Registrations};
use crate::token::state::{Challenge, State};
use core::num::NonZeroU64;

/// Orders the verifications of a subscriber: of two, the one that could have known of the other is the later.
/// Two that could not, on different shards, may share a turn. This is a Lamport clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn(NonZeroU64);

impl Turn {
    /// Before any verification.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// The turn after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// One registration of a device token under one verify key.
#[derive(Debug)]
pub struct Token {
    pub(super) id: TokenId,
    pub(super) verify_key: AuthPublicKey,
    pub(super) device: DeviceIndex,
    pub(super) server_key: X25519Private,
    pub(super) box_key: BoxKey,
    pub(super) challenge: Challenge,
    pub(super) state: State,
    /// The turn in which a code last verified it for the device it has; decides between two registrations of one
    /// device.
    pub(super) verified_in: Option<Turn>,
    /// When its lifetime began: see [`Age`].
    pub(super) since: Mono,
    /// Where it was asked for.
    pub(super) origin: Origin,
    /// Since when it, or what it took the place of, has a place among the unverified ones of its device.
    pub(super) placed: Mono,
    pub(super) by_age: Links,
}

/// What the lifetime of a registration depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// Not verified for the device it has; counted from the last TNEW or TRPL.
    Unverified,
    /// Refused by the provider; counted from then.
    Invalid,
    /// Verified once; counted from the last command.
    Idle,
}

impl Age {
    pub(super) const fn of(state: State, was_verified: bool) -> Self {
        match state {
            State::Invalid(_) => Self::Invalid,
            State::Registered | State::Confirmed | State::Active(_) if was_verified => Self::Idle,
            State::Registered | State::Confirmed | State::Active(_) => Self::Unverified,
        }
    }
}

impl Token {
    /// The name the client uses.
    #[must_use]
    pub const fn id(&self) -> TokenId {
        self.id
    }

    /// The key that authorizes commands of this token and of its subscriptions.
    #[must_use]
    pub const fn verify_key(&self) -> &AuthPublicKey {
        &self.verify_key
    }

    /// The server's half of the agreement, as IDTKN carries it; computed again each time.
    #[must_use]
    pub fn server_public(&self) -> X25519Public {
        self.server_key.public()
    }

    /// Encrypts every payload of this token.
    #[must_use]
    pub const fn box_key(&self) -> &BoxKey {
        &self.box_key
    }

    /// The code that the verification push carries.
    #[must_use]
    pub const fn code(&self) -> &Secret<CODE_LEN> {
        self.challenge.code()
    }

    /// What its lifetime depends on.
    #[must_use]
    pub const fn age(&self) -> Age {
        Age::of(self.state, self.verified_in.is_some())
    }

    /// Whether a wrong code came since the last TNEW.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        self.challenge.has_failed()
    }

    /// Where the registration stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Where it was asked for.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// The turn in which a code last verified it, if one has.
    #[must_use]
    pub const fn verified_in(&self) -> Option<Turn> {
        self.verified_in
    }

    /// The device token's row.
    #[must_use]
    pub const fn device(&self) -> DeviceIndex {
        self.device
    }
}

/// What uses up a budget of a device, whichever of its registrations it was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// A verification push went out.
    VerificationPush,
    /// A wrong code came.
    WrongCode,
}

/// A device token with its registrations, oldest first.
#[derive(Debug)]
pub struct Device {
    pub(super) token: PackedDevice,
    pub(super) registrations: Registrations,
    pub(super) verification_budget: Budget,
    pub(super) wrong_codes: Budget,
}

impl Device {
    /// When its budgets are as good as new.
    #[must_use]
    pub(super) fn rested_at(&self) -> Mono {
        self.verification_budget.rested_at().max(self.wrong_codes.rested_at())
    }

    /// The device token.
    #[must_use]
    pub fn token(&self) -> DeviceToken {
        self.token.unpacked()
    }

    /// The hash of the device token: of the same as [`token`](Self::token) gives, which is not made for it.
    #[must_use]
    pub fn hash(&self, key: &HashKey) -> u64 {
        self.token.hash(key)
    }
}

/// Where a registration was asked for: a mark of the source address that tells equal ones apart from others, and
/// nothing of the address. All that are not known are one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin(pub u32);

/// What a TNEW asks for.
#[derive(Debug)]
pub struct Registration {
    /// The device token to register.
    pub device: DeviceToken,
    /// The key that will authorize commands.
    pub verify_key: AuthPublicKey,
    /// The client's half of the agreement.
    pub client_public: X25519Public,
    /// Where it comes from.
    pub origin: Origin,
    /// The name that it was promised with its place; it gets a fresh one if there is none.
    pub id: Option<TokenId>,
}

/// Where fresh ids, keys and codes come from: a stream for each.
#[derive(Debug)]
pub struct Makers {
    /// Ids of tokens.
    pub ids: Rng,
    /// The shard whose number the ids carry.
    pub plan: ShardPlan,
    /// Key pairs.
    pub keys: Rng,
    /// Verification codes.
    pub codes: Rng,
}

impl Makers {
    /// A fresh id that tells its shard; as random as an id of that shard can be.
    pub fn id(&mut self) -> [u8; ID_LEN] {
        loop {
            let id = self.ids.bytes();
            if self.plan.of_name(&id) == self.plan.own() {
                return id;
            }
        }
    }
}

/// What a TNEW came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// A registration that was not there before.
    Fresh(TokenIndex),
    /// The same registration, asked for again.
    Again(TokenIndex),
}

impl Registered {
    /// The registration.
    #[must_use]
    pub const fn index(self) -> TokenIndex {
        match self {
            Self::Fresh(index) | Self::Again(index) => index,
        }
    }
}

/// A lawful no to TNEW or TRPL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRefusal {
    /// The same device token and verify key are registered with another agreement, or by another row.
    Taken,
    /// The table is full.
    Full,
    /// The device token has as many registrations as may wait for their codes, each of another origin, and none
    /// has had the time to answer.
    Crowded,
}
