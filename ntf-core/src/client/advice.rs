//! What an application should do about a failure, so that it need not read the words.
//!
//! The client repairs by itself whatever can be repaired without a person; the advice of such a failure
//! says only until when. Which refusals pass by themselves is decided here and nowhere else.

use crate::link::event::DownReason;
use crate::model::token::InvalidReason;
use crate::wire::error_code::ErrorCode;
use core::fmt;
use core::time::Duration;

/// What an application should do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Advice {
    /// Nothing. What was asked for is so already, or cannot be had at all.
    ///
    /// Source: `ntf-protocol` 5.4; a deletion that finds nothing is done.
    Nothing,
    /// Nothing yet: the client goes on by itself.
    ///
    /// Source: `ntf-protocol` 5.1 (temporary errors are retried), 5.3 (AUTH on TVFY: register anew; required
    /// on TCHK too), 5.5 (END, AUTH and the like: fresh credentials), 5.6 (delays).
    Wait {
        /// How long after this event, by the clock that the client is given. Zero: it has begun.
        next: Duration,
    },
    /// Give the command again. It was refused for a reason that passes, and the client has dropped it.
    ///
    /// Source: `ntf-protocol` 5.1, and 5.6 for the delay; QUOTA of SEND is `smp-transport` 5.8.
    TryAgain {
        /// How long to wait at least; double it each time, up to [`Config::retry`](crate::client::Config)'s
        /// longest.
        after: Duration,
    },
    /// See whether there is a network at all, and give
    /// [`NetworkChanged`](crate::client::input::Command::NetworkChanged) when there is one again: a server was
    /// out of reach. The client goes on trying, other than with deletions that have had their three weeks.
    ///
    /// Source: `ntf-protocol` 5.1 (network errors are temporary), 5.4 (deletions).
    CheckNetwork,
    /// Ask the user, for whom something is over: the other side has to give another address, a queue is gone
    /// or blocked, or another server has to be chosen. Trying again gives the same answer.
    ///
    /// Source: `ntf-protocol` 5.1; everything else is permanent.
    AskUser,
    /// Ask the provider for a device token and give
    /// [`RegisterWithAny`](crate::client::input::Command::RegisterWithAny): there is no token here, or the
    /// provider takes the present one no longer.
    ///
    /// Source: `ntf-protocol` 5.3, 5.4 (INVALID leads to another registration).
    Register,
    /// Correct what this client is configured with: a limit of its [`Config`](crate::client::Config), the list
    /// of subscribers, an interval, whether device tokens are sealed, or what the build supports.
    ///
    /// Source: ours for limits; `ntf-protocol` 4.2 for QUOTA of TCRN, 2.5 for TOPIC;
    /// `docs/protocol/sealed-tokens.md` for CMD of TNEW.
    Configure,
    /// Report a bug: the application gave a command that cannot be carried out, or a server broke the protocol.
    ///
    /// Source: `ntf-protocol` 5.1; a reply of another kind is an "unexpected response" error.
    ReportBug,
}

impl Advice {
    /// One word for programs, stable.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Wait { .. } => "wait",
            Self::TryAgain { .. } => "try again",
            Self::CheckNetwork => "check the network",
            Self::AskUser => "ask the user",
            Self::Register => "register",
            Self::Configure => "configure",
            Self::ReportBug => "report a bug",
        }
    }

    /// The delay that goes with it, if any.
    #[must_use]
    pub const fn delay(self) -> Option<Duration> {
        match self {
            Self::Wait { next: delay } | Self::TryAgain { after: delay } => Some(delay),
            Self::Nothing
            | Self::CheckNetwork
            | Self::AskUser
            | Self::Register
            | Self::Configure
            | Self::ReportBug => None,
        }
    }

    /// What to do about a server that is out of reach.
    ///
    /// Somebody else who answers in its place may be an attack, and a name that leads into the private
    /// network a mistake of the address: a person has to look at both.
    pub(super) const fn of_loss(reason: DownReason) -> Self {
        match reason {
            DownReason::WrongIdentity | DownReason::NotPublic => Self::AskUser,
            DownReason::Asked
            | DownReason::Closed
            | DownReason::Unreachable
            | DownReason::Broken
            | DownReason::Tls
            | DownReason::TimedOut => Self::CheckNetwork,
        }
    }

    /// What to do about a device token that the provider does not take.
    pub(super) const fn of_invalid(reason: Option<InvalidReason>) -> Self {
        match reason {
            // Another token of the same app would be another app's as well.
            Some(InvalidReason::Topic) => Self::Configure,
            Some(InvalidReason::Bad | InvalidReason::Expired | InvalidReason::Unregistered) | None => {
                Self::Register
            }
        }
    }
}

/// What to do about a refusal that does not pass by itself; `None` of one that may.
pub(super) const fn lasting(code: &ErrorCode<'_>) -> Option<Advice> {
    match code {
        ErrorCode::Internal
        | ErrorCode::Store(_)
        | ErrorCode::Quota
        | ErrorCode::Proxy(_)
        | ErrorCode::Session
        | ErrorCode::Block
        | ErrorCode::Duplicate
        | ErrorCode::Other(_) => None,
        ErrorCode::Auth | ErrorCode::Blocked(_) | ErrorCode::Expired => Some(Advice::AskUser),
        ErrorCode::Cmd(_)
        | ErrorCode::Service
        | ErrorCode::Crypto
        | ErrorCode::NoMsg
        | ErrorCode::LargeMsg => Some(Advice::ReportBug),
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("there is nothing to do"),
            Self::Wait { next } if next.is_zero() => f.write_str("it goes on by itself"),
            Self::Wait { next } => write!(f, "it goes on by itself in {:.1} s", next.as_secs_f32()),
            Self::TryAgain { after } => write!(f, "try again in {:.1} s or later", after.as_secs_f32()),
            Self::CheckNetwork => f.write_str("check the network"),
            Self::AskUser => f.write_str("another address or server is needed"),
            Self::Register => f.write_str("register with a fresh device token"),
            Self::Configure => f.write_str("correct the configuration"),
            Self::ReportBug => f.write_str("report this as a bug"),
        }
    }
}
