//! Whose fault is it? The kinds of failure that cross layers.
//!
//! A [`PeerFault`] is everyday input: it becomes an error answer or a closed link. Lawful refusals are
//! values of their layer. [`Misuse`] is our caller's and comes back as `Err`.

use core::fmt;

/// The peer broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerFault {
    /// The bytes ended inside this field.
    Truncated {
        /// The field that was short.
        field: &'static str,
    },
    /// This field holds a value the grammar does not allow.
    Malformed {
        /// The field that was wrong.
        field: &'static str,
    },
    /// Bytes are left where the message should end.
    TrailingBytes {
        /// The message that should have ended.
        field: &'static str,
    },
    /// This field is longer than its bound.
    TooLong {
        /// The field that was long.
        field: &'static str,
    },
    /// The command word is none that the protocol knows.
    UnknownCommand,
    /// A block that does not open: wrong padding or a failed authentication tag.
    BadBlock,
}

impl PeerFault {
    /// What was wrong, for counters and logs: a field's name, never its value.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Truncated { field }
            | Self::Malformed { field }
            | Self::TrailingBytes { field }
            | Self::TooLong { field } => field,
            Self::UnknownCommand => "command word",
            Self::BadBlock => "block",
        }
    }
}

impl fmt::Display for PeerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { field } => write!(f, "the bytes end inside the {field}"),
            Self::Malformed { field } => write!(f, "the {field} is malformed"),
            Self::TrailingBytes { field } => write!(f, "bytes are left after the {field}"),
            Self::TooLong { field } => write!(f, "the {field} is too long"),
            Self::UnknownCommand => f.write_str("the command is unknown"),
            Self::BadBlock => f.write_str("the block does not open"),
        }
    }
}

impl core::error::Error for PeerFault {}

/// Our caller broke the contract; visible by reading the calling code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// A configured value is outside its range.
    OutOfRange {
        /// The name of the value.
        field: &'static str,
    },
    /// The value does not fit the field it is meant for.
    TooLong {
        /// The name of the field.
        field: &'static str,
    },
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { field } => write!(f, "{field} is out of range"),
            Self::TooLong { field } => write!(f, "{field} is too long"),
        }
    }
}

impl core::error::Error for Misuse {}
