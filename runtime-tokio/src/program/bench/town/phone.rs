//! Devices, one after the other: they register, verify and subscribe over a link of their own, as an app does.
//!
//! A device is a number, from which its keys and those of its queues are made, so that the bench keeps nothing of a
//! million queues but what it counts.

use ntf_core::base::id::{EntityId, LinkId, TokenId};
use ntf_core::base::rng::{Rng, Seed, Stream};
use ntf_core::crypto::boxed::BoxKey;
use ntf_core::crypto::keys::{AuthPrivateKey, Ed25519Private, X25519Private, X25519Public};
use ntf_core::link::dialect::Ntf;
use ntf_core::link::engine::{ClientEvent, Engine, EnginePlan, LinkNumbers};
use ntf_core::link::event::{DownReason, LinkAction, LinkEvent, Transport};
use ntf_core::model::notification::Notice;
use ntf_core::model::push::{PushOrder, PushPayload, Sealed};
use ntf_core::model::server::{NotifierAddress, ServerAddress};
use ntf_core::model::token::Provider;
use ntf_core::wire::ntf::command::{Command, Device};
use ntf_core::wire::ntf::response::Response;
use ntf_core::wire::payload::decode_notices;

use super::{Letter, Queue, Town};
use crate::program::failure::Failure;

/// SNEW that are on their way at a time: fewer than a block window holds.
pub(in crate::program::bench) const SUBSCRIBING: usize = 64;

/// The end of a link at which a device is.
pub(super) struct Phone {
    engine: Engine<Ntf, ()>,
    numbers: LinkNumbers,
    /// The subscriber's end.
    link: LinkId,
    said: Vec<Said>,
}

/// What a subscriber has answered.
#[derive(Debug)]
pub(in crate::program::bench) enum Said {
    Ready,
    Registered(TokenId, X25519Public),
    Subscribed,
    Done,
    Else(#[expect(dead_code, reason = "read where it is shown")] String),
}

impl Said {
    /// What an event of a device's link says.
    pub(in crate::program::bench) fn of(event: &ClientEvent<'_, Ntf, ()>) -> Self {
        match event {
            ClientEvent::Ready { .. } => Self::Ready,
            ClientEvent::Reply { result: Ok(Response::Idtkn { token, dh }), .. } => {
                TokenId::from_slice(token)
                    .map_or(Self::Else("a token id of an odd length".to_owned()), |token| {
                        Self::Registered(token, *dh)
                    })
            }
            ClientEvent::Reply { result: Ok(Response::Idsub { .. }), .. } => Self::Subscribed,
            ClientEvent::Reply { result: Ok(Response::Ok), .. } => Self::Done,
            other @ (ClientEvent::Reply { .. }
            | ClientEvent::Unasked { .. }
            | ClientEvent::TimedOut { .. }
            | ClientEvent::Lost { .. }
            | ClientEvent::Down { .. }
            | ClientEvent::Unreachable { .. }
            | ClientEvent::Stray(_)) => Self::Else(format!("{other:?}")),
        }
    }
}

/// A device that is registered.
#[derive(Clone, Copy, Debug)]
pub(in crate::program::bench) struct Registered {
    pub(in crate::program::bench) number: u64,
    token: TokenId,
    server_dh: X25519Public,
}

fn keys(number: u64) -> Rng {
    Seed::from_number(number.wrapping_add(1 << 40)).stream(Stream::Keys)
}

/// The keys of a device.
pub(in crate::program::bench) fn own_keys(number: u64) -> (AuthPrivateKey, X25519Private) {
    let mut rng = keys(number.wrapping_add(1 << 50));
    (AuthPrivateKey::Ed25519(Ed25519Private::generate(&mut rng)), X25519Private::generate(&mut rng))
}

/// The device token of a device.
pub(in crate::program::bench) fn device_token(number: u64) -> String {
    format!("{number:064x}")
}

/// The notifier id of a queue.
pub(in crate::program::bench) fn notifier(queue: u64) -> Option<EntityId> {
    EntityId::new(&keys(queue).bytes::<24>())
}

fn notifier_key(queue: u64) -> AuthPrivateKey {
    let mut rng = keys(queue);
    let _: [u8; 24] = rng.bytes();
    AuthPrivateKey::Ed25519(Ed25519Private::generate(&mut rng))
}

/// The notices of a push, opened as its device does.
pub(in crate::program::bench) fn opened_notices(
    device: &Registered,
    order: &PushOrder,
) -> Option<Vec<(NotifierAddress, Notice)>> {
    let PushPayload::Message(sealed) = &order.payload else { return None };
    decode_notices(&device.open(sealed)?).ok()
}

/// The command by which a device has a queue watched.
pub(in crate::program::bench) fn snew(
    device: &Registered,
    server: ServerAddress,
    queue: u64,
) -> Option<Command<'_>> {
    Some(Command::Snew {
        token: device.token.as_bytes(),
        notifier: NotifierAddress { server, notifier: notifier(queue)? },
        key: notifier_key(queue),
    })
}

impl Registered {
    /// The device of this number, by what its TNEW was answered with.
    pub(in crate::program::bench) const fn new(number: u64, token: TokenId, server_dh: X25519Public) -> Self {
        Self { number, token, server_dh }
    }

    /// Its name at the subscriber.
    pub(in crate::program::bench) fn entity(&self) -> Option<EntityId> {
        EntityId::new(self.token.as_bytes())
    }

    /// Opens what was pushed to it.
    pub(in crate::program::bench) fn open(&self, sealed: &Sealed) -> Option<Vec<u8>> {
        let (_, own) = own_keys(self.number);
        let key = BoxKey::of_dh(&own.agree(&self.server_dh));
        let mut ciphertext = sealed.ciphertext.to_vec();
        key.open_padded(&sealed.nonce, &mut ciphertext).ok().map(<[u8]>::to_vec)
    }
}

