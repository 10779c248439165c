//! What a client asks of an SMP server.
//!
//! ```text
//! NEW see `queue`              SUB  GET  OFF  DEL  QUE  NDEL  LDEL  SUBS       NSUB  NSUBS  PING  LGET
//! ACK SP short(message id)     KEY SP key(sender)     RKEY SP list(key(recipient)…)
//! NKEY SP key(notifier) key(notifier dh)              LSET SP short(link id) large(fixed) large(user)
//! SKEY SP key(sender)          LKEY SP key(sender)    SEND SP flags SP tail(message)
//! PRXY SP server maybe(short(password))
//! PFWD SP Word16 version key(command key) tail(transmission)        RFWD SP tail(transmission)
//! flags = Bool notify, then up to 6 reserved bytes
//! ```
//!
//! Words are the same in every version; only NEW changes. Source: `smp-transport` 5.1 to 5.9.

use alloc::vec::Vec;
use core::fmt;

use crate::base::fault::PeerFault;
use crate::crypto::keys::{AuthPublicKey, X25519Public};
use crate::model::server::ServerAddress;
use crate::wire::cursor::Reader;
use crate::wire::error_code::CommandError;
use crate::wire::params::{self, auth_key, dh_key, write_auth_key, write_dh_key, write_word};
use crate::wire::server;
use crate::wire::smp::queue::{LinkData, NewQueue};
use crate::wire::transmission::Transmission;
use crate::wire::version::SmpVersion;

/// Most bytes of the flags of SEND. Source: `smp-transport` 5.4.
pub const FLAGS_LEN_MAX: usize = 7;

/// A command. Prints its word only.
#[derive(Clone, PartialEq, Eq)]
pub enum Command<'a> {
    /// Create a queue.
    New(NewQueue<'a>),
    /// Subscribe to a queue.
    Sub,
    /// Subscribe to all queues of a service.
    Subs,
    /// Get one message without subscribing.
    Get,
    /// Acknowledge a message.
    Ack {
        /// The message; empty matches any.
        message: &'a [u8],
    },
    /// Secure a queue for its sender.
    Key {
        /// The sender's key.
        sender: AuthPublicKey,
    },
    /// Replace the recipients' keys.
    Rkey {
        /// The keys, at least one.
        recipients: Vec<AuthPublicKey>,
    },
    /// Set or replace the notifier.
    Nkey {
        /// The notifier's key.
        notifier: AuthPublicKey,
        /// The recipient's half of the secret for notification metadata.
        dh: X25519Public,
    },
    /// Remove the notifier.
    Ndel,
    /// Set the data of a short link.
    Lset {
        /// The link id.
        link: &'a [u8],
        /// The data.
        data: LinkData<'a>,
    },
    /// Delete the short link.
    Ldel,
    /// Suspend a queue.
    Off,
    /// Delete a queue.
    Del,
    /// Ask for a queue's state.
    Que,
    /// Secure a queue as its sender.
    Skey {
        /// The sender's key.
        sender: AuthPublicKey,
    },
    /// Send a message.
    Send {
        /// Whether the notifier hears of it.
        notify: bool,
        /// The message.
        message: &'a [u8],
    },
    /// Secure a queue by its short link and get the link's data.
    Lkey {
        /// The sender's key.
        sender: AuthPublicKey,
    },
    /// Get a short link's data.
    Lget,
    /// Subscribe to a queue's notifications.
    Nsub,
    /// Subscribe to the notifications of all queues of a service.
    Nsubs,
    /// Ask for a sign of life.
    Ping,
    /// Ask a proxy for a session with a relay.
    Prxy {
        /// The relay.
        server: ServerAddress,
        /// The proxy's password.
        password: Option<&'a [u8]>,
    },
    /// Have a proxy forward a command.
    Pfwd {
        /// The version in which the command is encoded.
        version: SmpVersion,
        /// The key agreed with the relay for this command.
        key: X25519Public,
        /// The encrypted command.
        transmission: &'a [u8],
    },
    /// Forward a command to a relay.
    Rfwd {
        /// The command, encrypted once more.
        transmission: &'a [u8],
    },
}

/// Which credentials a command needs. Source: `smp-transport` 4.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Credentials {
    AuthorizationOnly,
    EntityOnly,
    EntityAndMaybeAuthorization,
    Neither,
    Both,
}

