//! The client role, for a page that embeds it and brings links, pushes and time.
//!
//! ```text
//! const device = new Device(seed, now, wall);
//! device.register(now, wall, server, "AT", token);
//! for (let effect; (effect = device.poll()).do !== "wait"; ) perform(effect);
//! // later: device.up(…), device.block(…), device.push(…), or device.tick(…) at effect.until
//! ```
//!
//! Times are milliseconds: `now` since the page's start, `wall` since 1970. Call `poll` after each input until it says
//! `wait`.

use crate::types::{DeviceEffect, Transport, error, from_page, to_page};
use ntf_core::base::id::LinkId;
use ntf_core::base::rng::Seed;
use ntf_core::base::time::{Mono, Now, Wall};
use ntf_core::client::effect::{Effect, Event};
use ntf_core::client::input::{Command, Input, RequestTag};
use ntf_core::client::{Client, Config};
use ntf_core::link::event::{self, DownReason, LinkAction, LinkEvent};
use ntf_core::machine::{Machine, Step};
use ntf_core::model::server::Protocol;
use ntf_core::model::token::{DeviceToken, Provider};
use ntf_core::wire::text::{address, status};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

/// The device side of one app on one device.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Device(Client);

/// What TLS learned, as a page writes it.
#[derive(Deserialize)]
struct TransportObject {
    session_id: String,
    peer_chain: Vec<String>,
}

/// An effect, as a page reads it.
#[derive(Serialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
enum EffectObject {
    Connect {
        link: u64,
        protocol: &'static str,
        hosts: Vec<String>,
        port: String,
        identity: String,
    },
    Send {
        link: u64,
        block: String,
    },
    Close {
        link: u64,
    },
    Tell {
        event: EventObject,
    },
    Wait {
        #[serde(skip_serializing_if = "Option::is_none")]
        until: Option<u64>,
    },
}

/// An event, as a page reads it.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum EventObject {
    Token {
        status: String,
    },
    Queue {
        tag: u64,
        queue: u32,
        address: String,
    },
    Subscription {
        queue: u32,
        status: String,
    },
    Sent {
        tag: u64,
    },
    Message {
        queue: u32,
        sent_at: i64,
        text: String,
    },
    Failed {
        #[serde(skip_serializing_if = "Option::is_none")]
        tag: Option<u64>,
        why: String,
    },
    Other {
        text: String,
    },
}

#[wasm_bindgen]
impl Device {
    /// A device without token or queues. The seed is 32 bytes of the page's randomness: all keys come from it.
    ///
    /// # Errors
    ///
    /// When the seed has another length.
    #[wasm_bindgen(constructor)]
    pub fn new(seed: &[u8], now: f64, wall: f64) -> Result<Self, JsError> {
        Ok(Self(Client::new(Config::default(), seed_of(seed)?, now_of(now, wall))))
    }

    /// A device from what [`export`](Self::export) gave. The seed must be a fresh one.
    ///
    /// # Errors
    ///
    /// When the state is none of this program's, or the seed has another length.
    pub fn import(state: &[u8], seed: &[u8], now: f64, wall: f64) -> Result<Self, JsError> {
        Client::import(Config::default(), seed_of(seed)?, now_of(now, wall), state).map(Self).map_err(error)
    }

    /// Everything to keep; it holds all keys.
    #[must_use]
    pub fn export(&self) -> Vec<u8> {
        self.0.export().to_vec()
    }

    /// Registers a device token with a subscriber: `ntf://…`, and the provider's two letters.
    ///
    /// # Errors
    ///
    /// When the address or the provider cannot be read.
    pub fn register(
        &mut self,
        now: f64,
        wall: f64,
        server: &str,
        provider: &str,
        token: &str,
    ) -> Result<(), JsError> {
        let server = address::parse_server(server, Protocol::Ntf).map_err(error)?;
        let provider = match provider {
            "AD" => Provider::ApnsDev,
            "AP" => Provider::ApnsProd,
            "AT" => Provider::ApnsTest,
            other => return Err(error(format!("there is no provider {other}; AD, AP and AT are known"))),
        };
        if token.is_empty() || token.len() > 255 {
            return Err(error("a device token has 1 to 255 bytes"));
        }
        let device = DeviceToken { provider, token: token.as_bytes().into() };
        self.command(now, wall, Command::Register { server, device });
        Ok(())
    }

    /// Creates a queue on an SMP server: `smp://…`.
    ///
    /// # Errors
    ///
    /// When the address cannot be read.
    pub fn create_queue(&mut self, now: f64, wall: f64, tag: u32, server: &str) -> Result<(), JsError> {
        let server = address::parse_server(server, Protocol::Smp).map_err(error)?;
        self.command(now, wall, Command::CreateQueue { tag: RequestTag(tag.into()), server });
        Ok(())
    }

    /// Sends a message to the address of somebody's queue.
    ///
    /// # Errors
    ///
    /// When the address cannot be read.
    pub fn send(&mut self, now: f64, wall: f64, tag: u32, to: &str, text: &str) -> Result<(), JsError> {
        let to = address::parse_sender(to).map_err(error)?;
        let message = text.as_bytes().to_vec();
        self.command(now, wall, Command::Send { tag: RequestTag(tag.into()), to, message });
        Ok(())
    }

