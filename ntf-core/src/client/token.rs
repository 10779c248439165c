//! The device token on its way to being active: what is known in each phase, and what is wanted next.
//!
//! Knows no bytes and no links; [`register`](super::register) talks to the subscriber.

use crate::base::backoff::Backoff;
use crate::base::id::EntityId;
use crate::base::limits::CODE_LEN;
use crate::base::rng::Rng;
use crate::base::secret::Secret;
use crate::client::body::SealedText;
use crate::client::queue::Lane;
use crate::crypto::keys::{AuthPrivateKey, DhSecret, Ed25519Private, X25519Private, X25519Public};
use crate::model::cron::Cron;
use crate::model::server::ServerAddress;
use crate::model::token::{DeviceToken, Provider, TokenStatus};
use crate::relay::sealed_token::seal;

/// One registration of one device token.
pub(super) struct Token {
    /// Tells answers to an earlier registration from those to this one.
    pub(super) generation: Generation,
    /// The subscriber; stays the same for the life of the registration.
    pub(super) server: ServerAddress,
    /// What the provider gave to the app.
    pub(super) device: DeviceToken,
    /// The same for the subscriber's eyes: sealed, or as it is.
    pub(super) shown: Shown,
    /// Authorizes every command of the token. Source: `ntf-protocol` 1.6.
    pub(super) auth: AuthPrivateKey,
    /// Our half of the secret that seals pushes. Source: `ntf-protocol` 3.1.
    pub(super) dh: X25519Private,
    /// What was shown in the TNEW or TRPL that is out, or was the last one.
    pub(super) asked: Option<DeviceToken>,
    /// How far the registration is.
    pub(super) phase: Phase,
    /// Whether a command of the token waits for its answer; there is at most one.
    pub(super) lane: Lane,
    /// What else should be asked when the lane is free.
    pub(super) wants: Wants,
    /// Spreads checks that the subscriber could not answer.
    pub(super) check_backoff: Backoff,
    /// The interval of periodic pushes that the subscriber is known to have; `None` when it may have either of
    /// two.
    pub(super) cron: Option<Cron>,
    /// Spreads refused TCRN.
    pub(super) cron_backoff: Backoff,
    /// A verification push that overtook the answer to TNEW and cannot be opened before it.
    pub(super) early: Option<SealedText>,
    /// Spreads repeated registrations and lost verification pushes.
    pub(super) backoff: Backoff,
}

/// A device token as a subscriber sees it. The same bytes as long as it is registered, since subscribers know
/// registrations by them.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// The push server that can read it, when nobody else can.
    pub(super) sealed_to: Option<X25519Public>,
    /// What TNEW and TRPL name.
    pub(super) device: DeviceToken,
}

impl Shown {
    /// What one subscriber is shown. `None` when the token is too long to be sealed, or the key is no push
    /// server's.
    pub(super) fn to(
        server: &ServerAddress,
        device: &DeviceToken,
        seal_to: Option<X25519Public>,
        keys: &mut Rng,
    ) -> Option<Self> {
        match seal_to {
            Some(key) if device.provider != Provider::Sealed => {
                let sealed = seal(device, &key, &server.identity, keys).ok()?;
                Some(Self { sealed_to: Some(key), device: sealed })
            }
            Some(_) | None => Some(Self { sealed_to: None, device: device.clone() }),
        }
    }
}

/// Counts registrations of one client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Generation(pub(super) u32);

impl Generation {
    pub(super) const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// How far a registration is. Source: `ntf-protocol` 5.3.
pub(super) enum Phase {
    /// TNEW is not answered yet.
    New,
    /// The subscriber knows the token; its verification push has not come.
    Registered(Issued),
    /// The code has come; TVFY is not answered yet.
    Verifying(Issued, Secret<CODE_LEN>),
    /// The subscriber pushes to this token.
    Active(Issued),
    /// The provider refused the token; only a fresh registration helps.
    Refused(Issued, TokenStatus),
}

/// What the subscriber gave in return for the registration.
#[derive(Clone)]
pub(super) struct Issued {
    /// Names the token at its subscriber.
    pub(super) id: EntityId,
    /// Opens the pushes. Source: `ntf-protocol` 3.1.
    pub(super) secret: DhSecret,
}

/// Commands to send when the lane is free, besides those the phase asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wants {
    /// TNEW again with the same keys: the verification push seems lost.
    pub(super) another_push: bool,
    /// TCHK, then SCHK for each subscription.
    pub(super) check: bool,
    /// TRPL: the provider gave another device token.
    pub(super) replacement: bool,
}

impl Token {
    /// A registration with fresh keys.
    pub(super) fn new(
        generation: Generation,
        server: ServerAddress,
        device: DeviceToken,
        shown: Shown,
        keys: &mut Rng,
    ) -> Self {
        Self {
            generation,
            server,
            device,
            shown,
            auth: AuthPrivateKey::Ed25519(Ed25519Private::generate(keys)),
            dh: X25519Private::generate(keys),
            asked: None,
            phase: Phase::New,
            lane: Lane::Free,
            wants: Wants::default(),
            check_backoff: Backoff::new(),
            cron: Some(Cron::Off),
            cron_backoff: Backoff::new(),
            early: None,
            backoff: Backoff::new(),
        }
    }

    /// Id and secret, once the subscriber gave them.
    pub(super) const fn issued(&self) -> Option<&Issued> {
        match &self.phase {
            Phase::New => None,
            Phase::Registered(issued)
            | Phase::Verifying(issued, _)
            | Phase::Active(issued)
            | Phase::Refused(issued, _) => Some(issued),
        }
    }

    /// Whether subscriptions may be made.
    pub(super) const fn is_active(&self) -> bool {
        matches!(self.phase, Phase::Active(_))
    }

    /// The status in the protocol's words, as far as this side knows.
    pub(super) const fn status(&self) -> TokenStatus {
        match &self.phase {
            Phase::New => TokenStatus::New,
            Phase::Registered(_) => TokenStatus::Registered,
            Phase::Verifying(..) => TokenStatus::Confirmed,
            Phase::Active(_) => TokenStatus::Active,
            Phase::Refused(_, status) => *status,
        }
    }
}
