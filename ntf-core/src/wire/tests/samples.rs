//! One good message of each kind.

use alloc::vec;
use alloc::vec::Vec;

use crate::base::id::EntityId;
use crate::crypto::keys::{AuthPrivateKey, AuthPublicKey, Ed25519Private, X25519Private, X25519Public};
use crate::model::server::{Fingerprint, NotifierAddress, ServerAddress};
use crate::model::subscription::SubscriptionStatus;
use crate::model::token::{Provider, TokenStatus};
use crate::wire::error_code::ErrorCode;
use crate::wire::hello::smp;
use crate::wire::ntf::command::{Command as NtfCommand, Device};
use crate::wire::ntf::response::Response;
use crate::wire::smp::command::Command;
use crate::wire::smp::queue::{
    LinkData, NewQueue, NotifierIds, NotifierKeys, QueueIds, QueueMode, QueueRequest, SubscribeMode,
};
use crate::wire::smp::response::Message;
use crate::wire::version::{SmpVersion, VersionRange};

/// Whether a message ends in bytes of any number.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum End {
    /// Each byte has its place.
    Exact,
    /// A tail of any length; the samples hold one byte of it.
    Tail,
}

pub(super) const ID: &[u8] = &[9; 24];

pub(super) fn auth() -> AuthPublicKey {
    AuthPublicKey::Ed25519(Ed25519Private::from_seed([3; 32]).public())
}

pub(super) fn dh() -> X25519Public {
    X25519Private::from_bytes([4; 32]).public()
}

pub(super) fn relay() -> ServerAddress {
    ServerAddress {
        hosts: vec!["relay.example.org".into()],
        port: "".into(),
        identity: Fingerprint::new([5; 32]),
    }
}

pub(super) fn smp_commands() -> Vec<(Command<'static>, End)> {
    let new = |request| {
        Command::New(NewQueue {
            auth: auth(),
            dh: dh(),
            password: Some(b"secret"),
            subscribe: SubscribeMode::Subscribe,
            request,
            notifier: Some(NotifierKeys { auth: auth(), dh: dh() }),
        })
    };
    vec![
        (new(None), End::Exact),
        (new(Some(QueueRequest::Messaging(None))), End::Exact),
        (new(Some(QueueRequest::Contact(None))), End::Exact),
        (Command::Sub, End::Exact),
        (Command::Subs, End::Exact),
        (Command::Get, End::Exact),
        (Command::Ack { message: ID }, End::Exact),
        (Command::Key { sender: auth() }, End::Exact),
        (Command::Rkey { recipients: vec![auth(), AuthPublicKey::X25519(dh())] }, End::Exact),
        (Command::Nkey { notifier: auth(), dh: dh() }, End::Exact),
        (Command::Ndel, End::Exact),
        (Command::Lset { link: ID, data: LinkData { fixed: b"f", user: b"u" } }, End::Exact),
        (Command::Ldel, End::Exact),
        (Command::Off, End::Exact),
        (Command::Del, End::Exact),
        (Command::Que, End::Exact),
        (Command::Skey { sender: auth() }, End::Exact),
        (Command::Send { notify: true, message: b"x" }, End::Tail),
        (Command::Lkey { sender: auth() }, End::Exact),
        (Command::Lget, End::Exact),
        (Command::Nsub, End::Exact),
        (Command::Nsubs, End::Exact),
        (Command::Ping, End::Exact),
        (Command::Prxy { server: relay(), password: Some(b"secret") }, End::Exact),
        (Command::Pfwd { version: SmpVersion(17), key: dh(), transmission: b"x" }, End::Tail),
        (Command::Rfwd { transmission: b"x" }, End::Tail),
    ]
}

pub(super) fn smp_messages() -> Vec<(Message<'static>, End)> {
    let notifier = NotifierIds { notifier: ID, dh: dh() };
    let ids = QueueIds {
        recipient: ID,
        sender: ID,
        dh: dh(),
        mode: Some(QueueMode::Messaging),
        link: Some(ID),
        service: Some(ID),
        notifier: Some(notifier),
    };
    let key = smp::SignedKey { chain: vec![b"leaf", b"root"], signed_key: b"key" };
    vec![
        (Message::Ids(ids), End::Exact),
        (Message::Lnk { sender: ID, data: LinkData { fixed: b"f", user: b"u" } }, End::Exact),
        (Message::Sok { service: None }, End::Exact),
        (Message::Sok { service: Some(ID) }, End::Exact),
        (Message::Soks { count: i64::MAX }, End::Exact),
        (Message::Ok, End::Exact),
        (Message::Msg { id: ID, body: b"x" }, End::Tail),
        (Message::Nid(notifier), End::Exact),
        (Message::Nmsg { nonce: [1; 24], meta: &[2; 144] }, End::Exact),
        (Message::End, End::Exact),
        (Message::Ends { count: -1 }, End::Exact),
        (Message::Deld, End::Exact),
        (Message::Info { json: b"x" }, End::Tail),
        (Message::Pong, End::Exact),
        (Message::Err(ErrorCode::Store("x")), End::Tail),
        (Message::Pkey { session: ID, versions: VersionRange::SMP, key }, End::Exact),
        (Message::Pres { answer: b"x" }, End::Tail),
        (Message::Rres { answer: b"x" }, End::Tail),
    ]
}

pub(super) fn ntf_commands() -> Vec<(NtfCommand<'static>, End)> {
    let device = Device { provider: Provider::ApnsProd, token: b"00ff" };
    let notifier = NotifierAddress { server: relay(), notifier: EntityId::new(ID).unwrap() };
    let key = AuthPrivateKey::Ed25519(Ed25519Private::from_seed([3; 32]));
    vec![
        (NtfCommand::Tnew { device, auth: auth(), dh: dh() }, End::Exact),
        (NtfCommand::Tvfy { code: &[7; 32] }, End::Exact),
        (NtfCommand::Tchk, End::Exact),
        (NtfCommand::Trpl { device }, End::Exact),
        (NtfCommand::Tdel, End::Exact),
        (NtfCommand::Tcrn { minutes: 20 }, End::Exact),
        (NtfCommand::Snew { token: ID, notifier, key }, End::Exact),
        (NtfCommand::Schk, End::Exact),
        (NtfCommand::Sdel, End::Exact),
        (NtfCommand::Ping, End::Exact),
    ]
}

pub(super) fn ntf_responses() -> Vec<(Response<'static>, End)> {
    vec![
        (Response::Idtkn { token: ID, dh: dh() }, End::Exact),
        (Response::Idsub { subscription: ID }, End::Exact),
        (Response::Ok, End::Exact),
        (Response::Tkn(TokenStatus::Active), End::Exact),
        (Response::Tkn(TokenStatus::Confirmed), End::Exact),
        (Response::Sub(SubscriptionStatus::Active), End::Exact),
        (Response::Sub(SubscriptionStatus::Error("x".into())), End::Tail),
        (Response::Pong, End::Exact),
        (Response::Err(ErrorCode::Store("x")), End::Tail),
    ]
}
