//! What an SMP server says: answers, which repeat the command's correlation id, and events, which have none.
//!
//! ```text
//! IDS see `queue`                    OK   PONG   END   DELD (v10+, END below)
//! SOK SP maybe(short(service id))    v16+, OK below             SOKS SP Int64 count    ENDS SP Int64 count
//! MSG SP short(message id) tail(encrypted body)                 NID SP short(notifier id) key(server dh)
//! NMSG SP nonce(24) short(encrypted metadata)                   INFO SP tail(JSON)
//! LNK SP short(sender id) large(fixed) large(user)              ERR SP error
//! PKEY SP short(session id) version range chain large(signed key)
//! PRES SP tail(encrypted answer)                                RRES SP tail(encrypted answer)
//! ```
//!
//! Source: `smp-transport` 5.2 to 5.9.

use alloc::vec::Vec;
use core::fmt;

use crate::base::fault::PeerFault;
use crate::base::limits::NONCE_LEN;
use crate::wire::error_code::ErrorCode;
use crate::wire::hello::smp::SignedKey;
use crate::wire::params::{self, write_word};
use crate::wire::smp::queue::{LinkData, NotifierIds, QueueIds};
use crate::wire::version::{SmpVersion, VersionRange};

/// An answer or event. Prints its word only.
#[derive(Clone, PartialEq, Eq)]
pub enum Message<'a> {
    /// A queue was created.
    Ids(QueueIds<'a>),
    /// A short link's data.
    Lnk {
        /// The sender id of the queue.
        sender: &'a [u8],
        /// The data.
        data: LinkData<'a>,
    },
    /// Subscribed.
    Sok {
        /// The service that the queue belongs to.
        service: Option<&'a [u8]>,
    },
    /// All queues of the service are subscribed.
    Soks {
        /// How many they are.
        count: i64,
    },
    /// Done.
    Ok,
    /// A message: an event, or the answer to GET, ACK or (from older servers) SUB.
    Msg {
        /// The message id, also the nonce of the body.
        id: &'a [u8],
        /// The encrypted body, 16122 bytes.
        body: &'a [u8],
    },
    /// A notifier was made.
    Nid(NotifierIds<'a>),
    /// Event: a queue got a message.
    Nmsg {
        /// The nonce of the metadata.
        nonce: [u8; NONCE_LEN],
        /// The encrypted metadata, 144 bytes.
        meta: &'a [u8],
    },
    /// Event: another connection took the subscription.
    End,
    /// Event: another connection took the service's subscriptions.
    Ends {
        /// How many there were.
        count: i64,
    },
    /// Event: the queue or its notifier is gone. Peers below v10 get END.
    Deld,
    /// A queue's state.
    Info {
        /// JSON.
        json: &'a [u8],
    },
    /// The sign of life that PING asks for.
    Pong,
    /// The command failed; or an event: the queue was blocked.
    Err(ErrorCode<'a>),
    /// A session with a relay.
    Pkey {
        /// The session id.
        session: &'a [u8],
        /// The relay's versions.
        versions: VersionRange<SmpVersion>,
        /// The relay's session key and certificates.
        key: SignedKey<'a>,
    },
    /// A relay's answer to a client.
    Pres {
        /// The encrypted answer.
        answer: &'a [u8],
    },
    /// A relay's answer to a proxy.
    Rres {
        /// The encrypted answer.
        answer: &'a [u8],
    },
}

impl<'a> Message<'a> {
    /// Reads an answer or event to its last byte.
    ///
    /// # Errors
    ///
    /// [`PeerFault::UnknownCommand`] for an unknown word, else the fault of the field that is wrong.
    pub fn decode(bytes: &'a [u8], version: SmpVersion) -> Result<Self, PeerFault> {
        let message = params::Command::split(bytes);
        let alone = |value| message.alone((), "response").map(|()| value);
        match message.word {
            b"IDS" => message.with("IDS", |reader| QueueIds::decode(reader, version).map(Self::Ids)),
            b"LNK" => message.with("LNK", |reader| {
                Ok(Self::Lnk { sender: reader.short("sender id")?, data: LinkData::decode(reader)? })
            }),
            b"SOK" => message.with("SOK", |reader| {
                let service = reader.maybe("service id", |reader| reader.short("service id"))?;
                Ok(Self::Sok { service })
            }),
            b"SOKS" => message.with("SOKS", |reader| Ok(Self::Soks { count: reader.i64("count")? })),
            b"OK" => alone(Self::Ok),
            b"MSG" => message
                .with("MSG", |reader| Ok(Self::Msg { id: reader.short("message id")?, body: reader.rest() })),
            b"NID" => message.with("NID", |reader| NotifierIds::decode(reader).map(Self::Nid)),
            b"NMSG" => message.with("NMSG", |reader| {
                Ok(Self::Nmsg { nonce: *reader.chunk("nonce")?, meta: reader.short("metadata")? })
            }),
            b"END" => alone(Self::End),
            b"ENDS" => message.with("ENDS", |reader| Ok(Self::Ends { count: reader.i64("count")? })),
            b"DELD" => alone(Self::Deld),
            b"INFO" => message.with("INFO", |reader| Ok(Self::Info { json: reader.rest() })),
            b"PONG" => alone(Self::Pong),
            b"ERR" => message.with("ERR", |reader| ErrorCode::decode(reader.rest()).map(Self::Err)),
            b"PKEY" => message.with("PKEY", |reader| {
                Ok(Self::Pkey {
                    session: reader.short("session id")?,
                    versions: VersionRange::<SmpVersion>::decode(reader)?,
                    key: SignedKey::decode(reader)?,
                })
            }),
            b"PRES" => message.with("PRES", |reader| Ok(Self::Pres { answer: reader.rest() })),
            b"RRES" => message.with("RRES", |reader| Ok(Self::Rres { answer: reader.rest() })),
            _ => Err(PeerFault::UnknownCommand),
        }
    }

    /// Appends the answer or event, in words that a peer of this version knows.
    pub fn encode(&self, version: SmpVersion, out: &mut Vec<u8>) {
        let message = if matches!(self, Self::Sok { .. }) && !version.has_services() {
            &Self::Ok
        } else if matches!(self, Self::Deld) && !version.has_deleted_event() {
            &Self::End
        } else {
            self
        };
        let mut writer = write_word(out, message.word(), message.has_params());
        match message {
            Self::Ids(ids) => ids.encode(version, &mut writer),
            Self::Lnk { sender, data } => {
                writer.short(sender);
                data.encode(&mut writer);
            }
            Self::Sok { service } => {
                writer.maybe(*service, |writer, id| {
                    writer.short(id);
                });
            }
            Self::Soks { count } | Self::Ends { count } => {
                writer.i64(*count);
            }
            Self::Msg { id, body } => {
                writer.short(id).bytes(body);
            }
            Self::Nid(notifier) => notifier.encode(&mut writer),
            Self::Nmsg { nonce, meta } => {
                writer.bytes(nonce).short(meta);
            }
            Self::Info { json } => {
                writer.bytes(json);
            }
            Self::Err(error) => error.for_smp(version).encode(writer.out()),
            Self::Pkey { session, versions, key } => {
                writer.short(session);
                versions.encode(&mut writer);
                key.encode(&mut writer);
            }
            Self::Pres { answer } | Self::Rres { answer } => {
                writer.bytes(answer);
            }
            Self::Ok | Self::End | Self::Deld | Self::Pong => {}
        }
    }

    /// The word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Ids(_) => "IDS",
            Self::Lnk { .. } => "LNK",
            Self::Sok { .. } => "SOK",
            Self::Soks { .. } => "SOKS",
            Self::Ok => "OK",
            Self::Msg { .. } => "MSG",
            Self::Nid(_) => "NID",
            Self::Nmsg { .. } => "NMSG",
            Self::End => "END",
            Self::Ends { .. } => "ENDS",
            Self::Deld => "DELD",
            Self::Info { .. } => "INFO",
            Self::Pong => "PONG",
            Self::Err(_) => "ERR",
            Self::Pkey { .. } => "PKEY",
            Self::Pres { .. } => "PRES",
            Self::Rres { .. } => "RRES",
        }
    }

    /// Whether the entity id may stand with this answer or event.
    ///
    /// IDS and ERR may have any; PONG, PKEY and RRES must have none; all others must have one.
    /// Source: `smp-transport` 4.7.
    #[must_use]
    pub const fn allows_entity(&self, entity_id: &[u8]) -> bool {
        match self {
            Self::Ids(_) | Self::Err(_) => true,
            Self::Pong | Self::Pkey { .. } | Self::Rres { .. } => entity_id.is_empty(),
            Self::Lnk { .. }
            | Self::Sok { .. }
            | Self::Soks { .. }
            | Self::Ok
            | Self::Msg { .. }
            | Self::Nid(_)
            | Self::Nmsg { .. }
            | Self::End
            | Self::Ends { .. }
            | Self::Deld
            | Self::Info { .. }
            | Self::Pres { .. } => !entity_id.is_empty(),
        }
    }

    const fn has_params(&self) -> bool {
        match self {
            Self::Ok | Self::End | Self::Deld | Self::Pong => false,
            Self::Ids(_)
            | Self::Lnk { .. }
            | Self::Sok { .. }
            | Self::Soks { .. }
            | Self::Msg { .. }
            | Self::Nid(_)
            | Self::Nmsg { .. }
            | Self::Ends { .. }
            | Self::Info { .. }
            | Self::Err(_)
            | Self::Pkey { .. }
            | Self::Pres { .. }
            | Self::Rres { .. } => true,
        }
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
