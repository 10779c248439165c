//! A stranger who hammers the subscriber: with silence, with noise, and with the protocol's own words.

use crate::base::id::LinkId;
use crate::base::reach::Reach;
use crate::base::rng::Rng;
use crate::crypto::auth::authorize;
use crate::crypto::keys::{AuthPrivateKey, Ed25519Private, X25519Private};
use crate::link::event::LinkAction;
use crate::model::server::{Fingerprint, Protocol};
use crate::model::token::Provider;
use crate::sim::Heard;
use crate::sim::stage::Stage;
use crate::sim::stage::agenda::Task;
use crate::wire::batch::BatchWriter;
use crate::wire::block::{self, Layout};
use crate::wire::hello::ntf;
use crate::wire::ntf::command::{Command, Device};
use crate::wire::transmission::{Format, Outgoing, write_authorized, write_body};
use crate::wire::version::NtfVersion;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

/// What a stranger has going.
#[derive(Default)]
pub(super) struct Hammering {
    /// The one that is on, by its number.
    on: Option<u32>,
    begun: u32,
    /// Connections that were asked for.
    knocks: u64,
    /// Where the protocol is spoken.
    sessions: BTreeMap<LinkId, Session>,
}

/// A link over which the stranger speaks as a device would.
struct Session {
    id: Box<[u8]>,
    /// What the hellos agreed on.
    version: Option<NtfVersion>,
}

impl Hammering {
    pub(super) const fn is_on(&self) -> bool {
        self.on.is_some()
    }

    /// Whether it is still the one that asked for a step.
    pub(super) fn is(&self, since: u32) -> bool {
        self.on == Some(since)
    }
}

impl Stage {
    pub(super) fn set_hostile(&mut self, is_on: bool) {
        let hammering = &mut self.machinery.hammering;
        hammering.on = is_on.then(|| {
            hammering.begun += 1;
            self.agenda.add(self.world.now().mono, Task::Hammer { since: hammering.begun });
            hammering.begun
        });
    }

    /// One more connection, and something over each of those where something came.
    pub(super) fn hammer(&mut self) {
        let Some(server) = self.cast.subscriber().1.cloned() else { return };
        let identity = server.identity;
        self.machinery.hammering.knocks += 1;
        let link = LinkId::opened(self.machinery.hammering.knocks);
        let (protocol, reach) = (Protocol::Ntf, Reach::Anywhere);
        let connect = LinkAction::Connect { link, protocol, server, showing: None, reach };
        self.world.act(self.cast.stranger, connect);
        for heard in self.world.take_heard(self.cast.stranger) {
            match heard {
                // Every third connection stays silent: that is a way to hammer too.
                Heard::Up { link, transport } => match self.choice.below(3) {
                    0 => {}
                    1 => self.shout(link),
                    _ => {
                        let session = Session { id: transport.session_id, version: None };
                        self.machinery.hammering.sessions.insert(link, session);
                    }
                },
                Heard::Block { link, block } => self.answer(link, &block, identity),
                Heard::Down { link, .. } => {
                    self.machinery.hammering.sessions.remove(&link);
                }
                Heard::Push(_) => {}
            }
        }
    }

    /// A question for each block that comes; the server's hello is answered as well.
    fn answer(&mut self, link: LinkId, block: &[u8], identity: Fingerprint) {
        let Some(session) = self.machinery.hammering.sessions.get_mut(&link) else { return };
        let hello = match session.version {
            None => session.greet(block, identity),
            Some(_) => None,
        };
        let question = session.ask(&mut self.choice);
        for block in [hello, question].into_iter().flatten() {
            self.world.act(self.cast.stranger, LinkAction::Send { link, block: block.into() });
        }
    }

    fn shout(&mut self, link: LinkId) {
        let mut block = vec![0; Protocol::Ntf.block_len()];
        for byte in &mut block {
            *byte = u8::try_from(self.choice.below(256)).unwrap_or(0);
        }
        self.world.act(self.cast.stranger, LinkAction::Send { link, block: block.into() });
    }
}

impl Session {
    /// The hello of a client, in answer to the server's.
    fn greet(&mut self, hello: &[u8], identity: Fingerprint) -> Option<Vec<u8>> {
        let offer = ntf::ServerHello::decode(block::content(hello).ok()?).ok()?;
        let version = offer.versions.max();
        self.version = Some(version);
        let mut content = Vec::new();
        ntf::ClientHello { version, identity }.encode(&mut content);
        Layout::plain(Protocol::Ntf).block(&content).ok()
    }

    /// A command that is lawful in form: what is no device token is to be registered, or somebody else's token is to
    /// be verified or deleted, whose id is guessed.
    fn ask(&self, rng: &mut Rng) -> Option<Vec<u8>> {
        let version = self.version?;
        let key = AuthPrivateKey::Ed25519(Ed25519Private::generate(rng));
        let (guess, code) = (rng.bytes::<24>(), rng.bytes::<32>());
        let dh = X25519Private::generate(rng).public();
        let (entity, command) = match rng.below(3) {
            0 => {
                let device = Device { provider: Provider::ApnsTest, token: b"no token" };
                (&[][..], Command::Tnew { device, auth: key.public()?, dh })
            }
            1 => (&guess[..], Command::Tvfy { code: &code }),
            _ => (&guess[..], Command::Tdel),
        };
        let corr = rng.bytes::<24>();
        let (mut body, mut to_auth) = (Vec::new(), Vec::new());
        write_body(&corr, entity, &mut body, |out| command.encode(version, out));
        write_authorized(&self.id, &body, &mut to_auth);
        let authorization = authorize(&key, None, &corr, &to_auth).ok()?;
        let outgoing = Outgoing {
            authorization: authorization.as_bytes(),
            service_signature: None,
            session_id: &self.id,
            body: &body,
        };
        let format = Format::ntf(version);
        let mut batch = BatchWriter::new(Layout::plain(Protocol::Ntf), format);
        batch.push_with(|out| outgoing.encode(format, out)).ok()?;
        batch.finish()
    }
}
