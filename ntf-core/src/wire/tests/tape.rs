//! Values made from a tape of bytes, so that any bytes give some value and the values borrow from them.

use alloc::vec::Vec;

use crate::base::id::EntityId;
use crate::crypto::keys::{
    AuthPrivateKey, AuthPublicKey, Ed448Private, Ed448Public, Ed25519Private, Ed25519Public, X25519Private,
    X25519Public,
};
use crate::model::notification::Notice;
use crate::model::server::{Fingerprint, NotifierAddress, ServerAddress};
use crate::model::subscription::SubscriptionStatus;
use crate::model::token::{InvalidReason, Provider, TokenStatus};
use crate::wire::error_code::{
    BlockReason, Blocked, BrokerError, CommandError, ErrorCode, HandshakeError, NetworkError, ProxyError,
    TransportError,
};
use crate::wire::hello::smp::{ClientHello, ServiceAnswer, ServiceHello, ServiceRole, SignedKey};
use crate::wire::ntf::command::{Command as NtfCommand, Device};
use crate::wire::ntf::response::Response;
use crate::wire::smp::command::Command as SmpCommand;
use crate::wire::smp::queue::{
    ContactLink, LinkData, MessagingLink, NewQueue, NotifierIds, NotifierKeys, QueueIds, QueueMode,
    QueueRequest, SubscribeMode,
};
use crate::wire::smp::response::Message;
use crate::wire::version::{SmpVersion, VersionRange};

/// Bytes to make values from; all zero after their end.
pub(super) struct Tape<'a> {
    rest: &'a [u8],
}

