//! Registrations and queues made by hand over whatever [`Speaks`], by nobody's role code.

#![allow(clippy::panic, clippy::missing_panics_doc, reason = "a helper of tests fails by panicking")]

use ntf_core::base::id::EntityId;
use ntf_core::base::rng::Rng;
use ntf_core::crypto::boxed::{BoxKey, nonce_from};
use ntf_core::crypto::keys::{AuthPrivateKey, Ed25519Private, X25519Private, X25519Public};
use ntf_core::model::notification::Notice;
use ntf_core::model::server::{NotifierAddress, ServerAddress};
use ntf_core::model::token::Provider;
use ntf_core::wire::ntf::command::{Command as NtfCommand, Device as WireDevice};
use ntf_core::wire::ntf::response::Response;
use ntf_core::wire::payload::{MessageBody, NmsgMeta, decode_notices};
use ntf_core::wire::smp::command::Command as SmpCommand;
use ntf_core::wire::smp::queue::{
    NewQueue, NotifierIds, NotifierKeys, QueueMode, QueueRequest, SubscribeMode,
};
use ntf_core::wire::smp::response::Message;
use ntf_core::wire::text::base64;
use ntf_core::wire::version::{NtfVersion, SmpVersion};
use serde_json::Value;

use crate::voice::{Answer, Auth, Speaks};

/// A registration made by hand.
#[derive(Debug)]
pub struct RawDevice {
    /// Authorizes its commands.
    pub key: AuthPrivateKey,
    /// Its half of the secret for pushes.
    pub dh: X25519Private,
    /// The subscriber's half.
    pub server_dh: Option<X25519Public>,
    /// The token id.
    pub id: Vec<u8>,
    /// The code that came by push.
    pub code: Vec<u8>,
}

/// What a push says, opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The registration code.
    Code(Vec<u8>),
    /// Notices, oldest first.
    Notices(Vec<(NotifierAddress, Notice)>),
    /// Look for messages.
    CheckMessages,
}

impl RawDevice {
    /// A device with fresh keys that nobody knows.
    #[must_use]
    pub fn new(rng: &mut Rng) -> Self {
        let key = AuthPrivateKey::Ed25519(Ed25519Private::generate(rng));
        let dh = X25519Private::generate(rng);
        Self { key, dh, server_dh: None, id: Vec::new(), code: Vec::new() }
    }

    /// Registers; `next_push` waits for the push that brings the code and gives its body.
    pub fn register<B: AsRef<[u8]>>(
        talk: &mut impl Speaks,
        token: &str,
        next_push: impl FnOnce() -> B,
    ) -> Self {
        let mut device = Self::new(&mut talk.voice().rng);
        device.ask_to_register(talk, token);
        device.take_code(next_push().as_ref());
        device
    }

    /// TNEW, which must be granted.
    pub fn ask_to_register(&mut self, talk: &mut impl Speaks, token: &str) {
        let answer = talk.ask(Auth::Key(&self.key), b"", &self.tnew(token));
        let Ok(Response::Idtkn { token, dh }) = Response::decode(&answer.command, NtfVersion::MAX) else {
            panic!("registered, not {}", answer.text());
        };
        self.id = token.to_vec();
        self.server_dh = Some(dh);
    }

    /// Keeps the code of a verification push.
    pub fn take_code(&mut self, body: &[u8]) {
        let Pushed::Code(code) = self.open(body) else { panic!("the push brings no code") };
        self.code = code;
    }

