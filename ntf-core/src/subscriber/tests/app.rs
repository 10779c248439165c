//! Devices: their end of the link, and the app with its keys.

use crate::base::fault::PeerFault;
use crate::base::id::LinkId;
use crate::crypto::auth;
use crate::crypto::boxed::BoxKey;
use crate::crypto::keys::{AuthPrivateKey, Ed25519Private, X25519Private, X25519Public};
use crate::link::dialect::Ntf;
use crate::link::event::LinkEvent;
use crate::link::state::ClientSession;
use crate::model::notification::Notice;
use crate::model::push::{PushOrder, PushPayload, Sealed};
use crate::model::server::NotifierAddress;
use crate::model::token::{DeviceToken, Provider};
use crate::subscriber::input::Input;
use crate::subscriber::tests::world::{Queue, World};
use crate::wire::batch::BatchReader;
use crate::wire::ntf::command::{Command, Device as DeviceField};
use crate::wire::ntf::response::Response;
use crate::wire::payload;
use crate::wire::transmission::{self, Format};
use crate::wire::version::NtfVersion;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

/// A device's end of its link.
pub(super) struct Device {
    pub(super) link: LinkId,
    pub(super) session: ClientSession<Ntf>,
    next_corr: u64,
}

/// A reply with its ids.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) corr: Vec<u8>,
    pub(super) entity: Vec<u8>,
    pub(super) command: Vec<u8>,
}

impl Reply {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.command).to_string()
    }

    pub(super) fn response(&self) -> Result<Response<'_>, PeerFault> {
        Response::decode(&self.command, NtfVersion::MAX)
    }
}

impl Device {
    pub(super) const fn new(link: LinkId, session: ClientSession<Ntf>) -> Self {
        Self { link, session, next_corr: 0 }
    }

    /// Sends blocks of raw transmissions; gives all replies.
    pub(super) fn send(&mut self, world: &mut World, transmissions: &[Vec<u8>]) -> Vec<Reply> {
        for transmission in transmissions {
            self.session.outgoing.push(|out| out.extend_from_slice(transmission)).unwrap();
        }
        let mut replies = Vec::new();
        while let Some(mut block) = self.session.outgoing.take() {
            self.session.outgoing.on_sent(1);
            replies.extend(self.send_block(world, &mut block));
        }
        replies
    }

    pub(super) fn send_block(&mut self, world: &mut World, block: &mut [u8]) -> Vec<Reply> {
        world.handle(Input::Link(LinkEvent::Block { link: self.link, block }));
        self.receive(world)
    }

    /// The replies that came since the last look.
    pub(super) fn receive(&mut self, world: &mut World) -> Vec<Reply> {
        let format = Format::ntf(self.session.version());
        let mut replies = Vec::new();
        for mut block in world.devices.get_mut(&self.link).map(core::mem::take).unwrap_or_default() {
            let content = self.session.session.open(&mut block).unwrap();
            for item in BatchReader::new(content, format).unwrap() {
                let item = item.unwrap();
                assert!(item.authorization.is_empty());
                replies.push(Reply {
                    corr: item.corr_id.into(),
                    entity: item.entity_id.into(),
                    command: item.command.into(),
                });
            }
        }
        replies
    }

    pub(super) fn corr(&mut self) -> [u8; 24] {
        self.next_corr += 1;
        let mut corr = [0; 24];
        corr[..8].copy_from_slice(&self.next_corr.to_be_bytes());
        corr
    }

    /// A transmission of these parts, authorized with the key if there is one.
    pub(super) fn write(
        &self,
        key: Option<&AuthPrivateKey>,
        corr: &[u8],
        entity: &[u8],
        command: &[u8],
    ) -> Vec<u8> {
        let mut body = Vec::new();
        transmission::write_body(corr, entity, &mut body, |out| out.extend_from_slice(command));
        let mut to_auth = Vec::new();
        transmission::write_authorized(&self.session.session.id, &body, &mut to_auth);
        let server_key = self.session.server_key.as_ref();
        let authorization = key.map(|key| auth::authorize(key, server_key, corr, &to_auth).unwrap());
        let authorization = authorization.as_ref().map_or(&[][..], |bytes| bytes.as_bytes());
        self.write_signed(authorization, &body)
    }

    /// A transmission with this authorization, whatever it is worth.
    pub(super) fn write_signed(&self, authorization: &[u8], body: &[u8]) -> Vec<u8> {
        let mut out = vec![u8::try_from(authorization.len()).unwrap()];
        out.extend_from_slice(authorization);
        if Format::ntf(self.session.version()).sends_session_id() {
            out.push(u8::try_from(self.session.session.id.len()).unwrap());
            out.extend_from_slice(&self.session.session.id);
        }
        out.extend_from_slice(body);
        out
    }

    /// Asks one thing; the reply has the right ids.
    pub(super) fn ask(
        &mut self,
        world: &mut World,
        key: Option<&AuthPrivateKey>,
        entity: &[u8],
        command: &Command<'_>,
    ) -> Reply {
        let mut bytes = Vec::new();
        command.encode(self.session.version(), &mut bytes);
        let corr = self.corr();
        let transmission = self.write(key, &corr, entity, &bytes);
        let mut replies = self.send(world, &[transmission]);
        assert_eq!(replies.len(), 1, "{replies:?}");
        let reply = replies.remove(0);
        assert_eq!((&reply.corr[..], &reply.entity[..]), (&corr[..], entity));
        reply
    }
}