impl<'a> Command<'a> {
    /// Reads a command to its last byte.
    ///
    /// # Errors
    ///
    /// [`PeerFault::UnknownCommand`] for an unknown word, else the fault of the field that is wrong.
    pub fn decode(bytes: &'a [u8], version: SmpVersion) -> Result<Self, PeerFault> {
        let command = params::Command::split(bytes);
        let alone = |value| command.alone((), "command").map(|()| value);
        match command.word {
            b"NEW" => command.with("NEW", |reader| NewQueue::decode(reader, version).map(Self::New)),
            b"SUB" => alone(Self::Sub),
            b"SUBS" => alone(Self::Subs),
            b"GET" => alone(Self::Get),
            b"ACK" => command.with("ACK", |reader| Ok(Self::Ack { message: reader.short("message id")? })),
            b"KEY" => command.with("KEY", |reader| Ok(Self::Key { sender: auth_key(reader)? })),
            b"RKEY" => command.with("RKEY", |reader| {
                Ok(Self::Rkey { recipients: reader.nonempty_list("recipient keys", auth_key)? })
            }),
            b"NKEY" => command
                .with("NKEY", |reader| Ok(Self::Nkey { notifier: auth_key(reader)?, dh: dh_key(reader)? })),
            b"NDEL" => alone(Self::Ndel),
            b"LSET" => command.with("LSET", |reader| {
                Ok(Self::Lset { link: reader.short("link id")?, data: LinkData::decode(reader)? })
            }),
            b"LDEL" => alone(Self::Ldel),
            b"OFF" => alone(Self::Off),
            b"DEL" => alone(Self::Del),
            b"QUE" => alone(Self::Que),
            b"SKEY" => command.with("SKEY", |reader| Ok(Self::Skey { sender: auth_key(reader)? })),
            b"SEND" => command.with("SEND", decode_send),
            b"LKEY" => command.with("LKEY", |reader| Ok(Self::Lkey { sender: auth_key(reader)? })),
            b"LGET" => alone(Self::Lget),
            b"NSUB" => alone(Self::Nsub),
            b"NSUBS" => alone(Self::Nsubs),
            b"PING" => alone(Self::Ping),
            b"PRXY" => command.with("PRXY", |reader| {
                let server = server::decode(reader)?;
                let password = reader.maybe("password", |reader| reader.short("password"))?;
                Ok(Self::Prxy { server, password })
            }),
            b"PFWD" => command.with("PFWD", |reader| {
                Ok(Self::Pfwd {
                    version: SmpVersion(reader.u16("version")?),
                    key: dh_key(reader)?,
                    transmission: reader.rest(),
                })
            }),
            b"RFWD" => command.with("RFWD", |reader| Ok(Self::Rfwd { transmission: reader.rest() })),
            _ => Err(PeerFault::UnknownCommand),
        }
    }

    /// Appends the command.
    pub fn encode(&self, version: SmpVersion, out: &mut Vec<u8>) {
        let mut writer = write_word(out, self.word(), self.has_params());
        match self {
            Self::New(queue) => queue.encode(version, &mut writer),
            Self::Ack { message } => {
                writer.short(message);
            }
            Self::Key { sender } | Self::Skey { sender } | Self::Lkey { sender } => {
                write_auth_key(&mut writer, sender);
            }
            Self::Rkey { recipients } => {
                writer.list(recipients, write_auth_key);
            }
            Self::Nkey { notifier, dh } => {
                write_auth_key(&mut writer, notifier);
                write_dh_key(&mut writer, dh);
            }
            Self::Lset { link, data } => {
                writer.short(link);
                data.encode(&mut writer);
            }
            Self::Send { notify, message } => {
                writer.bool(*notify).u8(b' ').bytes(message);
            }
            Self::Prxy { server, password } => {
                server::encode(server, &mut writer);
                writer.maybe(*password, |writer, password| {
                    writer.short(password);
                });
            }
            Self::Pfwd { version, key, transmission } => {
                writer.u16(version.0);
                write_dh_key(&mut writer, key);
                writer.bytes(transmission);
            }
            Self::Rfwd { transmission } => {
                writer.bytes(transmission);
            }
            Self::Sub
            | Self::Subs
            | Self::Get
            | Self::Ndel
            | Self::Ldel
            | Self::Off
            | Self::Del
            | Self::Que
            | Self::Lget
            | Self::Nsub
            | Self::Nsubs
            | Self::Ping => {}
        }
    }

