//! Registrations and queues made by hand over a [`Talk`], by nobody's role code.

#![allow(clippy::panic, clippy::missing_panics_doc, reason = "a helper of tests fails by panicking")]

use ntf_core::base::id::EntityId;
use ntf_core::crypto::boxed::BoxKey;
use ntf_core::crypto::keys::{AuthPrivateKey, Ed25519Private, X25519Private};
use ntf_core::model::server::{NotifierAddress, ServerAddress};
use ntf_core::model::token::Provider;
use ntf_core::wire::ntf::command::{Command as NtfCommand, Device as WireDevice};
use ntf_core::wire::ntf::response::Response;
use ntf_core::wire::smp::command::Command as SmpCommand;
use ntf_core::wire::smp::queue::{NewQueue, QueueMode, QueueRequest, SubscribeMode};
use ntf_core::wire::smp::response::Message;
use ntf_core::wire::text::base64;
use ntf_core::wire::version::{NtfVersion, SmpVersion};
use ntf_runtime_tokio::standin::AcceptedPush;
use serde_json::Value;

use crate::raw::{Auth, Talk};

/// A registration made by hand.
#[derive(Debug)]
pub struct RawDevice {
    /// Authorizes its commands.
    pub key: AuthPrivateKey,
    /// Its half of the secret for pushes.
    pub dh: X25519Private,
    /// The token id.
    pub id: Vec<u8>,
    /// The code that came by push.
    pub code: Vec<u8>,
}

impl RawDevice {
    /// Registers; `next_push` waits for the push that brings the code.
    pub fn register(talk: &mut Talk, token: &str, next_push: impl FnOnce() -> AcceptedPush) -> Self {
        let key = AuthPrivateKey::Ed25519(Ed25519Private::generate(&mut talk.rng));
        let dh = X25519Private::generate(&mut talk.rng);
        let mut device = Self { key, dh, id: Vec::new(), code: Vec::new() };
        let answer = talk.ask(Auth::Key(&device.key), b"", &device.tnew(token));
        let Ok(Response::Idtkn { token, dh }) = Response::decode(&answer.command, NtfVersion::MAX) else {
            panic!("registered, not {}", answer.text());
        };
        device.id = token.to_vec();
        let body: Value = serde_json::from_slice(&next_push().body).expect("JSON");
        let data = body.get("notificationData").expect("data");
        let field = |name: &str| {
            let text = data.get(name).and_then(Value::as_str).expect("a text field");
            base64::decode(text).expect("base64url")
        };
        let nonce = field("nonce").try_into().expect("24 bytes");
        let mut sealed = field("verification");
        let box_key = BoxKey::of_dh(&device.dh.agree(&dh));
        device.code = box_key.open_padded(&nonce, &mut sealed).expect("sealed to us").to_vec();
        device
    }

    /// TNEW for this device token.
    #[must_use]
    pub fn tnew(&self, token: &str) -> Vec<u8> {
        ntf_command(&NtfCommand::Tnew {
            device: WireDevice { provider: Provider::ApnsTest, token: token.as_bytes() },
            auth: self.key.public().expect("a key of this build"),
            dh: self.dh.public(),
        })
    }

    /// Says the code.
    pub fn verify(&mut self, talk: &mut Talk) {
        let command = ntf_command(&NtfCommand::Tvfy { code: &self.code });
        assert_eq!(talk.ask_text(Auth::Key(&self.key), &self.id, &command), "OK");
    }

    /// SNEW for a queue that does not exist, with a fresh key.
    pub fn snew(&self, server: &ServerAddress, talk: &mut Talk) -> Vec<u8> {
        let notifier = EntityId::new(&talk.rng.bytes::<24>()).expect("24 bytes");
        ntf_command(&NtfCommand::Snew {
            token: &self.id,
            notifier: NotifierAddress { server: server.clone(), notifier },
            key: AuthPrivateKey::Ed25519(Ed25519Private::generate(&mut talk.rng)),
        })
    }

    /// Sends such an SNEW; gives the subscription id.
    pub fn subscribe(&self, server: &ServerAddress, talk: &mut Talk) -> Vec<u8> {
        let command = self.snew(server, talk);
        let answer = talk.ask(Auth::Key(&self.key), b"", &command);
        match Response::decode(&answer.command, NtfVersion::MAX) {
            Ok(Response::Idsub { subscription }) => subscription.to_vec(),
            other => panic!("subscribed, not {other:?}"),
        }
    }
}

/// A queue made by hand.
#[derive(Debug)]
pub struct RawQueue {
    /// Authorizes the recipient's commands.
    pub key: AuthPrivateKey,
    /// The recipient's half of the secret for bodies.
    pub dh: X25519Private,
    /// Names it to the recipient.
    pub recipient: Vec<u8>,
    /// Names it to the sender.
    pub sender: Vec<u8>,
}

impl RawQueue {
    /// Creates it.
    pub fn create(talk: &mut Talk) -> Self {
        let key = AuthPrivateKey::Ed25519(Ed25519Private::generate(&mut talk.rng));
        let dh = X25519Private::generate(&mut talk.rng);
        let mut queue = Self { key, dh, recipient: Vec::new(), sender: Vec::new() };
        let answer = talk.ask(Auth::Key(&queue.key), b"", &smp_command(&queue.new_command()));
        let Ok(Message::Ids(ids)) = Message::decode(&answer.command, SmpVersion::MAX) else {
            panic!("created, not {}", answer.text());
        };
        assert_eq!(ids.mode, Some(QueueMode::Messaging));
        queue.recipient = ids.recipient.to_vec();
        queue.sender = ids.sender.to_vec();
        queue
    }

    /// The NEW that created it.
    #[must_use]
    pub fn new_command(&self) -> SmpCommand<'static> {
        SmpCommand::New(NewQueue {
            auth: self.key.public().expect("a key of this build"),
            dh: self.dh.public(),
            password: None,
            subscribe: SubscribeMode::OnlyCreate,
            request: Some(QueueRequest::Messaging(None)),
            notifier: None,
        })
    }
}

/// A command in the newest version; the same in every.
#[must_use]
pub fn ntf_command(command: &NtfCommand<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    command.encode(NtfVersion::MAX, &mut out);
    out
}

/// A command in the newest version.
#[must_use]
pub fn smp_command(command: &SmpCommand<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    command.encode(SmpVersion::MAX, &mut out);
    out
}