/// The app on a device: its keys, and what it learned.
pub(super) struct App {
    pub(super) key: AuthPrivateKey,
    pub(super) dh: X25519Private,
    pub(super) token: DeviceToken,
    pub(super) id: Vec<u8>,
    server_public: Option<X25519Public>,
}

impl App {
    /// An app with keys made from `number`, on a device with this token.
    pub(super) fn new(number: u8, token: &str) -> Self {
        Self {
            key: AuthPrivateKey::Ed25519(Ed25519Private::from_seed([number; 32])),
            dh: X25519Private::from_bytes([number; 32]),
            token: DeviceToken { provider: Provider::ApnsTest, token: token.as_bytes().into() },
            id: Vec::new(),
            server_public: None,
        }
    }

    pub(super) fn try_register(&self, world: &mut World, device: &mut Device) -> Reply {
        let command = Command::Tnew {
            device: DeviceField::of(&self.token),
            auth: self.key.public().unwrap(),
            dh: self.dh.public(),
        };
        device.ask(world, Some(&self.key), &[], &command)
    }

    pub(super) fn register(&mut self, world: &mut World, device: &mut Device) {
        let reply = self.try_register(world, device);
        self.registered(&reply);
    }

    /// Takes in the answer to TNEW.
    pub(super) fn registered(&mut self, reply: &Reply) {
        let Ok(Response::Idtkn { token, dh }) = reply.response() else { panic!("{}", reply.text()) };
        self.id = token.into();
        self.server_public = Some(dh);
    }

    /// The code in a verification push.
    pub(super) fn code(&self, order: &PushOrder) -> Vec<u8> {
        assert_eq!(order.device, self.token);
        match &order.payload {
            PushPayload::Verification(sealed) => self.open(sealed),
            PushPayload::Message(_)
            | PushPayload::Hidden(_)
            | PushPayload::CheckMessages
            | PushPayload::Alert(_) => panic!("no verification: {order:?}"),
        }
    }

    /// The code in an order, if it is a verification push for this app.
    pub(super) fn try_code(&self, order: &PushOrder) -> Option<Vec<u8>> {
        let PushPayload::Verification(sealed) = &order.payload else { return None };
        let key = BoxKey::of_dh(&self.dh.agree(&self.server_public?));
        let mut bytes = sealed.ciphertext.to_vec();
        key.open_padded(&sealed.nonce, &mut bytes).ok().map(<[u8]>::to_vec)
    }

    /// The notices in a push, oldest first.
    pub(super) fn notices(&self, order: &PushOrder) -> Vec<(NotifierAddress, Notice)> {
        assert_eq!(order.device, self.token);
        match &order.payload {
            PushPayload::Message(sealed) | PushPayload::Hidden(sealed) => {
                payload::decode_notices(&self.open(sealed)).unwrap()
            }
            PushPayload::Verification(_) | PushPayload::CheckMessages | PushPayload::Alert(_) => {
                panic!("no message: {order:?}")
            }
        }
    }

    fn open(&self, sealed: &Sealed) -> Vec<u8> {
        let key = BoxKey::of_dh(&self.dh.agree(&self.server_public.unwrap()));
        let mut bytes = sealed.ciphertext.to_vec();
        key.open_padded(&sealed.nonce, &mut bytes).unwrap().into()
    }

    pub(super) fn ask(&self, world: &mut World, device: &mut Device, command: &Command<'_>) -> String {
        device.ask(world, Some(&self.key), &self.id, command).text()
    }

    /// Registers and echoes the code.
    pub(super) fn verified(world: &mut World, device: &mut Device, number: u8, token: &str) -> Self {
        let mut app = Self::new(number, token);
        app.register(world, device);
        let code = app.code(&world.take_order());
        assert_eq!(app.ask(world, device, &Command::Tvfy { code: &code }), "OK");
        app
    }

    pub(super) fn try_subscribe(
        &self,
        world: &mut World,
        device: &mut Device,
        notifier: NotifierAddress,
        key: &AuthPrivateKey,
    ) -> Reply {
        let command = Command::Snew { token: &self.id, notifier, key: key.clone() };
        device.ask(world, Some(&self.key), &[], &command)
    }

    /// Subscribes a queue of the server at `host`.
    pub(super) fn subscribe(
        &self,
        world: &mut World,
        device: &mut Device,
        host: &str,
        queue: &Queue,
    ) -> Vec<u8> {
        let notifier = queue.at(world.smp_address(host));
        let reply = self.try_subscribe(world, device, notifier, &queue.key);
        match reply.response() {
            Ok(Response::Idsub { subscription }) => subscription.into(),
            _ => panic!("{}", reply.text()),
        }
    }

    pub(super) fn unsubscribe(&self, world: &mut World, device: &mut Device, subscription: &[u8]) {
        let answer = device.ask(world, Some(&self.key), subscription, &Command::Sdel);
        assert_eq!(answer.text(), "OK");
    }

    pub(super) fn status(&self, world: &mut World, device: &mut Device, subscription: &[u8]) -> String {
        device.ask(world, Some(&self.key), subscription, &Command::Schk).text()
    }
}
