//! What is in a parcel, layer by layer, as far as somebody can read it.
//!
//! Reads with the project's one codec, and with the keys that the reader has: a phone opens pushes and messages with
//! its machine's, a push server sealed tokens with its own. Everything else stays ciphertext.

use crate::model::push::{PushOrder, PushPayload, Sealed};
use crate::model::server::{NotifierAddress, Protocol};
use crate::model::token::{DeviceToken, Provider};
use crate::relay::frame::{Device, Frame, Frames, Payload};
use crate::sim::passing::Parcel;
use crate::sim::stage::cast::{Cast, Party};
use crate::sim::stage::talk::Talks;
use crate::sim::stage::view::Known;
use crate::sim::stage::words::{Contents, Speech, about, entity_of, speech, transmissions, word_of};
use crate::sim::world::{NodeId, World};
use crate::wire::ntf::command::Command as NtfCommand;
use crate::wire::ntf::response::Response;
use crate::wire::smp::command::Command;
use crate::wire::smp::response::Message;
use crate::wire::text::status;
use crate::wire::transmission::Transmission;
use crate::wire::version::{NtfVersion, SmpVersion};
use crate::wire::{block, text};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

/// Reads parcels with the keys of one party.
pub(super) struct Reading<'a> {
    pub(super) world: &'a World,
    pub(super) cast: &'a Cast,
    pub(super) talks: &'a Talks,
    pub(super) reader: Party,
}

