//! Places in the tables of a role, for those who keep a reference to a row that is not theirs.
//!
//! The tables of tokens, subscriptions and pending notices do not know each other; they hold these.

use crate::base::slab::Index;

macro_rules! index {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Index);
    };
}

index! {
    /// A row of the token table.
    TokenIndex
}
index! {
    /// A row of the subscription table.
    SubscriptionIndex
}
index! {
    /// A row of the table of SMP servers.
    ServerIndex
}
index! {
    /// A row of the table of device tokens, which registrations of one device share.
    DeviceIndex
}
