//! A link as its server: whatever the client sends, before and after the hellos.

use std::collections::BTreeMap;

use ntf_core::base::rng::{Seed, Stream};
use ntf_core::crypto::keys::{AuthPrivateKey, AuthPublicKey, Ed25519Private};
use ntf_core::link::dialect::{Dialect, Ntf, Signing, Smp};
use ntf_core::link::responder::{Credential, Responder};
use ntf_core::wire::block::Layout;
use ntf_core::wire::error_code::ErrorCode;
use ntf_core::wire::transmission::write_body;
use ntf_core::wire::version::Version;
use ntf_core::wire::{ntf, smp};

use crate::peer::{Channel, ClientWishes, answer, credentials, transport, x25519};
use crate::script::{Pen, Script};

/// Input: one byte for protocol and ALPN, then what happens.
pub fn link_server(data: &[u8]) {
    let mut script = Script::new(data);
    let setup = script.byte();
    match setup & 1 {
        0 => World::<Smp>::new(setup).run(&mut script),
        _ => World::<Ntf>::new(setup).run(&mut script),
    }
}

pub fn scripts() -> impl Iterator<Item = Vec<u8>> {
    // A command, an entity, the length of the correlation id, a key; whether rightly signed, and once or twice.
    let item = |command, entity, key, signed, twice| [command, entity, 1, key, signed, twice];
    (0..4).flat_map(move |setup| {
        // Without ALPN only the oldest version is offered.
        let version = if setup & 2 == 0 { 0xff } else { 0 };
        let open = || Pen::default().bytes(&[setup, HELLO, version, 1]);
        [
            open()
                .bytes(&[BATCH, 0])
                .bytes(&item(0, 1, 0, RIGHTLY, 0))
                .bytes(&[0, BATCH, 1])
                .bytes(&item(1, 1, 1, RIGHTLY, 0))
                .bytes(&item(2, 1, 2, RIGHTLY, 1))
                .bytes(&[1, 2, BATCH, 0])
                .bytes(&item(0, 1, 0, NOT_AT_ALL, 0))
                .0,
            open().bytes(&[RAW_CONTENT, 0, 6, 1, 0, 3, 0, 0, 0, EVENT, 1, SENT, 3]).0,
            Pen::default().bytes(&[setup, RAW_HELLO, 0, 3, 0, 18, 0, RAW_BLOCK]).short(b"#").0,
        ]
    })
}

const HELLO: u8 = 0;
const RAW_HELLO: u8 = 1;
const BATCH: u8 = 2;
const RAW_CONTENT: u8 = 3;
const RAW_BLOCK: u8 = 4;
const EVENT: u8 = 5;
const SENT: u8 = 6;
const OPERATIONS: usize = 7;

const RIGHTLY: u8 = 0;
const NOT_AT_ALL: u8 = 3;

pub trait Answers: Dialect {
    /// Commands that can be read.
    const COMMANDS: &'static [&'static [u8]];
    fn message(choice: u8) -> Self::Message<'static>;
}

impl Answers for Smp {
    const COMMANDS: &'static [&'static [u8]] =
        &[b"NSUB", b"SUB", b"GET", b"PING", b"SEND T hello", b"NDEL", b"ACK \x00"];

    fn message(choice: u8) -> Self::Message<'static> {
        use smp::response::Message;
        match choice % 6 {
            0 => Message::Ok,
            1 => Message::Nmsg { nonce: [3; 24], meta: &[4; 144] },
            2 => Message::Msg { id: &[5; 24], body: &[6; 16_122] },
            3 => Message::Deld,
            4 => Message::Msg { id: &[5; 255], body: &[6; 16_384] },
            _ => Message::Pong,
        }
    }
}

impl Answers for Ntf {
    const COMMANDS: &'static [&'static [u8]] =
        &[b"TCHK", b"TDEL", b"SCHK", b"PING", b"TVFY \x01x", b"TCRN \x00\x14"];

    fn message(choice: u8) -> Self::Message<'static> {
        use ntf::response::Response;
        match choice % 3 {
            0 => Response::Ok,
            1 => Response::Err(ErrorCode::Other(TOO_LONG)),
            _ => Response::Pong,
        }
    }
}

/// No NTF block carries it.
const TOO_LONG: &str = const {
    const TEXT: [u8; 600] = [b'x'; 600];
    match core::str::from_utf8(&TEXT) {
        Ok(text) => text,
        Err(_) => "",
    }
};

const KEYS: usize = 3;

fn signer(number: usize) -> AuthPrivateKey {
    match number {
        0 => Ed25519Private::from_seed([6; 32]).into(),
        1 => x25519(7).into(),
        _ => Ed25519Private::from_seed([8; 32]).into(),
    }
}

