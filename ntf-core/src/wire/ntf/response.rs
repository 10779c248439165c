//! What a subscriber answers. It never speaks unasked.
//!
//! ```text
//! IDTKN SP short(token id) key(server dh)     IDSUB SP short(subscription id)     OK    PONG
//! TKN SP token status                         SUB SP subscription status          ERR SP error
//! ```
//!
//! The reason of `INVALID` goes to version 3 only. Source: `ntf-protocol` 2.3 to 2.6.

use alloc::vec::Vec;
use core::fmt;

use crate::base::fault::PeerFault;
use crate::crypto::keys::X25519Public;
use crate::model::subscription::SubscriptionStatus;
use crate::model::token::TokenStatus;
use crate::wire::cursor::utf8;
use crate::wire::error_code::ErrorCode;
use crate::wire::params::{self, dh_key, write_dh_key, write_word};
use crate::wire::text::status;
use crate::wire::version::NtfVersion;

/// An answer. Prints its word only.
#[derive(Clone, PartialEq, Eq)]
pub enum Response<'a> {
    /// A token is registered.
    Idtkn {
        /// The token id.
        token: &'a [u8],
        /// The server's half of the secret for pushes.
        dh: X25519Public,
    },
    /// A queue is watched.
    Idsub {
        /// The subscription id.
        subscription: &'a [u8],
    },
    /// Done.
    Ok,
    /// A token's status.
    Tkn(TokenStatus),
    /// A subscription's status.
    Sub(SubscriptionStatus),
    /// The sign of life that PING asks for.
    Pong,
    /// The command failed.
    Err(ErrorCode<'a>),
}

impl<'a> Response<'a> {
    /// Reads an answer to its last byte.
    ///
    /// # Errors
    ///
    /// [`PeerFault::UnknownCommand`] for an unknown word, else the fault of the field that is wrong.
    pub fn decode(bytes: &'a [u8], _version: NtfVersion) -> Result<Self, PeerFault> {
        let response = params::Command::split(bytes);
        let alone = |value| response.alone((), "response").map(|()| value);
        match response.word {
            b"IDTKN" => response.with("IDTKN", |reader| {
                Ok(Self::Idtkn { token: reader.short("token id")?, dh: dh_key(reader)? })
            }),
            b"IDSUB" => response
                .with("IDSUB", |reader| Ok(Self::Idsub { subscription: reader.short("subscription id")? })),
            b"OK" => alone(Self::Ok),
            b"TKN" => response.with("TKN", |reader| {
                let field = "token status";
                let text = utf8(reader.rest(), field)?;
                status::parse_token(text).map(Self::Tkn).ok_or(PeerFault::Malformed { field })
            }),
            b"SUB" => response.with("SUB", |reader| {
                let field = "subscription status";
                let text = utf8(reader.rest(), field)?;
                status::parse_subscription(text).map(Self::Sub).ok_or(PeerFault::Malformed { field })
            }),
            b"PONG" => alone(Self::Pong),
            b"ERR" => response.with("ERR", |reader| ErrorCode::decode(reader.rest()).map(Self::Err)),
            _ => Err(PeerFault::UnknownCommand),
        }
    }

    /// Appends the answer.
    pub fn encode(&self, version: NtfVersion, out: &mut Vec<u8>) {
        let mut writer = write_word(out, self.word(), self.has_params());
        match self {
            Self::Idtkn { token, dh } => {
                writer.short(token);
                write_dh_key(&mut writer, dh);
            }
            Self::Idsub { subscription } => {
                writer.short(subscription);
            }
            Self::Tkn(TokenStatus::Invalid(_)) if !version.has_invalid_reason() => {
                writer.bytes(status::token(TokenStatus::Invalid(None)).as_bytes());
            }
            Self::Tkn(status) => {
                writer.bytes(status::token(*status).as_bytes());
            }
            Self::Sub(status) => {
                let (word, text) = status::subscription(status);
                writer.bytes(word.as_bytes()).bytes(text.as_bytes());
            }
            Self::Err(error) => error.encode(writer.out()),
            Self::Ok | Self::Pong => {}
        }
    }

    /// The word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Idtkn { .. } => "IDTKN",
            Self::Idsub { .. } => "IDSUB",
            Self::Ok => "OK",
            Self::Tkn(_) => "TKN",
            Self::Sub(_) => "SUB",
            Self::Pong => "PONG",
            Self::Err(_) => "ERR",
        }
    }

    /// Whether the entity id may stand with this answer. Source: `ntf-protocol` 2.3.
    #[must_use]
    pub const fn allows_entity(&self, entity_id: &[u8]) -> bool {
        match self {
            Self::Err(_) => true,
            Self::Idtkn { .. } | Self::Idsub { .. } | Self::Pong => entity_id.is_empty(),
            Self::Ok | Self::Tkn(_) | Self::Sub(_) => !entity_id.is_empty(),
        }
    }

    const fn has_params(&self) -> bool {
        match self {
            Self::Ok | Self::Pong => false,
            Self::Idtkn { .. } | Self::Idsub { .. } | Self::Tkn(_) | Self::Sub(_) | Self::Err(_) => true,
        }
    }
}

impl fmt::Debug for Response<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
