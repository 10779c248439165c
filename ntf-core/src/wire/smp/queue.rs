//! Creating a queue: the parameters of NEW and of its answer IDS, in every form they have taken.
//!
//! ```text
//! v6-8    NEW SP key(auth) key(dh) ["A" short(password)] mode
//! v9-14   NEW SP key(auth) key(dh) maybe(short(password)) mode Bool sender may secure
//! v15-16  NEW SP key(auth) key(dh) maybe(short(password)) mode maybe(request)
//! v17+    the same || maybe(key(notifier) key(notifier dh))
//! mode    = "S" create and subscribe | "C" only create
//! request = "M" maybe(short(sender id) link data) | "C" maybe(short(link id) short(sender id) link data)
//! link data = large(fixed) large(user)
//!
//! v6-8    IDS SP short(recipient id) short(sender id) key(server dh)
//! v9-14   the same || Bool sender may secure
//! v15     IDS SP … || maybe("M" | "C") maybe(short(link id))
//! v16     the same || maybe(short(service id))
//! v17+    the same || maybe(short(notifier id) key(server notifier dh))
//! ```
//!
//! What a version has no field for is left out when encoding. From v9 to v14 the Bool stands for the queue
//! mode: true is messaging, anything else false, and false is read as contact.
//! Source: `smp-transport` 5.2.

use core::fmt;

use crate::base::fault::PeerFault;
use crate::crypto::keys::{AuthPublicKey, X25519Public};
use crate::wire::cursor::{Reader, Writer};
use crate::wire::params::{auth_key, dh_key, write_auth_key, write_dh_key};
use crate::wire::version::SmpVersion;

/// Who may send to a queue, and how it is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QueueMode {
    /// One sender, who may secure the queue with SKEY.
    Messaging,
    /// An address for many: SKEY is not allowed.
    Contact,
}

/// Whether creating a queue also subscribes to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubscribeMode {
    /// Create and subscribe, `S`.
    Subscribe,
    /// Only create, `C`.
    OnlyCreate,
}

/// The data behind a short link: opaque, encrypted end to end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LinkData<'a> {
    /// The part that never changes.
    pub fixed: &'a [u8],
    /// The part that LSET replaces.
    pub user: &'a [u8],
}

impl<'a> LinkData<'a> {
    /// Reads both parts.
    ///
    /// # Errors
    ///
    /// [`PeerFault::Truncated`].
    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, PeerFault> {
        Ok(Self { fixed: reader.large("fixed link data")?, user: reader.large("user link data")? })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer.large(self.fixed).large(self.user);
    }
}

/// What kind of queue is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueRequest<'a> {
    /// A messaging queue.
    Messaging(Option<MessagingLink<'a>>),
    /// A contact address.
    Contact(Option<ContactLink<'a>>),
}

impl QueueRequest<'_> {
    /// The mode of the queue asked for.
    #[must_use]
    pub const fn mode(&self) -> QueueMode {
        match self {
            Self::Messaging(_) => QueueMode::Messaging,
            Self::Contact(_) => QueueMode::Contact,
        }
    }
}

/// A short link to a messaging queue; the server makes the link id.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MessagingLink<'a> {
    /// The sender id, of the client's making.
    pub sender: &'a [u8],
    /// What the link leads to.
    pub data: LinkData<'a>,
}

/// A short link to a contact address; the client makes both ids.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ContactLink<'a> {
    /// The link id.
    pub link: &'a [u8],
    /// The sender id.
    pub sender: &'a [u8],
    /// What the link leads to.
    pub data: LinkData<'a>,
}

/// Keys for a notifier, to be made together with the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotifierKeys {
    /// Authorizes NSUB.
    pub auth: AuthPublicKey,
    /// The recipient's half of the secret for notification metadata.
    pub dh: X25519Public,
}