impl<'a> Tape<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn byte(&mut self) -> u8 {
        self.array::<1>()[0]
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let (taken, rest) = self.rest.split_at(N.min(self.rest.len()));
        bytes[..taken.len()].copy_from_slice(taken);
        self.rest = rest;
        bytes
    }

    fn slice(&mut self) -> &'a [u8] {
        let len = usize::from(self.byte()).min(self.rest.len());
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        taken
    }

    fn text(&mut self) -> &'a str {
        let bytes = self.slice();
        let text = core::str::from_utf8(bytes);
        text.unwrap_or_else(|error| core::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap())
    }

    fn maybe<T>(&mut self, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.byte() & 1 == 1).then(|| value(self))
    }

    fn some<T>(&mut self, mut value: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..=self.byte() % 4).map(|_| value(self)).collect()
    }

    fn choice(&mut self, count: u8) -> u8 {
        self.byte() % count
    }

    fn dh(&mut self) -> X25519Public {
        X25519Public::new(self.array())
    }

    fn auth(&mut self) -> AuthPublicKey {
        match self.choice(3) {
            0 => AuthPublicKey::Ed25519(Ed25519Public::new(self.array())),
            1 => AuthPublicKey::Ed448(Ed448Public::new(self.array())),
            _ => AuthPublicKey::X25519(self.dh()),
        }
    }

    fn private(&mut self) -> AuthPrivateKey {
        match self.choice(3) {
            0 => AuthPrivateKey::Ed25519(Ed25519Private::from_seed(self.array())),
            1 => AuthPrivateKey::Ed448(Ed448Private::from_bytes(self.array())),
            _ => AuthPrivateKey::X25519(X25519Private::from_bytes(self.array())),
        }
    }

    fn server(&mut self) -> ServerAddress {
        let hosts = ["localhost", "smp8.example.org", "10.0.0.1", "::1", "abc7.onion"];
        ServerAddress {
            hosts: self.some(|tape| hosts[usize::from(tape.choice(5))].into()),
            port: ["", "443", "65535"][usize::from(self.choice(3))].into(),
            identity: Fingerprint::new(self.array()),
        }
    }

    fn notifier(&mut self) -> NotifierAddress {
        let id = EntityId::new(self.slice()).unwrap_or_else(|| EntityId::new(&[1]).unwrap());
        NotifierAddress { server: self.server(), notifier: id }
    }

    /// Without IPv6 last before a port, which does not read back from text.
    pub(super) fn notice(&mut self) -> (NotifierAddress, Notice) {
        let mut notifier = self.notifier();
        notifier.server.hosts.push("last.example.org".into());
        let notice = Notice {
            received_at: i64::from_be_bytes(self.array()),
            nonce: self.array(),
            meta: [&[self.byte()], self.slice()].concat().into(),
        };
        (notifier, notice)
    }

    fn link_data(&mut self) -> LinkData<'a> {
        LinkData { fixed: self.slice(), user: self.slice() }
    }

    fn signed_key(&mut self) -> SignedKey<'a> {
        SignedKey { chain: self.some(Self::slice), signed_key: self.slice() }
    }

    fn ids(&mut self) -> NotifierIds<'a> {
        NotifierIds { notifier: self.slice(), dh: self.dh() }
    }

    fn mode(&mut self) -> QueueMode {
        if self.byte() & 1 == 1 { QueueMode::Messaging } else { QueueMode::Contact }
    }

    fn request(&mut self) -> QueueRequest<'a> {
        match self.mode() {
            QueueMode::Messaging => QueueRequest::Messaging(
                self.maybe(|tape| MessagingLink { sender: tape.slice(), data: tape.link_data() }),
            ),
            QueueMode::Contact => QueueRequest::Contact(self.maybe(|tape| ContactLink {
                link: tape.slice(),
                sender: tape.slice(),
                data: tape.link_data(),
            })),
        }
    }

    pub(super) fn smp_command(&mut self) -> SmpCommand<'a> {
        match self.choice(24) {
            0 => SmpCommand::New(NewQueue {
                auth: self.auth(),
                dh: self.dh(),
                password: self.maybe(Self::slice),
                subscribe: if self.byte() & 1 == 1 {
                    SubscribeMode::Subscribe
                } else {
                    SubscribeMode::OnlyCreate
                },
                request: self.maybe(Self::request),
                notifier: self.maybe(|tape| NotifierKeys { auth: tape.auth(), dh: tape.dh() }),
            }),
            1 => SmpCommand::Sub,
            2 => SmpCommand::Subs,
            3 => SmpCommand::Get,
            4 => SmpCommand::Ack { message: self.slice() },
            5 => SmpCommand::Key { sender: self.auth() },
            6 => SmpCommand::Rkey { recipients: self.some(Self::auth) },
            7 => SmpCommand::Nkey { notifier: self.auth(), dh: self.dh() },
            8 => SmpCommand::Ndel,
            9 => SmpCommand::Lset { link: self.slice(), data: self.link_data() },
            10 => SmpCommand::Ldel,
            11 => SmpCommand::Off,
            12 => SmpCommand::Del,
            13 => SmpCommand::Que,
            14 => SmpCommand::Skey { sender: self.auth() },
            15 => SmpCommand::Send { notify: self.byte() & 1 == 1, message: self.slice() },
            16 => SmpCommand::Lkey { sender: self.auth() },
            17 => SmpCommand::Lget,
            18 => SmpCommand::Nsub,
            19 => SmpCommand::Nsubs,
            20 => SmpCommand::Ping,
            21 => SmpCommand::Prxy { server: self.server(), password: self.maybe(Self::slice) },
            22 => SmpCommand::Pfwd {
                version: SmpVersion(u16::from_be_bytes(self.array())),
                key: self.dh(),
                transmission: self.slice(),
            },
            _ => SmpCommand::Rfwd { transmission: self.slice() },
        }
    }

    pub(super) fn smp_message(&mut self) -> Message<'a> {
        match self.choice(17) {
            0 => Message::Ids(QueueIds {
                recipient: self.slice(),
                sender: self.slice(),
                dh: self.dh(),
                mode: self.maybe(Self::mode),
                link: self.maybe(Self::slice),
                service: self.maybe(Self::slice),
                notifier: self.maybe(Self::ids),
            }),
            1 => Message::Lnk { sender: self.slice(), data: self.link_data() },
            2 => Message::Sok { service: self.maybe(Self::slice) },
            3 => Message::Soks { count: i64::from_be_bytes(self.array()) },
            4 => Message::Ok,
            5 => Message::Msg { id: self.slice(), body: self.slice() },
            6 => Message::Nid(self.ids()),
            7 => Message::Nmsg { nonce: self.array(), meta: self.slice() },
            8 => Message::End,
            9 => Message::Ends { count: i64::from_be_bytes(self.array()) },
            10 => Message::Deld,
            11 => Message::Info { json: self.slice() },
            12 => Message::Pong,
            13 => Message::Err(self.error()),
            14 => {
                let (a, b) = (u16::from_be_bytes(self.array()), u16::from_be_bytes(self.array()));
                let versions = VersionRange::new(SmpVersion(a.min(b)), SmpVersion(a.max(b))).unwrap();
                Message::Pkey { session: self.slice(), versions, key: self.signed_key() }
            }
            15 => Message::Pres { answer: self.slice() },
            _ => Message::Rres { answer: self.slice() },
        }
    }

    pub(super) fn ntf_command(&mut self) -> NtfCommand<'a> {
        match self.choice(10) {
            0 => NtfCommand::Tnew { device: self.device(), auth: self.auth(), dh: self.dh() },
            1 => NtfCommand::Tvfy { code: self.slice() },
            2 => NtfCommand::Tchk,
            3 => NtfCommand::Trpl { device: self.device() },
            4 => NtfCommand::Tdel,
            5 => NtfCommand::Tcrn { minutes: u16::from_be_bytes(self.array()) },
            6 => NtfCommand::Snew { token: self.slice(), notifier: self.notifier(), key: self.private() },
            7 => NtfCommand::Schk,
            8 => NtfCommand::Sdel,
            _ => NtfCommand::Ping,
        }
    }

    fn device(&mut self) -> Device<'a> {
        let provider = match self.choice(4) {
            0 => Provider::ApnsDev,
            1 => Provider::ApnsProd,
            2 => Provider::ApnsTest,
            _ => Provider::ApnsNull,
        };
        let token = self.slice();
        Device { provider, token: if token.is_empty() { b"t" } else { token } }
    }

    pub(super) fn ntf_response(&mut self) -> Response<'a> {
        match self.choice(7) {
            0 => Response::Idtkn { token: self.slice(), dh: self.dh() },
            1 => Response::Idsub { subscription: self.slice() },
            2 => Response::Ok,
            3 => Response::Tkn(match self.choice(7) {
                0 => TokenStatus::New,
                1 => TokenStatus::Registered,
                2 => TokenStatus::Invalid(self.maybe(|tape| match tape.choice(4) {
                    0 => InvalidReason::Bad,
                    1 => InvalidReason::Topic,
                    2 => InvalidReason::Expired,
                    _ => InvalidReason::Unregistered,
                })),
                3 => TokenStatus::Confirmed,
                4 => TokenStatus::Active,
                _ => TokenStatus::Expired,
            }),
            4 => Response::Sub(match self.choice(9) {
                0 => SubscriptionStatus::New,
                1 => SubscriptionStatus::Pending,
                2 => SubscriptionStatus::Active,
                3 => SubscriptionStatus::Inactive,
                4 => SubscriptionStatus::End,
                5 => SubscriptionStatus::Deleted,
                6 => SubscriptionStatus::Auth,
                7 => SubscriptionStatus::Service,
                _ => SubscriptionStatus::Error(self.text().into()),
            }),
            5 => Response::Pong,
            _ => Response::Err(self.error()),
        }
    }

    fn error(&mut self) -> ErrorCode<'a> {
        match self.choice(15) {
            0 => ErrorCode::Block,
            1 => ErrorCode::Session,
            2 => ErrorCode::Cmd(match self.choice(6) {
                0 => CommandError::Unknown,
                1 => CommandError::Syntax,
                2 => CommandError::Prohibited,
                3 => CommandError::NoAuth,
                4 => CommandError::HasAuth,
                _ => CommandError::NoEntity,
            }),
            3 => ErrorCode::Proxy(match self.choice(4) {
                0 => ProxyError::Protocol(self.slice()),
                1 => ProxyError::Broker(self.broker()),
                2 => ProxyError::BasicAuth,
                _ => ProxyError::NoSession,
            }),
            4 => ErrorCode::Auth,
            5 => ErrorCode::Blocked(Blocked {
                reason: if self.byte() & 1 == 1 { BlockReason::Spam } else { BlockReason::Content },
                notice: self.maybe(Self::text),
            }),
            6 => ErrorCode::Service,
            7 => ErrorCode::Crypto,
            8 => ErrorCode::Quota,
            9 => ErrorCode::Store(self.text()),
            10 => ErrorCode::NoMsg,
            11 => ErrorCode::LargeMsg,
            12 => ErrorCode::Expired,
            13 => ErrorCode::Internal,
            _ => ErrorCode::Duplicate,
        }
    }

    fn broker(&mut self) -> BrokerError<'a> {
        match self.choice(7) {
            0 => BrokerError::Response(self.text()),
            1 => BrokerError::Unexpected(self.text()),
            2 => BrokerError::Network(self.maybe(|tape| match tape.choice(6) {
                0 => NetworkError::Connect(tape.text()),
                1 => NetworkError::Tls(tape.text()),
                2 => NetworkError::UnknownCa,
                3 => NetworkError::Failed,
                4 => NetworkError::Timeout,
                _ => NetworkError::Subscribe(tape.text()),
            })),
            3 => BrokerError::Timeout,
            4 => BrokerError::Host,
            5 => BrokerError::NoService,
            _ => BrokerError::Transport(self.transport()),
        }
    }

    fn transport(&mut self) -> TransportError<'a> {
        match self.choice(9) {
            0 => TransportError::Block,
            1 => TransportError::Version,
            2 => TransportError::LargeMsg,
            3 => TransportError::Session,
            4 => TransportError::NoAuth,
            5 => TransportError::Handshake(HandshakeError::Parse),
            6 => TransportError::Handshake(HandshakeError::Identity),
            7 => TransportError::Handshake(HandshakeError::BadAuth),
            _ => TransportError::Handshake(HandshakeError::BadService),
        }
    }

    pub(super) fn client_hello(&mut self) -> ClientHello<'a> {
        let version = SmpVersion(u16::from(6 + self.choice(13)));
        ClientHello {
            version,
            identity: Fingerprint::new(self.array()),
            session_key: self.maybe(Self::dh).filter(|_| version.implies_session_id()),
            is_proxy: self.byte() & 1 == 1 && version.has_proxy_flag(),
            service: self
                .maybe(|tape| ServiceHello {
                    role: match tape.choice(3) {
                        0 => ServiceRole::Messaging,
                        1 => ServiceRole::Notifier,
                        _ => ServiceRole::Proxy,
                    },
                    key: tape.signed_key(),
                })
                .filter(|_| version.has_services()),
        }
    }

    pub(super) fn service_answer(&mut self) -> ServiceAnswer<'a> {
        match self.choice(2) {
            0 => ServiceAnswer::Accepted { service: self.slice() },
            _ => ServiceAnswer::Refused(self.transport()),
        }
    }
}
