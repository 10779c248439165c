//! The states of a subscription to one queue.

use alloc::boxed::Box;

/// A subscription's status as the protocol names it. Source: `ntf-protocol` 2.6.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubscriptionStatus {
    /// Stored, NSUB not sent.
    New,
    /// NSUB is being sent or retried.
    Pending,
    /// The SMP server confirmed the NSUB.
    Active,
    /// The session with the SMP server is lost.
    Inactive,
    /// Another client took the notifier subscription over.
    End,
    /// The queue or its notifier is gone from the SMP server.
    Deleted,
    /// The SMP server refused our key.
    Auth,
    /// The SMP server refused our service signature.
    Service,
    /// Another lasting error, in words.
    Error(Box<str>),
}

impl SubscriptionStatus {
    /// Whether a client keeps the subscription on seeing this status, or makes it anew.
    ///
    /// The reference also keeps `SERVICE`, which leaves the queue silently dead; its successor does not,
    /// and neither do we. Source: `ntf-protocol` 2.6 and defect D8.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        matches!(self, Self::New | Self::Pending | Self::Active | Self::Inactive)
    }
}
