//! `smp_commands.json`: commands of the messaging protocol in every form they have taken.

use crate::file::{Field, Vector, each};
use crate::values;
use ntf_core::wire::smp::command::Command;
use ntf_core::wire::smp::queue::{
    ContactLink, LinkData, MessagingLink, NewQueue, NotifierKeys, QueueMode, QueueRequest, SubscribeMode,
};
use ntf_core::wire::version::SmpVersion;

#[test]
fn smp_commands_are_written_and_read_as_the_reference_does() {
    each("smp_commands", |vector| {
        let encoded = vector.output("encoded").hex();
        let bytes = Bytes::of(vector);
        let expected = command(vector, &bytes);
        for version in vector.versions().into_iter().map(SmpVersion) {
            let name = format!("{} v{}", vector.name, version.0);
            let mut out = Vec::new();
            expected.encode(version, &mut out);
            assert_eq!(hex::encode(&out), hex::encode(&encoded), "{name}");
            let decoded = Command::decode(&encoded, version);
            let seen = seen(&expected, version);
            assert!(decoded.as_ref() == Ok(&seen), "{name}: {decoded:?}");
            let mut again = Vec::new();
            seen.encode(version, &mut again);
            assert_eq!(again, encoded, "{name}");
        }
    });
}

/// Bytes that a command borrows.
struct Bytes {
    message: Vec<u8>,
    message_id: Vec<u8>,
    password: Option<Vec<u8>>,
    sender: Vec<u8>,
    link: Vec<u8>,
    fixed: Vec<u8>,
    user: Vec<u8>,
}

impl Bytes {
    fn of(vector: &Vector) -> Self {
        let bytes = |field: Field<'_>| field.some().map(|field| field.hex()).unwrap_or_default();
        let queue = vector.input("queue_data");
        Self {
            message: bytes(vector.input("body")),
            message_id: bytes(vector.input("msg_id")),
            password: vector.input("basic_auth").some().map(|field| field.text().as_bytes().to_vec()),
            sender: bytes(queue.get("sender_id")),
            link: bytes(queue.get("link_id")),
            fixed: bytes(queue.get("fixed_data")),
            user: bytes(queue.get("user_data")),
        }
    }
}

fn command<'b>(vector: &Vector, bytes: &'b Bytes) -> Command<'b> {
    let sender = || values::auth_key(vector.input("sender_key"));
    match vector.words()[0] {
        "NEW" => Command::New(NewQueue {
            auth: values::auth_key(vector.input("rcv_key")),
            dh: values::dh_key(vector.input("rcv_dh_key")),
            password: bytes.password.as_deref(),
            subscribe: match vector.input("sub_mode").text() {
                "S" => SubscribeMode::Subscribe,
                "C" => SubscribeMode::OnlyCreate,
                other => panic!("{}: subscribe mode {other}", vector.name),
            },
            request: vector.input("queue_data").some().map(|queue| request(queue, bytes)),
            notifier: vector.input("ntf_creds").some().map(|keys| NotifierKeys {
                auth: values::auth_key(keys.get("notifier_key")),
                dh: values::dh_key(keys.get("rcv_ntf_dh_key")),
            }),
        }),
        "SUB" => Command::Sub,
        "SUBS" => Command::Subs,
        "KEY" => Command::Key { sender: sender() },
        "NKEY" => Command::Nkey {
            notifier: values::auth_key(vector.input("notifier_key")),
            dh: values::dh_key(vector.input("rcv_ntf_dh_key")),
        },
        "NDEL" => Command::Ndel,
        "GET" => Command::Get,
        "ACK" => Command::Ack { message: &bytes.message_id },
        "OFF" => Command::Off,
        "DEL" => Command::Del,
        "QUE" => Command::Que,
        "LDEL" => Command::Ldel,
        "SKEY" => Command::Skey { sender: sender() },
        "SEND" => Command::Send { notify: vector.input("notification").bool(), message: &bytes.message },
        "PING" => Command::Ping,
        "NSUB" => Command::Nsub,
        "NSUBS" => Command::Nsubs,
        "LKEY" => Command::Lkey { sender: sender() },
        "LGET" => Command::Lget,
        other => panic!("{}: no command is called {other}", vector.name),
    }
}

fn request<'b>(queue: Field<'_>, bytes: &'b Bytes) -> QueueRequest<'b> {
    let data =
        || queue.get("fixed_data").is_some().then_some(LinkData { fixed: &bytes.fixed, user: &bytes.user });
    match queue.get("mode").text() {
        "M" => QueueRequest::Messaging(data().map(|data| MessagingLink { sender: &bytes.sender, data })),
        "C" => QueueRequest::Contact(data().map(|data| ContactLink {
            link: &bytes.link,
            sender: &bytes.sender,
            data,
        })),
        other => panic!("{}: queue mode {other}", queue.vector),
    }
}

/// The command as a peer of this version sees it: without what the version has no field for.
fn seen<'b>(command: &Command<'b>, version: SmpVersion) -> Command<'b> {
    match command {
        Command::New(queue) => Command::New(NewQueue {
            request: match queue.request {
                request if version.has_short_links() => request,
                _ if !version.has_sender_secure() => None,
                Some(request) if request.mode() == QueueMode::Messaging => {
                    Some(QueueRequest::Messaging(None))
                }
                _ => Some(QueueRequest::Contact(None)),
            },
            notifier: queue.notifier.filter(|_| version.has_notifier_in_new()),
            ..*queue
        }),
        other => other.clone(),
    }
}