impl Town {
    /// Connects as a device.
    pub(in crate::program::bench) fn dial(&mut self) -> Result<(), Failure> {
        self.hang_up();
        self.accepted += 1;
        let now = self.now();
        let link = LinkId::accepted(self.accepted);
        let mut engine =
            Engine::new(self.address.clone(), EnginePlan::default(), &Seed::from_number(self.accepted));
        let mut numbers = LinkNumbers::default();
        engine.connect(now);
        let transport = Transport {
            session_id: keys(self.accepted).bytes::<32>().into(),
            has_alpn: true,
            peer_chain: Vec::new(),
            showed_certificate: false,
            source: None,
        };
        if let Some(LinkAction::Connect { link: own, .. }) = engine.poll(&mut numbers) {
            let chain = self.credentials.chain.clone();
            let up =
                LinkEvent::Up { link: own, transport: Transport { peer_chain: chain, ..transport.clone() } };
            let _ = engine.on_link(now, up);
        }
        self.phone = Some(Phone { engine, numbers, link, said: Vec::new() });
        self.letters.push_back(Letter::Up(link, transport));
        self.settle();
        match self.take_said().as_slice() {
            [Said::Ready] => Ok(()),
            other => Err(unexpected("a link", other)),
        }
    }

    /// Leaves, if a device is connected.
    pub(in crate::program::bench) fn hang_up(&mut self) {
        if let Some(phone) = self.phone.take() {
            let down = Letter::Down(phone.link, DownReason::Closed);
            self.letters.push_back(down);
            self.settle();
        }
    }

    /// Registers a device and verifies it with the code that is pushed.
    pub(in crate::program::bench) fn register(&mut self, number: u64) -> Result<Registered, Failure> {
        self.dial()?;
        let (key, dh) = own_keys(number);
        let token = device_token(number);
        let auth = key.public().ok_or_else(|| Failure::failed("A key of this build has no public half."))?;
        let device = Device { provider: Provider::ApnsProd, token: token.as_bytes() };
        self.ask(None, &key, &Command::Tnew { device, auth, dh: dh.public() })?;
        self.settle();
        let said = self.take_said();
        let [Said::Registered(token, server_dh)] = said.as_slice() else {
            return Err(unexpected("TNEW", &said));
        };
        let device = Registered::new(number, *token, *server_dh);
        let pushes = self.take_pushes();
        self.accept(pushes.iter().map(|order| order.id));
        let code = match pushes.as_slice() {
            [PushOrder { payload: PushPayload::Verification(sealed), .. }] => device.open(sealed),
            _ => None,
        };
        let code = code.ok_or_else(|| Failure::failed("No code was pushed to a device."))?;
        self.settle();
        self.ask(device.entity().as_ref(), &key, &Command::Tvfy { code: &code })?;
        self.settle();
        match self.take_said().as_slice() {
            [Said::Done] => Ok(device),
            other => Err(unexpected("TVFY", other)),
        }
    }

    /// Has these queues watched for a device. It is connected already.
    pub(in crate::program::bench) fn subscribe(
        &mut self,
        device: &Registered,
        queues: &[Queue],
    ) -> Result<(), Failure> {
        let (key, _) = own_keys(device.number);
        for group in queues.chunks(SUBSCRIBING) {
            for queue in group {
                let server = self.servers.get(queue.server).map(|server| server.address().clone());
                let snew = server.and_then(|server| snew(device, server, queue.number));
                self.ask(None, &key, &snew.ok_or_else(|| Failure::failed("There is no such server."))?)?;
            }
            self.settle();
            let said = self.take_said();
            if said.len() != group.len() || !said.iter().all(|said| matches!(said, Said::Subscribed)) {
                return Err(unexpected("SNEW", &said));
            }
        }
        Ok(())
    }

    fn ask(
        &mut self,
        entity: Option<&EntityId>,
        key: &AuthPrivateKey,
        command: &Command<'_>,
    ) -> Result<(), Failure> {
        let now = self.now();
        let Some(phone) = &mut self.phone else { return Err(Failure::failed("No device is connected.")) };
        let asked = phone.engine.request(now, entity, Some(key), command, ());
        asked.map_err(|why| Failure::failed(format!("A device cannot ask: {why:?}.")))?;
        self.carry_from_phone();
        Ok(())
    }

    /// Carries what the device has to say.
    fn carry_from_phone(&mut self) {
        let now = self.now();
        let Some(phone) = &mut self.phone else { return };
        while let Some(action) = phone.engine.poll(&mut phone.numbers) {
            if let LinkAction::Send { link, block } = action {
                let _ = phone.engine.on_link(now, LinkEvent::Sent { link, blocks: 1 });
                self.letters.push_back(Letter::Block(phone.link, block));
            }
        }
    }

    /// A block for the device.
    pub(super) fn carry_to_phone(&mut self, block: &mut [u8]) {
        let now = self.now();
        let Some(phone) = &mut self.phone else { return };
        let Some(link) = phone.engine.link() else { return };
        let mut inbox = phone.engine.on_link(now, LinkEvent::Block { link, block });
        while let Some(event) = phone.engine.next(&mut inbox) {
            phone.said.push(Said::of(&event));
        }
        self.carry_from_phone();
    }

    fn take_said(&mut self) -> Vec<Said> {
        self.phone.as_mut().map(|phone| std::mem::take(&mut phone.said)).unwrap_or_default()
    }
}

fn unexpected(what: &str, said: &[Said]) -> Failure {
    Failure::failed(format!("A device asked for {what} and heard {said:?}."))
}
