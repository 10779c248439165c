//! `smp_responses.json`: answers and events of the messaging protocol in every form they have taken.

use crate::file::{Field, Vector, each};
use crate::values;
use ntf_core::wire::error_code::ErrorCode;
use ntf_core::wire::smp::queue::{LinkData, NotifierIds, QueueIds, QueueMode};
use ntf_core::wire::smp::response::Message;
use ntf_core::wire::version::SmpVersion;

#[test]
fn smp_responses_are_written_and_read_as_the_reference_does() {
    each("smp_responses", |vector| {
        let encoded = vector.output("encoded").hex();
        let bytes = Bytes::of(vector);
        let sent = message(vector, &bytes, &encoded);
        for version in vector.versions().into_iter().map(SmpVersion) {
            let name = format!("{} v{}", vector.name, version.0);
            let mut out = Vec::new();
            sent.encode(version, &mut out);
            assert_eq!(hex::encode(&out), hex::encode(&encoded), "{name}");
            let decoded = Message::decode(&encoded, version);
            let seen = seen(&sent, version);
            assert!(decoded.as_ref() == Ok(&seen), "{name}: {decoded:?} is not {seen:?}");
        }
    });
}

/// Bytes that a message borrows.
pub(crate) struct Bytes {
    recipient: Vec<u8>,
    sender: Vec<u8>,
    link: Option<Vec<u8>>,
    service: Option<Vec<u8>>,
    notifier: Vec<u8>,
    fixed: Vec<u8>,
    user: Vec<u8>,
    message_id: Vec<u8>,
    body: Vec<u8>,
    meta: Vec<u8>,
}

impl Bytes {
    pub(crate) fn of(vector: &Vector) -> Self {
        let maybe = |field: Field<'_>| field.some().map(|field| field.hex());
        let bytes = |key| maybe(vector.input(key)).unwrap_or_default();
        let notifier = maybe(vector.input("server_ntf_creds").get("notifier_id"));
        Self {
            recipient: bytes("rcv_id"),
            sender: maybe(vector.input("snd_id")).unwrap_or_else(|| bytes("sender_id")),
            link: maybe(vector.input("link_id")),
            service: maybe(vector.input("service_id")),
            notifier: notifier.unwrap_or_else(|| bytes("notifier_id")),
            fixed: bytes("fixed_data"),
            user: bytes("user_data"),
            message_id: bytes("msg_id"),
            body: bytes("enc_body"),
            meta: bytes("enc_nmsg_meta"),
        }
    }
}

/// The message that a vector named like `IDS/contact` describes; `encoded` has the texts of errors.
pub(crate) fn message<'b>(vector: &Vector, bytes: &'b Bytes, encoded: &'b [u8]) -> Message<'b> {
    // In the files of blocks the name begins with who speaks.
    let words = vector.words();
    let word = words.iter().find(|word| **word != "server").unwrap();
    let ids = |key: Field<'_>| NotifierIds { notifier: &bytes.notifier, dh: values::dh_key(key) };
    match *word {
        "IDS" => Message::Ids(QueueIds {
            recipient: &bytes.recipient,
            sender: &bytes.sender,
            dh: values::dh_key(vector.input("srv_dh_key")),
            mode: vector.input("queue_mode").some().map(|mode| match mode.text() {
                "M" => QueueMode::Messaging,
                "C" => QueueMode::Contact,
                other => panic!("{}: queue mode {other}", vector.name),
            }),
            link: bytes.link.as_deref(),
            service: bytes.service.as_deref(),
            notifier: vector.input("server_ntf_creds").some().map(|creds| ids(creds.get("srv_ntf_dh_key"))),
        }),
        "LNK" => {
            Message::Lnk { sender: &bytes.sender, data: LinkData { fixed: &bytes.fixed, user: &bytes.user } }
        }
        "SOK" => Message::Sok { service: bytes.service.as_deref() },
        "SOKS" => Message::Soks { count: vector.input("count").number() },
        "OK" => Message::Ok,
        "MSG" => Message::Msg { id: &bytes.message_id, body: &bytes.body },
        "NID" => Message::Nid(ids(vector.input("srv_ntf_dh_key"))),
        "NMSG" => Message::Nmsg { nonce: vector.input("nonce").hex().try_into().unwrap(), meta: &bytes.meta },
        "END" => Message::End,
        "ENDS" => Message::Ends { count: vector.input("count").number() },
        "DELD" => Message::Deld,
        "PONG" => Message::Pong,
        "ERR" => Message::Err(values::error(vector.input("error").text(), encoded)),
        other => panic!("{}: no response is called {other}", vector.name),
    }
}

/// The message as a peer of this version sees it: without what the version has no word or field for.
pub(crate) fn seen<'b>(message: &Message<'b>, version: SmpVersion) -> Message<'b> {
    match message {
        Message::Ids(ids) => Message::Ids(QueueIds {
            mode: match ids.mode {
                mode if version.has_short_links() => mode,
                _ if !version.has_sender_secure() => None,
                Some(QueueMode::Messaging) => Some(QueueMode::Messaging),
                Some(QueueMode::Contact) | None => Some(QueueMode::Contact),
            },
            link: ids.link.filter(|_| version.has_short_links()),
            service: ids.service.filter(|_| version.has_services()),
            notifier: ids.notifier.filter(|_| version.has_notifier_in_new()),
            ..*ids
        }),
        Message::Sok { .. } if version < SmpVersion(16) => Message::Ok,
        Message::Deld if version < SmpVersion(10) => Message::End,
        Message::Err(ErrorCode::Blocked(_)) if version < SmpVersion(12) => Message::Err(ErrorCode::Auth),
        Message::Err(ErrorCode::Blocked(blocked)) if version < SmpVersion(18) => {
            Message::Err(ErrorCode::Blocked(ntf_core::wire::error_code::Blocked { notice: None, ..*blocked }))
        }
        other => other.clone(),
    }
}
