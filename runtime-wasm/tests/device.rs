//! The client role as a page drives it: objects out, bytes in, against the queue server of the core.

#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use js_sys::JSON;
use ntf_core::base::id::LinkId;
use ntf_core::base::rng::{Seed, Stream};
use ntf_core::base::time::{Mono, Now, Wall};
use ntf_core::crypto::cert::ServerCredentials;
use ntf_core::link::event::{DownReason, LinkAction, LinkEvent, Transport};
use ntf_core::machine::{Machine as _, Step};
use ntf_core::model::server::{Protocol, ServerAddress};
use ntf_core::sim::identity::server_credentials;
use ntf_core::smp::server::{Config, Effect, Input, Server};
use ntf_core::wire::text::address;
use ntf_runtime_wasm::device::Device;
use serde_json::{Value, json};
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

const WALL: f64 = 1_800_000_000_000.0;
const SESSION_ID: [u8; 32] = [7; 32];

#[wasm_bindgen_test]
fn a_queue_is_made_and_a_second_device_sends_to_it() {
    let mut place = Place::new();
    let mut recipient = Device::new(&[1; 32], 0.0, WALL).unwrap();
    recipient.create_queue(0.0, WALL, 5, &place.address()).unwrap();
    let told = place.until(&mut recipient, "queue");
    assert_eq!((&told["tag"], &told["queue"]), (&json!(5), &json!(0)));
    let queue = told["address"].as_str().unwrap().to_owned();

    place.next_device();
    let mut sender = Device::new(&[2; 32], 0.0, WALL).unwrap();
    sender.send(0.0, WALL, 9, &queue, "good morning").unwrap();
    assert_eq!(place.until(&mut sender, "sent")["tag"], json!(9));
    let messages = place.server.gauges().messages;
    assert_eq!(messages, 1, "the server holds it");
}

#[wasm_bindgen_test]
fn an_exported_device_comes_back_and_a_damaged_one_does_not() {
    let mut place = Place::new();
    let mut device = Device::new(&[1; 32], 0.0, WALL).unwrap();
    device.create_queue(0.0, WALL, 1, &place.address()).unwrap();
    place.until(&mut device, "queue");
    let state = device.export();
    drop(device);
    let back = Device::import(&state, &[3; 32], 0.0, WALL).unwrap();
    assert_eq!(back.export(), state);
    let damaged = &state[..state.len() - 1];
    assert!(sentence(Device::import(damaged, &[3; 32], 0.0, WALL).map(drop)).contains("state"));
}

#[wasm_bindgen_test]
fn a_server_with_another_identity_is_not_spoken_to() {
    let mut place = Place::new();
    let address = place.address();
    place.credentials = server_credentials(&mut Seed::from_number(99).stream(Stream::Keys));
    let mut device = Device::new(&[1; 32], 0.0, WALL).unwrap();
    device.create_queue(0.0, WALL, 1, &address).unwrap();
    let told = place.until(&mut device, "other");
    assert!(told["text"].as_str().unwrap().contains("Unreachable"), "{told}");
    assert_eq!(place.blocks, 0, "not even a hello");
}