    /// A push came: its JSON body.
    pub fn push(&mut self, now: f64, wall: f64, body: &[u8]) {
        self.0.handle(now_of(now, wall), Input::Push(body));
    }

    /// A link that was asked for is up.
    ///
    /// # Errors
    ///
    /// When what TLS learned cannot be read.
    pub fn up(&mut self, now: f64, wall: f64, link: u32, transport: &Transport) -> Result<(), JsError> {
        let object: TransportObject = from_page(transport, "the transport")?;
        let malformed = || error("the transport's bytes are to be hexadecimal");
        let transport = event::Transport {
            session_id: unhex(&object.session_id).ok_or_else(malformed)?.into(),
            has_alpn: true,
            peer_chain: object
                .peer_chain
                .iter()
                .map(|certificate| unhex(certificate).map(Into::into))
                .collect::<Option<_>>()
                .ok_or_else(malformed)?,
            showed_certificate: false,
            source: None,
        };
        self.link(now, wall, LinkEvent::Up { link: link_of(link), transport });
        Ok(())
    }

    /// A whole block came over a link.
    pub fn block(&mut self, now: f64, wall: f64, link: u32, block: &mut [u8]) {
        self.link(now, wall, LinkEvent::Block { link: link_of(link), block });
    }

    /// Blocks have left over a link.
    pub fn sent(&mut self, now: f64, wall: f64, link: u32, blocks: u32) {
        self.link(now, wall, LinkEvent::Sent { link: link_of(link), blocks });
    }

    /// A link is gone, or never came up.
    pub fn down(&mut self, now: f64, wall: f64, link: u32) {
        self.link(now, wall, LinkEvent::Down { link: link_of(link), reason: DownReason::Broken });
    }

    /// The time of the last `wait` has come.
    pub fn tick(&mut self, now: f64, wall: f64) {
        self.0.handle(now_of(now, wall), Input::Tick);
    }

    /// The next thing to do; `wait` when there is none.
    ///
    /// # Errors
    ///
    /// None in practice.
    pub fn poll(&mut self) -> Result<DeviceEffect, JsError> {
        loop {
            let object = match self.0.poll() {
                Step::Do(effect) => object_of(effect),
                Step::Idle(deadline) => {
                    let until = deadline.map(|deadline| deadline.at.as_micros().div_ceil(1000));
                    Some(EffectObject::Wait { until })
                }
            };
            if let Some(object) = object {
                return to_page(&object);
            }
        }
    }
}

impl Device {
    fn command(&mut self, now: f64, wall: f64, command: Command) {
        self.0.handle(now_of(now, wall), Input::Command(command));
    }

    fn link(&mut self, now: f64, wall: f64, event: LinkEvent<'_>) {
        self.0.handle(now_of(now, wall), Input::Link(event));
    }
}

/// `None` for what a page cannot do: it has no TCP to ask for it, and the client does not count on that.
fn object_of(effect: Effect) -> Option<EffectObject> {
    Some(match effect {
        Effect::Link(LinkAction::Connect { link, protocol, server, .. }) => EffectObject::Connect {
            link: link.number(),
            protocol: protocol.scheme(),
            hosts: server.hosts.iter().map(ToString::to_string).collect(),
            port: server.port.to_string(),
            identity: hex(server.identity.as_bytes()),
        },
        Effect::Link(LinkAction::Send { link, block }) => {
            EffectObject::Send { link: link.number(), block: hex(&block) }
        }
        Effect::Link(LinkAction::Close { link }) => EffectObject::Close { link: link.number() },
        Effect::Event(event) => EffectObject::Tell { event: event_of(event) },
        Effect::Probe(_) => return None,
    })
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what a page need not act on is told in words")]
fn event_of(event: Event) -> EventObject {
    match event {
        Event::Token(token) => EventObject::Token { status: status::token(token).into() },
        Event::QueueCreated { tag, queue, address } => {
            EventObject::Queue { tag: tag.0, queue: queue.0, address: address::sender(&address) }
        }
        Event::Subscription { queue, status } => {
            EventObject::Subscription { queue: queue.0, status: status::subscription(&status).0.into() }
        }
        Event::Sent { tag } => EventObject::Sent { tag: tag.0 },
        Event::Message { queue, sent_at, message, .. } => EventObject::Message {
            queue: queue.0,
            sent_at,
            text: String::from_utf8_lossy(&message).into_owned(),
        },
        Event::Failed { tag, why, .. } => EventObject::Failed { tag: tag.map(|tag| tag.0), why },
        other => EventObject::Other { text: format!("{other:?}") },
    }
}

fn seed_of(bytes: &[u8]) -> Result<Seed, JsError> {
    bytes.try_into().map(Seed::new).map_err(|_| error("a seed has 32 bytes"))
}

fn link_of(number: u32) -> LinkId {
    LinkId::opened(number.into())
}

/// What is no number, or negative, is zero.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "both saturate, as wanted")]
fn now_of(now: f64, wall: f64) -> Now {
    Now { mono: Mono::from_micros((now * 1000.0) as u64), wall: Wall::from_millis(wall as u64) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok();
    digits.len().is_multiple_of(2).then(|| digits.chunks(2).map(byte).collect()).flatten()
}