/// The parameters of NEW.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NewQueue<'a> {
    /// Authorizes the recipient's commands, this one included.
    pub auth: AuthPublicKey,
    /// The recipient's half of the secret for message bodies.
    pub dh: X25519Public,
    /// The server's password for creating queues.
    pub password: Option<&'a [u8]>,
    /// Whether to subscribe as well.
    pub subscribe: SubscribeMode,
    /// The kind of queue; `None` asks for one without a mode, as before v9.
    pub request: Option<QueueRequest<'a>>,
    /// Keys of a notifier, from v17 on.
    pub notifier: Option<NotifierKeys>,
}

impl<'a> NewQueue<'a> {
    /// Reads the parameters as this version has them.
    pub(super) fn decode(reader: &mut Reader<'a>, version: SmpVersion) -> Result<Self, PeerFault> {
        let auth = auth_key(reader)?;
        let dh = dh_key(reader)?;
        let password = if version.has_sender_secure() {
            reader.maybe("password", |reader| reader.short("password"))?
        } else if reader.peek() == Some(b'A') {
            reader.literal(b"A", "password")?;
            Some(reader.short("password")?)
        } else {
            None
        };
        let subscribe = match reader.u8("subscribe mode")? {
            b'S' => SubscribeMode::Subscribe,
            b'C' => SubscribeMode::OnlyCreate,
            _ => return Err(PeerFault::Malformed { field: "subscribe mode" }),
        };
        let request = if version.has_short_links() {
            reader.maybe("queue request", QueueRequest::decode)?
        } else if version.has_sender_secure() {
            Some(match reader.bool("sender may secure")? {
                true => QueueRequest::Messaging(None),
                false => QueueRequest::Contact(None),
            })
        } else {
            None
        };
        let notifier = if version.has_notifier_in_new() {
            reader.maybe("notifier keys", |reader| {
                Ok(NotifierKeys { auth: auth_key(reader)?, dh: dh_key(reader)? })
            })?
        } else {
            None
        };
        Ok(Self { auth, dh, password, subscribe, request, notifier })
    }

    pub(super) fn encode(&self, version: SmpVersion, writer: &mut Writer<'_>) {
        write_auth_key(writer, &self.auth);
        write_dh_key(writer, &self.dh);
        if version.has_sender_secure() {
            writer.maybe(self.password, |writer, password| {
                writer.short(password);
            });
        } else if let Some(password) = self.password {
            writer.u8(b'A').short(password);
        }
        writer.u8(match self.subscribe {
            SubscribeMode::Subscribe => b'S',
            SubscribeMode::OnlyCreate => b'C',
        });
        if version.has_short_links() {
            writer.maybe(self.request.as_ref(), |writer, request| request.encode(writer));
        } else if version.has_sender_secure() {
            writer.bool(matches!(self.request, Some(QueueRequest::Messaging(_))));
        }
        if version.has_notifier_in_new() {
            writer.maybe(self.notifier.as_ref(), |writer, keys| {
                write_auth_key(writer, &keys.auth);
                write_dh_key(writer, &keys.dh);
            });
        }
    }
}

impl<'a> QueueRequest<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Self, PeerFault> {
        match decode_mode(reader)? {
            QueueMode::Messaging => {
                let link = reader.maybe("link data", |reader| {
                    Ok(MessagingLink { sender: reader.short("sender id")?, data: LinkData::decode(reader)? })
                })?;
                Ok(Self::Messaging(link))
            }
            QueueMode::Contact => {
                let link = reader.maybe("link data", |reader| {
                    Ok(ContactLink {
                        link: reader.short("link id")?,
                        sender: reader.short("sender id")?,
                        data: LinkData::decode(reader)?,
                    })
                })?;
                Ok(Self::Contact(link))
            }
        }
    }

    fn encode(&self, writer: &mut Writer<'_>) {
        encode_mode(writer, self.mode());
        match self {
            Self::Messaging(link) => writer.maybe(link.as_ref(), |writer, link| {
                writer.short(link.sender);
                link.data.encode(writer);
            }),
            Self::Contact(link) => writer.maybe(link.as_ref(), |writer, link| {
                writer.short(link.link).short(link.sender);
                link.data.encode(writer);
            }),
        };
    }
}