/// How a transmission of the fuzzer's was authorized.
struct Authorized {
    /// By this key, rightly.
    by: Option<usize>,
    with_service_signature: bool,
}

struct World<D: Dialect> {
    responder: Responder<D>,
    client: Client<D>,
    /// What was sent and by whom it was authorized, by correlation id.
    sent: BTreeMap<Vec<u8>, Authorized>,
    next_corr: u32,
    credentials: u8,
    /// Answers and events that the client must get.
    owed: usize,
    authorized: u32,
}

enum Client<D: Dialect> {
    Greeted(Vec<u8>),
    Open(Channel<D>),
    Over,
}

impl<D: Answers> World<D> {
    fn new(setup: u8) -> Self {
        let mut keys = Seed::from_number(2).stream(Stream::Keys);
        let transport = transport(setup & 2 == 0, false);
        let mut responder = Responder::accept(&transport, &credentials(), D::VERSIONS, &mut keys)
            .expect("the credentials are a server's");
        let hello = responder.take_block().expect("the server speaks first").into_vec();
        let client = Client::Greeted(hello);
        Self {
            responder,
            client,
            sent: BTreeMap::new(),
            next_corr: 0,
            credentials: 0,
            owed: 0,
            authorized: 0,
        }
    }

    fn run(&mut self, script: &mut Script<'_>) {
        for _ in 0..64 {
            if script.is_over() {
                break;
            }
            self.step(script);
            self.receive();
        }
    }

    fn step(&mut self, script: &mut Script<'_>) {
        match u8::try_from(script.below(OPERATIONS)).expect("operations are few") {
            HELLO => {
                let wishes = ClientWishes {
                    version: D::Version::from_number(
                        u16::from(script.byte())
                            .clamp(D::VERSIONS.min().number(), D::VERSIONS.max().number()),
                    ),
                    sends_key: script.flag(),
                    is_proxy: false,
                };
                self.greet(&wishes);
            }
            RAW_HELLO => {
                let hello = Layout::plain(D::PROTOCOL).block(script.large());
                if let (Client::Greeted(_), Ok(hello)) = (&self.client, hello) {
                    self.client = Client::Over;
                    self.hand_in(hello, script);
                    assert!(self.responder.version().is_none(), "no fuzzer knows the fingerprint");
                }
            }
            BATCH => self.ask(script),
            RAW_CONTENT => {
                let content = script.large();
                let Client::Open(channel) = &mut self.client else { return };
                if let Some(block) = channel.seal(content) {
                    self.owed += channel.expected_replies(content);
                    self.hand_in(block, script);
                }
            }
            RAW_BLOCK => {
                let mut block = script.short().to_vec();
                block.resize(D::PROTOCOL.block_len() - script.below(2), script.byte());
                let is_whole = block.len() == D::PROTOCOL.block_len();
                match &self.client {
                    // A cipher is out of step after it, so nothing later can be read.
                    Client::Open(_) if is_whole => {
                        assert!(self.responder.on_block(&mut block).is_ok());
                        self.client = Client::Over;
                    }
                    Client::Open(_) | Client::Greeted(_) => {
                        let result = self.responder.on_block(&mut block);
                        assert!(result.is_err(), "such a block ends the link");
                        self.client = Client::Over;
                    }
                    Client::Over => assert!(self.responder.on_block(&mut block).is_ok() || !is_whole),
                }
            }
            EVENT => {
                self.responder.event(&[9; 24], &D::message(script.byte()));
                self.owed += usize::from(matches!(self.client, Client::Open(_)));
            }
            _ => {
                self.responder.on_sent(script.byte().into());
            }
        }
    }

    fn greet(&mut self, wishes: &ClientWishes<D::Version>) {
        let Client::Greeted(hello) = &self.client else { return };
        let (mut block, channel) = answer::<D>(hello, wishes);
        match self.responder.on_block(&mut block) {
            Ok(mut requests) => {
                assert!(self.responder.next_request(&mut requests).is_none());
                assert_eq!(self.responder.version(), Some(wishes.version));
                self.client = Client::Open(channel);
            }
            // A version that was not offered.
            Err(_) => {
                assert_eq!(self.responder.version(), None);
                self.client = Client::Over;
            }
        }
    }

