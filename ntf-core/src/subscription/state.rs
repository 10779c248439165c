//! The states of a subscription and what moves it from one to the next.
//!
//! ```text
//! SNEW ─> New ──NSUB sent──> Asked ──OK──> Confirmed
//!                  ▲           │               │
//!               Waiting <──────┴─session lost──┘
//! any of these ──END, DELD, AUTH, SERVICE, other error──> Over ──same SNEW again──> New
//!                                  Over by SERVICE or another error ──after a while──> Asked
//! ```
//!
//! `Asked` and `Confirmed` hold for one session with the SMP server; a session's end turns all of them at
//! once, so they carry the session's number and are read against the current one. A queue that is confirmed
//! and tied to our service outlives the session: it carries the number of the tie, and is active again once
//! the SMP server has confirmed the service as a whole. Source for that: `smp-transport` 6.5.
//! Source: `ntf-protocol` 2.6, 4.7.

use crate::model::subscription::SubscriptionStatus;

/// Where a subscription stands, in one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Never asked for.
    New,
    /// To be asked for again.
    Waiting,
    /// NSUB is out in the session that the row names.
    Asked,
    /// The SMP server confirmed in the session that the row names.
    Confirmed,
    /// No NMSG will come until the client subscribes again, or until it succeeds where that may help.
    Over(Over),
}

/// Why a subscription is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// END: another client took the notifier subscription.
    Taken,
    /// DELD: the queue or its notifier is gone.
    Deleted,
    /// The SMP server refused our key.
    Auth,
    /// The SMP server refused our service signature.
    Service,
    /// Another lasting error.
    Failed(Failure),
}

/// A lasting error of a subscription that has no status of its own.
///
/// A closed list, so that no text of a peer is ever stored or passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The SMP server refused the command as such.
    Command,
    /// The SMP server could not read what we sent.
    Block,
    /// The SMP server has blocked the queue.
    Blocked,
    /// The SMP server answered with another error.
    OtherError,
    /// The SMP server answered with something that is no answer to NSUB.
    Unexpected,
    /// The notifier key cannot authorize on this server or in this build.
    Key,
    /// The SMP server's hosts have no public address, and others are not connected to.
    NotPublic,
    /// The SMP server could not be connected to for a week.
    Unreached,
}

impl Failure {
    /// The text after `ERR`; clients show it and must not parse it. Source: `ntf-protocol` 2.6.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Command => "SMP error CMD",
            Self::Block => "SMP error BLOCK",
            Self::Blocked => "SMP error BLOCKED",
            Self::OtherError => "SMP error",
            Self::Unexpected => "UnexpectedResponse",
            Self::Key => "CryptoError",
            Self::NotPublic | Self::Unreached => "NETWORK",
        }
    }
}

/// Whether the session a row names is the one that is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// It is.
    Current,
    /// It has ended.
    Past,
}

impl Standing {
    /// The status as the protocol names it.
    #[must_use]
    pub fn status(self, session: Session) -> SubscriptionStatus {
        match (self, session) {
            (Self::New, _) => SubscriptionStatus::New,
            (Self::Waiting | Self::Asked, _) => SubscriptionStatus::Pending,
            (Self::Confirmed, Session::Current) => SubscriptionStatus::Active,
            (Self::Confirmed, Session::Past) => SubscriptionStatus::Inactive,
            (Self::Over(over), _) => over.status(),
        }
    }
}

impl Over {
    /// Whether trying again may help although nobody asks for it. The status says meanwhile that the
    /// subscription is not kept. Mends defect D8 of the reference.
    #[must_use]
    pub const fn may_pass(self) -> bool {
        match self {
            Self::Service | Self::Failed(_) => true,
            Self::Taken | Self::Deleted | Self::Auth => false,
        }
    }

    /// The status as the protocol names it.
    #[must_use]
    pub fn status(self) -> SubscriptionStatus {
        match self {
            Self::Taken => SubscriptionStatus::End,
            Self::Deleted => SubscriptionStatus::Deleted,
            Self::Auth => SubscriptionStatus::Auth,
            Self::Service => SubscriptionStatus::Service,
            Self::Failed(failure) => SubscriptionStatus::Error(failure.text().into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SubscriptionStatus as Status;

    #[test]
    fn statuses_by_standing_and_session() {
        for (standing, current, past) in [
            (Standing::New, Status::New, Status::New),
            (Standing::Waiting, Status::Pending, Status::Pending),
            (Standing::Asked, Status::Pending, Status::Pending),
            (Standing::Confirmed, Status::Active, Status::Inactive),
            (Standing::Over(Over::Taken), Status::End, Status::End),
            (Standing::Over(Over::Deleted), Status::Deleted, Status::Deleted),
            (Standing::Over(Over::Auth), Status::Auth, Status::Auth),
            (Standing::Over(Over::Service), Status::Service, Status::Service),
        ] {
            assert_eq!(standing.status(Session::Current), current, "{standing:?}");
            assert_eq!(standing.status(Session::Past), past, "{standing:?}");
            let over = matches!(standing, Standing::Over(_));
            assert_eq!(current.is_kept(), !over, "clients keep what is not over: {standing:?}");
        }
    }

    #[test]
    fn error_texts_fit_a_transmission_and_hold_no_line_end() {
        for failure in [
            Failure::Command,
            Failure::Block,
            Failure::Blocked,
            Failure::OtherError,
            Failure::Unexpected,
            Failure::Key,
            Failure::NotPublic,
            Failure::Unreached,
        ] {
            let text = failure.text();
            assert!(
                !text.is_empty() && text.len() < 64 && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
            );
            assert_eq!(
                Standing::Over(Over::Failed(failure)).status(Session::Current),
                Status::Error(text.into())
            );
        }
    }
}