    /// The command word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::New(_) => "NEW",
            Self::Sub => "SUB",
            Self::Subs => "SUBS",
            Self::Get => "GET",
            Self::Ack { .. } => "ACK",
            Self::Key { .. } => "KEY",
            Self::Rkey { .. } => "RKEY",
            Self::Nkey { .. } => "NKEY",
            Self::Ndel => "NDEL",
            Self::Lset { .. } => "LSET",
            Self::Ldel => "LDEL",
            Self::Off => "OFF",
            Self::Del => "DEL",
            Self::Que => "QUE",
            Self::Skey { .. } => "SKEY",
            Self::Send { .. } => "SEND",
            Self::Lkey { .. } => "LKEY",
            Self::Lget => "LGET",
            Self::Nsub => "NSUB",
            Self::Nsubs => "NSUBS",
            Self::Ping => "PING",
            Self::Prxy { .. } => "PRXY",
            Self::Pfwd { .. } => "PFWD",
            Self::Rfwd { .. } => "RFWD",
        }
    }

    /// Checks that the transmission has the credentials that its command needs, and no others.
    ///
    /// # Errors
    ///
    /// What to answer under `ERR CMD`. Source: `smp-transport` 4.7.
    pub const fn check_credentials(&self, transmission: &Transmission<'_>) -> Result<(), CommandError> {
        let has_authorization = !transmission.authorization.is_empty();
        let has_entity = !transmission.entity_id.is_empty();
        match (self.credentials(), has_authorization, has_entity) {
            (Credentials::AuthorizationOnly, false, _) => Err(CommandError::NoAuth),
            (Credentials::AuthorizationOnly, true, true) => Err(CommandError::HasAuth),
            (Credentials::EntityOnly | Credentials::EntityAndMaybeAuthorization, _, false) => {
                Err(CommandError::NoEntity)
            }
            (Credentials::EntityOnly, true, true) => Err(CommandError::HasAuth),
            (Credentials::Neither, true, _) | (Credentials::Neither, _, true) => Err(CommandError::HasAuth),
            (Credentials::Both, false, _) | (Credentials::Both, _, false) => Err(CommandError::NoAuth),
            (Credentials::AuthorizationOnly, true, false)
            | (Credentials::EntityOnly, false, true)
            | (Credentials::EntityAndMaybeAuthorization, _, true)
            | (Credentials::Neither, false, false)
            | (Credentials::Both, true, true) => Ok(()),
        }
    }

    const fn credentials(&self) -> Credentials {
        match self {
            Self::New(_) => Credentials::AuthorizationOnly,
            Self::Send { .. } => Credentials::EntityAndMaybeAuthorization,
            Self::Lget | Self::Pfwd { .. } => Credentials::EntityOnly,
            Self::Ping | Self::Prxy { .. } | Self::Rfwd { .. } => Credentials::Neither,
            Self::Sub
            | Self::Subs
            | Self::Get
            | Self::Ack { .. }
            | Self::Key { .. }
            | Self::Rkey { .. }
            | Self::Nkey { .. }
            | Self::Ndel
            | Self::Lset { .. }
            | Self::Ldel
            | Self::Off
            | Self::Del
            | Self::Que
            | Self::Skey { .. }
            | Self::Lkey { .. }
            | Self::Nsub
            | Self::Nsubs => Credentials::Both,
        }
    }

    const fn has_params(&self) -> bool {
        match self {
            Self::New(_)
            | Self::Ack { .. }
            | Self::Key { .. }
            | Self::Rkey { .. }
            | Self::Nkey { .. }
            | Self::Lset { .. }
            | Self::Skey { .. }
            | Self::Send { .. }
            | Self::Lkey { .. }
            | Self::Prxy { .. }
            | Self::Pfwd { .. }
            | Self::Rfwd { .. } => true,
            Self::Sub
            | Self::Subs
            | Self::Get
            | Self::Ndel
            | Self::Ldel
            | Self::Off
            | Self::Del
            | Self::Que
            | Self::Lget
            | Self::Nsub
            | Self::Nsubs
            | Self::Ping => false,
        }
    }
}

impl fmt::Debug for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

fn decode_send<'a>(reader: &mut Reader<'a>) -> Result<Command<'a>, PeerFault> {
    let field = "message flags";
    let flags = reader.until(b' ', field)?;
    if flags.len() > FLAGS_LEN_MAX {
        return Err(PeerFault::TooLong { field });
    }
    // What follows the first flag is reserved: read over, never written.
    let notify = Reader::new(flags).bool(field)?;
    Ok(Command::Send { notify, message: reader.rest() })
}