    /// A block of commands, authorized rightly and wrongly.
    fn ask(&mut self, script: &mut Script<'_>) {
        let mut items = vec![];
        let Client::Open(channel) = &mut self.client else { return };
        for _ in 0..=script.below(4) {
            let command = match script.below(D::COMMANDS.len() + 1) {
                choice if choice < D::COMMANDS.len() => D::COMMANDS[choice],
                _ => script.short(),
            };
            let entity = match script.below(4) {
                0 => &[][..],
                1 => &[9; 24],
                2 => &[9; 255],
                _ => script.short(),
            };
            let corr = self.next_corr.to_be_bytes();
            let corr = [corr.as_slice(), &vec![0; script.one_of(&[0, 20, 251])]].concat();
            self.next_corr += 1;
            let mut body = vec![];
            write_body(&corr, entity, &mut body, |out| out.extend_from_slice(command));
            let key = script.below(KEYS);
            let mut authorization = channel.sign(&signer(key), &corr, &body).unwrap_or_default();
            let mut by = (!authorization.is_empty()).then_some(key);
            match script.below(5) {
                0 | 1 => {}
                2 => {
                    let at = script.below(authorization.len().max(1));
                    if let Some(byte) = authorization.get_mut(at) {
                        *byte ^= script.byte().max(1);
                        by = None;
                    }
                }
                3 => (authorization, by) = (vec![], None),
                _ => (authorization, by) = (script.short().into(), None),
            }
            let service_signature = script.flag().then_some([1; 64]);
            let item =
                channel.write(&authorization, service_signature.as_ref().map(<[u8; 64]>::as_slice), &body);
            let with_service_signature =
                channel.split(&item).is_some_and(|item| item.service_signature.is_some());
            self.sent.insert(corr, Authorized { by, with_service_signature });
            items.push(item);
        }
        if let Some(block) = channel.seal_batch(&items) {
            self.owed += items.len();
            self.hand_in(block, script);
        }
    }

    fn hand_in(&mut self, mut block: Vec<u8>, script: &mut Script<'_>) {
        let Ok(mut requests) = self.responder.on_block(&mut block) else {
            self.client = Client::Over;
            return;
        };
        let public = [0, 1, 2].map(|number| signer(number).public().expect("the algorithm is known"));
        while let Some(request) = self.responder.next_request(&mut requests) {
            let choice = self.credentials % 6;
            self.credentials = self.credentials.wrapping_add(1);
            let corr = request.reply_to().corr.to_vec();
            let sent = self.sent.remove(&corr);
            let by = sent.as_ref().and_then(|sent| sent.by);
            // No client here is a service.
            let is_bare = sent.as_ref().is_some_and(|sent| !sent.with_service_signature)
                && D::signing(request.command()) != Signing::Service;
            let (credential, expected) = match choice {
                number @ 0..=2 => {
                    let key: &AuthPublicKey = &public[usize::from(number)];
                    (Credential::Key(key), by == Some(usize::from(number)) && is_bare)
                }
                3 => (Credential::AnyOf(&public[..2]), matches!(by, Some(0 | 1)) && is_bare),
                4 => (Credential::Unknown, false),
                _ => {
                    // Open commands must come without authorization; only the responder sees whether.
                    if let Ok(authorized) = self.responder.verify(request, Credential::Open) {
                        assert_eq!(by, None, "what is open is not authorized");
                        self.responder.reply(authorized.reply_to(), &D::message(script.byte()));
                    }
                    continue;
                }
            };
            match self.responder.verify(request, credential) {
                Ok(authorized) => {
                    assert!(expected, "only the owner of the key gets through");
                    self.authorized += 1;
                    assert_eq!(authorized.reply_to().corr, corr);
                    self.responder.reply(authorized.reply_to(), &D::message(script.byte()));
                }
                Err(_) => assert!(!expected, "the owner of the key gets through"),
            }
        }
    }

    /// The client reads what it was sent, and was told as much as it is owed.
    fn receive(&mut self) {
        let mut told = 0;
        while let Some(block) = self.responder.take_block() {
            match &mut self.client {
                Client::Open(channel) => {
                    for message in channel.open(block) {
                        assert!(message.authorization.is_empty(), "answers are not authorized");
                        assert!(D::decode_message(&message.command, channel.version).is_ok());
                        told += 1;
                    }
                }
                Client::Greeted(_) | Client::Over => assert_eq!(block.len(), D::PROTOCOL.block_len()),
            }
        }
        if let Client::Open(_) = self.client {
            // What no block carries is counted, and mostly answered with an error all the same.
            let unsendable = usize::try_from(self.responder.unsendable()).expect("a test is short");
            assert!(told <= self.owed && self.owed - told <= unsendable, "{told} of {}", self.owed);
        }
        self.owed = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_get_commands_through() {
        fn authorized<D: Answers>(mut script: Script<'_>, setup: u8) -> u32 {
            let mut world = World::<D>::new(setup);
            world.run(&mut script);
            world.authorized
        }
        for (number, bytes) in scripts().enumerate() {
            let mut script = Script::new(&bytes);
            let setup = script.byte();
            let count = match setup & 1 {
                0 => authorized::<Smp>(script, setup),
                _ => authorized::<Ntf>(script, setup),
            };
            assert_eq!(count > 0, number % 3 == 0, "script {number}: {count}");
        }
    }
}
