//! What a client asks of a subscriber.
//!
//! ```text
//! TNEW SP "T" device key(verify) key(dh)      TVFY SP short(code)     TCHK    TDEL    TRPL SP device
//! TCRN SP Word16 minutes                      SCHK    SDEL    PING
//! SNEW SP "S" short(token id) notifier short(notifier's private key as PKCS#8)
//! device   = provider short(token)            provider = "AD" | "AP" | "AT" | "AN" | "SL"
//! notifier = see `wire::server`
//! ```
//!
//! The same in every version. Source: `ntf-protocol` 2.1 and 2.2.

use alloc::vec::Vec;
use core::fmt;

use crate::base::fault::PeerFault;
use crate::crypto::keys::{AuthPrivateKey, AuthPublicKey, X25519Public};
use crate::model::server::NotifierAddress;
use crate::model::token::{DeviceToken, Provider};
use crate::wire::cursor::{Reader, Writer};
use crate::wire::error_code::CommandError;
use crate::wire::params::{self, auth_key, dh_key, write_auth_key, write_dh_key, write_word};
use crate::wire::server;
use crate::wire::transmission::Transmission;
use crate::wire::version::NtfVersion;

/// A command. Prints its word only.
#[derive(Clone, PartialEq, Eq)]
pub enum Command<'a> {
    /// Register a device token.
    Tnew {
        /// The device.
        device: Device<'a>,
        /// Verifies the commands of this token.
        auth: AuthPublicKey,
        /// The client's half of the secret for pushes.
        dh: X25519Public,
    },
    /// Prove that a push arrived.
    Tvfy {
        /// The code from the push; 32 bytes if it is one of ours.
        code: &'a [u8],
    },
    /// Ask for the token's status.
    Tchk,
    /// Replace the device token.
    Trpl {
        /// The device's new token.
        device: Device<'a>,
    },
    /// Delete the token.
    Tdel,
    /// Set the interval of periodic notifications.
    Tcrn {
        /// Minutes; 0 switches them off.
        minutes: u16,
    },
    /// Watch a queue.
    Snew {
        /// The token to notify.
        token: &'a [u8],
        /// The queue.
        notifier: NotifierAddress,
        /// The key that authorizes watching it.
        key: AuthPrivateKey,
    },
    /// Ask for a subscription's status.
    Schk,
    /// Delete a subscription.
    Sdel,
    /// Ask for a sign of life.
    Ping,
}

/// A device token as it lies in a block. Prints nothing of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Device<'a> {
    /// Who understands the token.
    pub provider: Provider,
    /// The token, 1 to 255 bytes.
    pub token: &'a [u8],
}

impl<'a> Device<'a> {
    /// The same token as a borrowed value.
    #[must_use]
    pub fn of(token: &'a DeviceToken) -> Self {
        Self { provider: token.provider, token: &token.token }
    }

    /// The same token as a value to keep.
    #[must_use]
    pub fn to_token(&self) -> DeviceToken {
        DeviceToken { provider: self.provider, token: self.token.into() }
    }

    /// Reads a device token. An empty one is malformed; no provider has such.
    ///
    /// # Errors
    ///
    /// The fault of the field that is short, or an unknown provider.
    pub fn decode(reader: &mut Reader<'a>) -> Result<Self, PeerFault> {
        let provider = match &reader.array("provider")? {
            b"AD" => Provider::ApnsDev,
            b"AP" => Provider::ApnsProd,
            b"AT" => Provider::ApnsTest,
            b"AN" => Provider::ApnsNull,
            b"SL" => Provider::Sealed,
            _ => return Err(PeerFault::Malformed { field: "provider" }),
        };
        match reader.short("device token")? {
            [] => Err(PeerFault::Malformed { field: "device token" }),
            token => Ok(Self { provider, token }),
        }
    }

    /// Appends the token.
    pub fn encode(&self, writer: &mut Writer<'_>) {
        writer.bytes(match self.provider {
            Provider::ApnsDev => b"AD",
            Provider::ApnsProd => b"AP",
            Provider::ApnsTest => b"AT",
            Provider::ApnsNull => b"AN",
            Provider::Sealed => b"SL",
        });
        writer.short(self.token);
    }
}

impl fmt::Debug for Device<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({:?}, redacted)", self.provider)
    }
}