#[wasm_bindgen_test]
fn what_cannot_be_read_is_told_in_a_sentence() {
    assert!(sentence(Device::new(&[1; 31], 0.0, WALL).map(drop)).contains("32 bytes"));
    let mut device = Device::new(&[1; 32], 0.0, WALL).unwrap();
    let smp = Place::new().address();
    let ntf = smp.replace("smp://", "ntf://");
    assert!(!sentence(device.register(0.0, WALL, "nonsense", "AT", "abc")).is_empty());
    assert!(sentence(device.register(0.0, WALL, &ntf, "XX", "abc")).contains("XX"));
    assert!(sentence(device.register(0.0, WALL, &ntf, "AT", "")).contains("1 to 255 bytes"));
    assert!(!sentence(device.create_queue(0.0, WALL, 1, &ntf)).is_empty());
    assert!(!sentence(device.send(0.0, WALL, 1, &smp, "to nobody")).is_empty());
    let no_transport = JSON::parse(r#"{"session_id":"no hex","peer_chain":[]}"#).unwrap();
    assert!(sentence(device.up(0.0, WALL, 1, &no_transport.unchecked_into())).contains("hexadecimal"));
    device.push(0.0, WALL, b"no push");
    assert_eq!(
        object(&device.poll().unwrap())["event"]["event"],
        json!("other"),
        "a stranger's push is told of"
    );
}

/// A queue server, and the page's part: it opens links, carries blocks and keeps the time.
struct Place {
    server: Server,
    credentials: ServerCredentials,
    identity: ServerCredentials,
    now_ms: f64,
    /// What is added to the numbers of a device's links, so that those of several are told apart.
    numbered_from: u64,
    /// Blocks that devices have sent.
    blocks: u32,
}

impl Place {
    fn new() -> Self {
        let credentials = server_credentials(&mut Seed::from_number(4).stream(Stream::Keys));
        let server = Server::new(Config::new(credentials.clone()), Seed::from_number(5), at(0.0));
        Self { server, identity: credentials.clone(), credentials, now_ms: 0.0, numbered_from: 0, blocks: 0 }
    }

    fn address(&self) -> String {
        let identity = self.identity.identity().unwrap();
        let server = ServerAddress { hosts: vec!["smp.example".into()], port: "5223".into(), identity };
        address::server(&server, Protocol::Smp)
    }

    /// Another device comes; the links of the former one stay as they are.
    fn next_device(&mut self) {
        self.numbered_from += 1000;
    }

    fn accepted(&self, effect: &Value) -> LinkId {
        LinkId::accepted(u64::from(number(effect)) + self.numbered_from)
    }

    /// The present device's number of a link; `None` for links of former ones.
    fn opened(&self, link: LinkId) -> Option<u32> {
        u32::try_from(link.number().checked_sub(self.numbered_from)?).ok()
    }

    /// Carries what both say until the device tells such an event.
    fn until(&mut self, device: &mut Device, wanted: &str) -> Value {
        for _ in 0..10_000 {
            let effect = object(&device.poll().unwrap());
            match effect["do"].as_str().unwrap() {
                "tell" if effect["event"]["event"] == wanted => return effect["event"].clone(),
                "tell" => {}
                "connect" => self.open(device, &effect),
                "send" => self.to_server(device, &effect),
                "close" => {
                    self.give(LinkEvent::Down { link: self.accepted(&effect), reason: DownReason::Closed })
                }
                "wait" => {
                    if !self.from_server(device) {
                        self.pass(device, &effect);
                    }
                }
                other => unreachable!("an effect of another kind: {other}"),
            }
        }
        unreachable!("nothing of the kind {wanted}")
    }

    fn open(&mut self, device: &mut Device, effect: &Value) {
        let chain: Vec<_> = self.credentials.chain.iter().map(|certificate| hex(certificate)).collect();
        let transport = json!({ "session_id": hex(&SESSION_ID), "peer_chain": chain }).to_string();
        let transport = JSON::parse(&transport).unwrap().unchecked_into();
        let link = self.accepted(effect);
        device.up(self.now_ms, WALL, number(effect), &transport).unwrap();
        self.give(LinkEvent::Up {
            link,
            transport: Transport {
                session_id: SESSION_ID.into(),
                has_alpn: true,
                peer_chain: Vec::new(),
                showed_certificate: false,
                source: None,
            },
        });
    }

    fn to_server(&mut self, device: &mut Device, effect: &Value) {
        let mut block = unhex(effect["block"].as_str().unwrap());
        self.blocks += 1;
        device.sent(self.now_ms, WALL, number(effect), 1);
        self.give(LinkEvent::Block { link: self.accepted(effect), block: &mut block });
    }

    /// What the server asks for next; whether there was anything.
    fn from_server(&mut self, device: &mut Device) -> bool {
        let Step::Do(Effect::Link(action)) = self.server.poll() else { return false };
        match action {
            LinkAction::Send { link, mut block } => {
                self.give(LinkEvent::Sent { link, blocks: 1 });
                if let Some(link) = self.opened(link) {
                    device.block(self.now_ms, WALL, link, &mut block);
                }
            }
            LinkAction::Close { link } => {
                if let Some(link) = self.opened(link) {
                    device.down(self.now_ms, WALL, link);
                }
            }
            LinkAction::Connect { .. } => unreachable!("a server opens no links"),
        }
        true
    }

    /// Nobody has anything to say before the next deadline.
    fn pass(&mut self, device: &mut Device, wait: &Value) {
        let of_server = match self.server.poll() {
            Step::Idle(deadline) => deadline.map(|deadline| deadline.at.as_micros().div_ceil(1000)),
            Step::Do(_) => unreachable!("it was idle"),
        };
        let next = [wait["until"].as_u64(), of_server].into_iter().flatten().min().unwrap();
        #[expect(clippy::cast_precision_loss, reason = "some minutes")]
        let next = next as f64;
        self.now_ms = next.max(self.now_ms);
        device.tick(self.now_ms, WALL);
        self.server.handle(at(self.now_ms), Input::Tick);
    }

    fn give(&mut self, event: LinkEvent<'_>) {
        self.server.handle(at(self.now_ms), Input::Link(event));
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and small")]
fn at(ms: f64) -> Now {
    Now { mono: Mono::from_micros((ms * 1000.0) as u64), wall: Wall::from_millis(WALL as u64) }
}

fn number(effect: &Value) -> u32 {
    u32::try_from(effect["link"].as_u64().unwrap()).unwrap()
}

fn object(value: &JsValue) -> Value {
    serde_json::from_str(&String::from(JSON::stringify(value).unwrap())).unwrap()
}

/// What a page would show of a refusal.
fn sentence(result: Result<(), wasm_bindgen::JsError>) -> String {
    let error = JsValue::from(result.unwrap_err());
    error.unchecked_into::<js_sys::Error>().message().into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}