/// A notifier made together with a queue, or by NKEY.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NotifierIds<'a> {
    /// The notifier id.
    pub notifier: &'a [u8],
    /// The server's half of the secret for notification metadata.
    pub dh: X25519Public,
}

impl<'a> NotifierIds<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>) -> Result<Self, PeerFault> {
        Ok(Self { notifier: reader.short("notifier id")?, dh: dh_key(reader)? })
    }

    pub(super) fn encode(&self, writer: &mut Writer<'_>) {
        writer.short(self.notifier);
        write_dh_key(writer, &self.dh);
    }
}

/// The parameters of IDS: a queue just made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct QueueIds<'a> {
    /// Names the queue to its recipient.
    pub recipient: &'a [u8],
    /// Names the queue to its sender.
    pub sender: &'a [u8],
    /// The server's half of the secret for message bodies.
    pub dh: X25519Public,
    /// The queue's mode, if it has one.
    pub mode: Option<QueueMode>,
    /// The link id, if the queue has a short link.
    pub link: Option<&'a [u8]>,
    /// The service that the queue now belongs to.
    pub service: Option<&'a [u8]>,
    /// The notifier, if one was asked for.
    pub notifier: Option<NotifierIds<'a>>,
}

impl<'a> QueueIds<'a> {
    pub(super) fn decode(reader: &mut Reader<'a>, version: SmpVersion) -> Result<Self, PeerFault> {
        let recipient = reader.short("recipient id")?;
        let sender = reader.short("sender id")?;
        let dh = dh_key(reader)?;
        let mode = if version.has_short_links() {
            reader.maybe("queue mode", decode_mode)?
        } else if version.has_sender_secure() {
            Some(match reader.bool("sender may secure")? {
                true => QueueMode::Messaging,
                false => QueueMode::Contact,
            })
        } else {
            None
        };
        let mut id = |present: bool, field| match present {
            true => reader.maybe(field, |reader| reader.short(field)),
            false => Ok(None),
        };
        let link = id(version.has_short_links(), "link id")?;
        let service = id(version.has_services(), "service id")?;
        let notifier =
            if version.has_notifier_in_new() { reader.maybe("notifier", NotifierIds::decode)? } else { None };
        Ok(Self { recipient, sender, dh, mode, link, service, notifier })
    }

    pub(super) fn encode(&self, version: SmpVersion, writer: &mut Writer<'_>) {
        writer.short(self.recipient).short(self.sender);
        write_dh_key(writer, &self.dh);
        if version.has_short_links() {
            writer.maybe(self.mode, encode_mode);
            writer.maybe(self.link, |writer, id| {
                writer.short(id);
            });
        } else if version.has_sender_secure() {
            writer.bool(self.mode == Some(QueueMode::Messaging));
        }
        if version.has_services() {
            writer.maybe(self.service, |writer, id| {
                writer.short(id);
            });
        }
        if version.has_notifier_in_new() {
            writer.maybe(self.notifier.as_ref(), |writer, notifier| notifier.encode(writer));
        }
    }
}

fn decode_mode(reader: &mut Reader<'_>) -> Result<QueueMode, PeerFault> {
    let field = "queue mode";
    match reader.u8(field)? {
        b'M' => Ok(QueueMode::Messaging),
        b'C' => Ok(QueueMode::Contact),
        _ => Err(PeerFault::Malformed { field }),
    }
}

fn encode_mode(writer: &mut Writer<'_>, mode: QueueMode) {
    writer.u8(match mode {
        QueueMode::Messaging => b'M',
        QueueMode::Contact => b'C',
    });
}

/// Ids of queues and what links lead to are not printed.
macro_rules! redacted {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(redacted)"))
            }
        }
    )*};
}

redacted!(LinkData, MessagingLink, ContactLink, NotifierIds, NewQueue, QueueIds);