impl<'a> Command<'a> {
    /// Reads a command to its last byte.
    ///
    /// # Errors
    ///
    /// [`PeerFault::UnknownCommand`] for an unknown word, else the fault of the field that is wrong.
    pub fn decode(bytes: &'a [u8], _version: NtfVersion) -> Result<Self, PeerFault> {
        let command = params::Command::split(bytes);
        let alone = |value| command.alone((), "command").map(|()| value);
        match command.word {
            b"TNEW" => command.with("TNEW", |reader| {
                reader.literal(b"T", "entity tag")?;
                Ok(Self::Tnew {
                    device: Device::decode(reader)?,
                    auth: auth_key(reader)?,
                    dh: dh_key(reader)?,
                })
            }),
            b"TVFY" => command.with("TVFY", |reader| Ok(Self::Tvfy { code: reader.short("code")? })),
            b"TCHK" => alone(Self::Tchk),
            b"TRPL" => command.with("TRPL", |reader| Ok(Self::Trpl { device: Device::decode(reader)? })),
            b"TDEL" => alone(Self::Tdel),
            b"TCRN" => command.with("TCRN", |reader| Ok(Self::Tcrn { minutes: reader.u16("minutes")? })),
            b"SNEW" => command.with("SNEW", |reader| {
                reader.literal(b"S", "entity tag")?;
                Ok(Self::Snew {
                    token: reader.short("token id")?,
                    notifier: server::decode_notifier(reader)?,
                    key: AuthPrivateKey::from_pkcs8(reader.short("notifier key")?)?,
                })
            }),
            b"SCHK" => alone(Self::Schk),
            b"SDEL" => alone(Self::Sdel),
            b"PING" => alone(Self::Ping),
            _ => Err(PeerFault::UnknownCommand),
        }
    }

    /// Appends the command.
    pub fn encode(&self, _version: NtfVersion, out: &mut Vec<u8>) {
        let mut writer = write_word(out, self.word(), self.has_params());
        match self {
            Self::Tnew { device, auth, dh } => {
                writer.u8(b'T');
                device.encode(&mut writer);
                write_auth_key(&mut writer, auth);
                write_dh_key(&mut writer, dh);
            }
            Self::Tvfy { code } => {
                writer.short(code);
            }
            Self::Trpl { device } => device.encode(&mut writer),
            Self::Tcrn { minutes } => {
                writer.u16(*minutes);
            }
            Self::Snew { token, notifier, key } => {
                writer.u8(b'S').short(token);
                server::encode_notifier(notifier, &mut writer);
                writer.short(&key.to_pkcs8());
            }
            Self::Tchk | Self::Tdel | Self::Schk | Self::Sdel | Self::Ping => {}
        }
    }

    /// The command word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Tnew { .. } => "TNEW",
            Self::Tvfy { .. } => "TVFY",
            Self::Tchk => "TCHK",
            Self::Trpl { .. } => "TRPL",
            Self::Tdel => "TDEL",
            Self::Tcrn { .. } => "TCRN",
            Self::Snew { .. } => "SNEW",
            Self::Schk => "SCHK",
            Self::Sdel => "SDEL",
            Self::Ping => "PING",
        }
    }

    /// Checks that the transmission has the credentials that its command needs, and no others.
    ///
    /// # Errors
    ///
    /// What to answer under `ERR CMD`. Source: `ntf-protocol` 1.6.
    pub const fn check_credentials(&self, transmission: &Transmission<'_>) -> Result<(), CommandError> {
        let has_authorization = !transmission.authorization.is_empty();
        let has_entity = !transmission.entity_id.is_empty();
        match self {
            Self::Tnew { .. } | Self::Snew { .. } => match (has_authorization, has_entity) {
                (false, _) => Err(CommandError::NoAuth),
                (true, true) => Err(CommandError::HasAuth),
                (true, false) => Ok(()),
            },
            Self::Ping => match has_authorization || has_entity {
                true => Err(CommandError::HasAuth),
                false => Ok(()),
            },
            Self::Tvfy { .. }
            | Self::Tchk
            | Self::Trpl { .. }
            | Self::Tdel
            | Self::Tcrn { .. }
            | Self::Schk
            | Self::Sdel => match has_authorization && has_entity {
                true => Ok(()),
                false => Err(CommandError::NoAuth),
            },
        }
    }

    const fn has_params(&self) -> bool {
        match self {
            Self::Tnew { .. }
            | Self::Tvfy { .. }
            | Self::Trpl { .. }
            | Self::Tcrn { .. }
            | Self::Snew { .. } => true,
            Self::Tchk | Self::Tdel | Self::Schk | Self::Sdel | Self::Ping => false,
        }
    }
}

impl fmt::Debug for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