impl Reading<'_> {
    /// The layers of a parcel, the outermost first.
    pub(super) fn layers(&self, parcel: &Parcel) -> Vec<Known> {
        match parcel {
            Parcel::Block { protocol: Protocol::Relay, block, .. } => {
                let frames = Frames::of(block).filter_map(Result::ok).map(|frame| self.frame(&frame));
                vec![outer(block.len()), Known::line("relay frames", "").with(frames.collect())]
            }
            Parcel::Block { protocol, writer, block, .. } => {
                let inner = match transmissions(*protocol, block) {
                    Contents::Hello => Known::line("hello", "versions, session id and a signed session key")
                        .with_bytes(block::content(block).unwrap_or_default()),
                    Contents::Garbage => Known::sealed("garbage", "bytes that are no message", block),
                    Contents::Batch(batch) => Known::line(
                        format!("block of {} bytes", block.len()),
                        format!("{} in it, and filler up to its length", plural(batch.len(), "message")),
                    )
                    .with(
                        batch
                            .iter()
                            .map(|inner| self.transmission(speech(*protocol, *writer), inner))
                            .collect(),
                    ),
                };
                vec![outer(block.len()), inner]
            }
            Parcel::Order(order) => vec![self.order(order)],
            Parcel::Outcome(outcome) => {
                vec![Known::line("outcome", format!("order {}: {:?}", outcome.id.0, outcome.result))]
            }
            Parcel::Request { path, kind, body } => vec![
                outer(body.len()),
                Known::line("POST", path.clone()),
                Known::line("apns-push-type", kind.clone()),
                self.body(body),
            ],
            Parcel::Answer(reply) => {
                vec![Known::line("answer", format!("{} {}", reply.status, reply.reason))]
            }
            Parcel::Push(body) => vec![outer(body.len()), self.body(body)],
        }
    }

    fn transmission(&self, speech: Speech, inner: &Transmission<'_>) -> Known {
        let mut children = Vec::new();
        if !inner.authorization.is_empty() {
            children.push(
                Known::line("authorization", "made with the key of what the command is about")
                    .with_bytes(inner.authorization),
            );
        }
        if !inner.entity_id.is_empty() {
            children.push(Known::line(entity_of(speech, inner), "").with_bytes(inner.entity_id));
        }
        let params = match speech {
            Speech::Command(Protocol::Smp) => {
                Command::decode(inner.command, SmpVersion::MAX).ok().map(|command| self.smp_command(&command))
            }
            Speech::Answer(Protocol::Smp) => Message::decode(inner.command, SmpVersion::MAX)
                .ok()
                .map(|message| self.smp_message(inner.entity_id, &message)),
            Speech::Command(_) => NtfCommand::decode(inner.command, NtfVersion::MAX)
                .ok()
                .map(|command| self.ntf_command(&command)),
            Speech::Answer(_) => {
                Response::decode(inner.command, NtfVersion::MAX).ok().map(|response| ntf_response(&response))
            }
        };
        children.extend(params.into_iter().flatten());
        Known::line(word_of(speech, inner), about(word_of(speech, inner))).with(children)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the other commands have no parameters worth a line")]
    fn smp_command(&self, command: &Command<'_>) -> Vec<Known> {
        match command {
            Command::Send { notify, message } => vec![
                Known::line("notification", if *notify { "asked for" } else { "not asked for" }),
                self.message(message),
            ],
            Command::New(queue) => vec![
                Known::line("recipient's key", "verifies the recipient's commands")
                    .with_bytes(&queue.auth.to_spki()),
                Known::line("recipient's session key", "for the box around messages")
                    .with_bytes(queue.dh.as_bytes()),
            ],
            Command::Nkey { notifier, .. } => {
                vec![Known::line("notifier's key", "verifies NSUB").with_bytes(&notifier.to_spki())]
            }
            Command::Skey { sender } => {
                vec![Known::line("sender's key", "verifies SEND").with_bytes(&sender.to_spki())]
            }
            Command::Ack { message } => vec![Known::line("message id", "").with_bytes(message)],
            _ => Vec::new(),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the other answers have nothing in them worth a line")]
    fn smp_message(&self, entity: &[u8], message: &Message<'_>) -> Vec<Known> {
        match message {
            Message::Ids(ids) => vec![
                Known::line("recipient id", "the address for receiving").with_bytes(ids.recipient),
                Known::line("sender id", "the address for sending").with_bytes(ids.sender),
            ],
            Message::Nid(ids) => {
                vec![
                    Known::line("notifier id", "the name under which the queue is watched")
                        .with_bytes(ids.notifier),
                ]
            }
            Message::Msg { id, body } => {
                let opened = self
                    .device()
                    .and_then(|device| self.world.client(device)?.read_message(entity, id, body));
                let title = "message body, encrypted to the recipient";
                let body = match opened {
                    Some(sent) => Known::line(title, "opened with the queue's key")
                        .with_bytes(body)
                        .with(vec![self.message(&sent)]),
                    None => Known::sealed(title, "ciphertext", body),
                };
                vec![Known::line("message id", "").with_bytes(id), body]
            }
            Message::Nmsg { nonce, meta } => vec![
                Known::line("nonce", "").with_bytes(nonce),
                Known::sealed("metadata", "which message, and when: for the recipient only", meta),
            ],
            Message::Err(code) => vec![Known::line("error", format!("{code:?}"))],
            _ => Vec::new(),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the other commands have no parameters")]
    fn ntf_command(&self, command: &NtfCommand<'_>) -> Vec<Known> {
        match command {
            NtfCommand::Tnew { device, auth, .. } => vec![
                self.token(&device.to_token()),
                Known::line("verify key", "verifies this registration's commands")
                    .with_bytes(&auth.to_spki()),
            ],
            NtfCommand::Trpl { device } => vec![self.token(&device.to_token())],
            NtfCommand::Tvfy { code } => {
                vec![Known::line("code", "from the verification push").with_bytes(code)]
            }
            NtfCommand::Tcrn { minutes } => vec![Known::line("minutes", minutes.to_string())],
            NtfCommand::Snew { token, notifier, .. } => vec![
                Known::line("token id", "").with_bytes(token),
                Known::line("SMP server", host_of(notifier)),
                Known::line("notifier id", "").with_bytes(notifier.notifier.as_bytes()),
                Known::line("notifier's private key", "signs NSUB"),
            ],
            _ => Vec::new(),
        }
    }

    fn token(&self, token: &DeviceToken) -> Known {
        if token.provider != Provider::Sealed {
            let text = String::from_utf8_lossy(&token.token).into_owned();
            return Known::line("device token", text);
        }
        let title = "sealed device token";
        let opening = self.cast.opening.as_ref().filter(|_| self.reader == Party::Push);
        let identity = self.cast.subscriber().1.map(|address| address.identity);
        match opening.zip(identity).and_then(|(key, identity)| key.open(&token.token, &identity).ok()) {
            Some(open) => Known::line(title, "opened with the push server's key")
                .with_bytes(&token.token)
                .with(vec![self.token(&open)]),
            None => Known::sealed(title, "for the push server only", &token.token),
        }
    }

    fn order(&self, order: &PushOrder) -> Known {
        let payload = match &order.payload {
            PushPayload::Verification(sealed) => self.sealed("verification code", sealed),
            PushPayload::Message(sealed) => self.sealed("notices, in an alert", sealed),
            PushPayload::Hidden(sealed) => self.sealed("notices, hidden", sealed),
            PushPayload::CheckMessages => Known::line("hint", "to look for messages"),
            PushPayload::Alert(_) => Known::line("alert", "in the push server's words; carries nothing"),
        };
        Known::line("order", format!("number {}", order.id.0)).with(vec![self.token(&order.device), payload])
    }

    fn frame(&self, frame: &Frame<'_>) -> Known {
        let Frame::Order(order) = frame else { return Known::line(frame.kind(), "") };
        let device = match order.device {
            Device::Plain { provider, token } => {
                DeviceToken { provider: provider.to_model(), token: token.into() }
            }
            Device::Sealed(token) => DeviceToken { provider: Provider::Sealed, token: token.into() },
        };
        let sealed =
            |nonce: &[u8; 24], ciphertext: &[u8]| Sealed { nonce: *nonce, ciphertext: ciphertext.into() };
        let payload = match &order.payload {
            Payload::Verification { nonce, ciphertext } => {
                self.sealed("verification code", &sealed(nonce, ciphertext))
            }
            Payload::Message { nonce, ciphertext } => {
                self.sealed("notices, in an alert", &sealed(nonce, ciphertext))
            }
            Payload::Hidden { nonce, ciphertext } => {
                self.sealed("notices, hidden", &sealed(nonce, ciphertext))
            }
            Payload::CheckMessages => Known::line("hint", "to look for messages"),
            Payload::Alert { .. } => Known::line("alert", "in the push server's words; carries nothing"),
        };
        Known::line("order", format!("number {}", order.request)).with(vec![self.token(&device), payload])
    }

    /// The JSON body of a push.
    fn body(&self, json: &[u8]) -> Known {
        let text = String::from_utf8_lossy(json).into_owned();
        let mut shown: String = text.chars().take(160).collect();
        if shown.len() < text.len() {
            shown.push('…');
        }
        let body = Known::line("body", shown);
        let Some(sealed) = sealed_of(&text) else { return body };
        body.with(vec![self.sealed("sealed part", &sealed)])
    }

    /// What only the phone can open.
    fn sealed(&self, title: &str, sealed: &Sealed) -> Known {
        let machine = self.device().and_then(|device| self.world.client(device));
        let notices = machine.and_then(|client| client.read_notices(&sealed.nonce, &sealed.ciphertext));
        let (Some(notices), Some(client)) = (notices, machine) else {
            return Known::sealed(title, "encrypted for the phone", &sealed.ciphertext);
        };
        let notices = notices.iter().map(|(address, notice)| {
            let meta = client.read_meta(address, notice);
            let mut children = vec![
                Known::line("SMP server", host_of(address)),
                Known::line("notifier id", "").with_bytes(address.notifier.as_bytes()),
            ];
            children.push(match meta {
                Some((id, at)) => {
                    Known::line("metadata", format!("a message of {at} s Unix time, under this id"))
                        .with_bytes(&id)
                }
                None => Known::sealed("metadata", "made with keys that were replaced", &notice.meta),
            });
            Known::line("notice", "a message waits").with(children)
        });
        Known::line(title, "opened with the phone's key")
            .with_bytes(&sealed.ciphertext)
            .with(notices.collect())
    }

    /// What a sender made for a phone, end to end.
    fn message(&self, message: &[u8]) -> Known {
        let title = "message, encrypted end to end";
        let may_open = matches!(self.reader, Party::Sender) || self.device().is_some();
        match self.talks.open(message, self.reader.device()).filter(|_| may_open) {
            Some((_, text)) => Known::line(title, text).with_bytes(message),
            None => Known::sealed(title, "for the phone only", message),
        }
    }

    fn device(&self) -> Option<NodeId> {
        self.reader.device().and_then(|number| self.cast.nodes.devices.get(number)).copied()
    }
}

/// The nonce and the ciphertext in the JSON of a push.
pub(super) fn sealed_of(json: &str) -> Option<Sealed> {
    let field = |name: &str| json.split_once(&format!("\"{name}\":\""))?.1.split('"').next();
    let nonce = text::base64::decode_array(field("nonce")?)?;
    let ciphertext = text::base64::decode_public(field("message").or_else(|| field("verification"))?)?;
    Some(Sealed { nonce, ciphertext: ciphertext.into() })
}

fn outer(len: usize) -> Known {
    Known::line("TLS 1.3", format!("{len} bytes; whoever listens on the way sees a length and two addresses"))
}

fn host_of(address: &NotifierAddress) -> String {
    address.server.hosts.first().map(|host| String::from(&**host)).unwrap_or_default()
}

fn ntf_response(response: &Response<'_>) -> Vec<Known> {
    match response {
        Response::Idtkn { token, .. } => vec![Known::line("token id", "").with_bytes(token)],
        Response::Idsub { subscription } => vec![Known::line("subscription id", "").with_bytes(subscription)],
        Response::Tkn(token) => vec![Known::line("status", status::token(*token))],
        Response::Sub(subscription) => vec![Known::line("status", status::subscription(subscription).0)],
        Response::Err(code) => vec![Known::line("error", format!("{code:?}"))],
        Response::Ok | Response::Pong => Vec::new(),
    }
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