    /// Opens the body of a push.
    #[must_use]
    pub fn open(&self, body: &[u8]) -> Pushed {
        let body: Value = serde_json::from_slice(body).expect("JSON");
        let data = body.get("notificationData").expect("data");
        if data.get("checkMessages").is_some() {
            return Pushed::CheckMessages;
        }
        let field = |name: &str| {
            let text = data.get(name).and_then(Value::as_str)?;
            Some(base64::decode(text).expect("base64url"))
        };
        let nonce = field("nonce").expect("a nonce").try_into().expect("24 bytes");
        let box_key = BoxKey::of_dh(&self.dh.agree(&self.server_dh.expect("registered")));
        let open =
            |mut sealed: Vec<u8>| box_key.open_padded(&nonce, &mut sealed).expect("sealed to us").to_vec();
        match (field("verification"), field("message")) {
            (Some(sealed), None) => Pushed::Code(open(sealed)),
            (None, Some(sealed)) => Pushed::Notices(decode_notices(&open(sealed)).expect("notices")),
            _ => panic!("a push of one kind"),
        }
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

    /// A command about the token; what came as text.
    pub fn ask(&self, talk: &mut impl Speaks, command: &NtfCommand<'_>) -> String {
        talk.ask_text(Auth::Key(&self.key), &self.id, &ntf_command(command))
    }

    /// Says the code.
    pub fn verify(&self, talk: &mut impl Speaks) {
        assert_eq!(self.ask(talk, &NtfCommand::Tvfy { code: &self.code }), "OK");
    }

    /// SNEW for a queue that does not exist, with a fresh key.
    pub fn snew(&self, server: &ServerAddress, talk: &mut impl Speaks) -> Vec<u8> {
        let notifier = EntityId::new(&talk.voice().rng.bytes::<24>()).expect("24 bytes");
        let key = talk.key();
        self.snew_of(NotifierAddress { server: server.clone(), notifier }, key)
    }

    /// SNEW for this notifier.
    #[must_use]
    pub fn snew_of(&self, notifier: NotifierAddress, key: AuthPrivateKey) -> Vec<u8> {
        ntf_command(&NtfCommand::Snew { token: &self.id, notifier, key })
    }

    /// Sends SNEW for a queue that does not exist; gives the subscription id.
    pub fn subscribe(&self, server: &ServerAddress, talk: &mut impl Speaks) -> Vec<u8> {
        let command = self.snew(server, talk);
        self.subscribed(talk.ask(Auth::Key(&self.key), b"", &command))
    }

    /// Sends SNEW for a queue with a notifier; gives the subscription id.
    pub fn watch(&self, queue: &RawQueue, server: &ServerAddress, talk: &mut impl Speaks) -> Vec<u8> {
        let command = self.snew_of(queue.notifier_at(server), queue.notifier_key());
        self.subscribed(talk.ask(Auth::Key(&self.key), b"", &command))
    }

    fn subscribed(&self, answer: Answer) -> Vec<u8> {
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
    server_dh: Option<X25519Public>,
    notifier: Option<RawNotifier>,
}

/// The notifier of a queue, made by hand.
#[derive(Debug)]
struct RawNotifier {
    id: Vec<u8>,
    key: AuthPrivateKey,
    box_key: BoxKey,
}

impl RawQueue {
    /// Creates it.
    pub fn create(talk: &mut impl Speaks) -> Self {
        let mut queue = Self::fresh(talk);
        queue.ask_to_create(talk, None);
        queue
    }

    /// Creates it together with a notifier, which SMP knows from version 17 on.
    pub fn create_with_notifier(talk: &mut impl Speaks) -> Self {
        let mut queue = Self::fresh(talk);
        let (key, dh) = (talk.key(), X25519Private::generate(&mut talk.voice().rng));
        queue.ask_to_create(talk, Some((key, dh)));
        queue
    }

    fn fresh(talk: &mut impl Speaks) -> Self {
        let key = talk.key();
        let dh = X25519Private::generate(&mut talk.voice().rng);
        Self { key, dh, recipient: Vec::new(), sender: Vec::new(), server_dh: None, notifier: None }
    }

    fn ask_to_create(&mut self, talk: &mut impl Speaks, notifier: Option<(AuthPrivateKey, X25519Private)>) {
        let mut command = self.new_queue();
        command.notifier = notifier
            .as_ref()
            .map(|(key, dh)| NotifierKeys { auth: key.public().expect("a key"), dh: dh.public() });
        let answer = talk.ask(Auth::Key(&self.key), b"", &smp_command(&SmpCommand::New(command)));
        let Ok(Message::Ids(ids)) = Message::decode(&answer.command, SmpVersion::MAX) else {
            panic!("created, not {}", answer.text());
        };
        assert_eq!(ids.mode, Some(QueueMode::Messaging));
        self.recipient = ids.recipient.to_vec();
        self.sender = ids.sender.to_vec();
        self.server_dh = Some(ids.dh);
        self.notifier = notifier
            .map(|(key, dh)| RawNotifier::new(key, &dh, &ids.notifier.expect("a notifier was asked for")));
    }

    /// NKEY with fresh keys.
    pub fn set_notifier(&mut self, talk: &mut impl Speaks) {
        let (key, dh) = (talk.key(), X25519Private::generate(&mut talk.voice().rng));
        let command = SmpCommand::Nkey { notifier: key.public().expect("a key"), dh: dh.public() };
        let answer = talk.ask(Auth::Key(&self.key), &self.recipient, &smp_command(&command));
        let Ok(Message::Nid(ids)) = Message::decode(&answer.command, SmpVersion::MAX) else {
            panic!("a notifier, not {}", answer.text());
        };
        self.notifier = Some(RawNotifier::new(key, &dh, &ids));
    }

    /// The notifier's address at its server.
    #[must_use]
    pub fn notifier_at(&self, server: &ServerAddress) -> NotifierAddress {
        let notifier = EntityId::new(&self.notifier().id).expect("an id");
        NotifierAddress { server: server.clone(), notifier }
    }

    /// What authorizes NSUB.
    #[must_use]
    pub fn notifier_key(&self) -> AuthPrivateKey {
        self.notifier().key.clone()
    }

    fn notifier(&self) -> &RawNotifier {
        self.notifier.as_ref().expect("the queue has a notifier")
    }

    /// Sends a message with or without the flag for notifications.
    pub fn send(&self, talk: &mut impl Speaks, message: &str, notify: bool) {
        let command = smp_command(&SmpCommand::Send { notify, message: message.as_bytes() });
        assert_eq!(talk.ask_text(Auth::None, &self.sender, &command), "OK");
    }

    /// Fetches a message and acknowledges it: its id, Unix time and text.
    pub fn fetch(&self, talk: &mut impl Speaks) -> (Vec<u8>, i64, String) {
        let answer = talk.ask(Auth::Key(&self.key), &self.recipient, &smp_command(&SmpCommand::Get));
        let Ok(Message::Msg { id, body }) = Message::decode(&answer.command, SmpVersion::MAX) else {
            panic!("a message, not {}", answer.text());
        };
        let box_key = BoxKey::of_dh(&self.dh.agree(&self.server_dh.expect("created")));
        let mut body = body.to_vec();
        let body = box_key.open_padded(&nonce_from(id), &mut body).expect("sealed to us");
        let Ok(MessageBody::Message { sent_at, message, .. }) = MessageBody::decode(body) else {
            panic!("a message, not a marker");
        };
        let ack = smp_command(&SmpCommand::Ack { message: id });
        assert_eq!(talk.ask_text(Auth::Key(&self.key), &self.recipient, &ack), "OK");
        (id.to_vec(), sent_at, String::from_utf8_lossy(message).into_owned())
    }

    /// The id and Unix time of the message that a notice tells of.
    #[must_use]
    pub fn open_meta(&self, notice: &Notice) -> (Vec<u8>, i64) {
        let mut meta = notice.meta.to_vec();
        let meta = self.notifier().box_key.open_padded(&notice.nonce, &mut meta).expect("sealed to us");
        let meta = NmsgMeta::decode(meta).expect("metadata");
        (meta.message.to_vec(), meta.sent_at)
    }

    /// The NEW that created it.
    #[must_use]
    pub fn new_command(&self) -> SmpCommand<'static> {
        SmpCommand::New(self.new_queue())
    }

    fn new_queue(&self) -> NewQueue<'static> {
        NewQueue {
            auth: self.key.public().expect("a key of this build"),
            dh: self.dh.public(),
            password: None,
            subscribe: SubscribeMode::OnlyCreate,
            request: Some(QueueRequest::Messaging(None)),
            notifier: None,
        }
    }
}

impl RawNotifier {
    fn new(key: AuthPrivateKey, dh: &X25519Private, ids: &NotifierIds<'_>) -> Self {
        Self { id: ids.notifier.to_vec(), key, box_key: BoxKey::of_dh(&dh.agree(&ids.dh)) }
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
