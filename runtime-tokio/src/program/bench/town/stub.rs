//! An SMP server that grants every NSUB and keeps no queues: what a subscriber hears of a real one, for nothing.
//!
//! It reads and encrypts as a real one does, and verifies no signature.

use ntf_core::base::id::{EntityId, LinkId};
use ntf_core::base::rng::{Rng, Seed, Stream};
use ntf_core::crypto::cert::{ServerCredentials, self_signed};
use ntf_core::link::dialect::Smp;
use ntf_core::link::event::{Block, Transport};
use ntf_core::link::responder::Responder;
use ntf_core::model::server::ServerAddress;
use ntf_core::wire::error_code::ErrorCode;
use ntf_core::wire::smp::command::Command;
use ntf_core::wire::smp::response::Message;
use ntf_core::wire::version::VersionRange;

use crate::program::failure::Failure;

/// An encrypted description of a message: 128 bytes and their tag. Source: `smp-transport` 6.1.
const META_LEN: usize = 144;

/// Where the second host of a server is, as those have that come with the apps.
const ONION: &str = "bylepyau3ty4czmn77q4fglvperknl4bi2eb2fdy2bh4jxtf32kf73yd.onion";

/// A server and the link that it has.
pub(super) struct StubServer {
    address: ServerAddress,
    credentials: ServerCredentials,
    rng: Rng,
    session: Option<Session>,
    /// Whether it asks clients for a certificate.
    has_services: bool,
    /// Queues that it has granted. Those of a service it keeps over restarts.
    granted: i64,
}

struct Session {
    link: LinkId,
    responder: Responder<Smp>,
}

/// The address under which these credentials are believed.
pub(super) fn address(host: &str, credentials: &ServerCredentials) -> Result<ServerAddress, Failure> {
    let identity = credentials.identity().map_err(|fault| Failure::failed(format!("{fault:?}")))?;
    Ok(ServerAddress { hosts: vec![host.into(), ONION.into()], port: "".into(), identity })
}

/// A key with a chain of two certificates. That the second one signs the first is for TLS to check, and there is none.
pub(super) fn credentials(rng: &mut Rng) -> ServerCredentials {
    let mut credentials = self_signed(rng);
    credentials.chain.extend(self_signed(rng).chain);
    credentials
}

impl StubServer {
    pub(super) fn new(number: usize, has_services: bool) -> Result<Self, Failure> {
        let seed = Seed::from_number(u64::try_from(number).unwrap_or(0) + 1000);
        let mut rng = seed.stream(Stream::World);
        let credentials = credentials(&mut rng);
        let address = address(&format!("smp{number}.example.org"), &credentials)?;
        Ok(Self { address, credentials, rng, session: None, has_services, granted: 0 })
    }

    pub(super) const fn address(&self) -> &ServerAddress {
        &self.address
    }

    /// The link that is open.
    pub(super) fn link(&self) -> Option<LinkId> {
        self.session.as_ref().map(|session| session.link)
    }

    /// Forgets its link, and gives it.
    pub(super) fn restart(&mut self) -> Option<LinkId> {
        self.session.take().map(|session| session.link)
    }

    /// TLS is up on a link. What the subscriber learns of it, and the block that comes first.
    pub(super) fn accept(
        &mut self,
        link: LinkId,
        shown: Vec<Box<[u8]>>,
    ) -> Option<(Transport, Option<Block>)> {
        let showed_certificate = self.has_services && !shown.is_empty();
        let transport = Transport {
            session_id: self.rng.bytes::<32>().into(),
            has_alpn: true,
            peer_chain: if showed_certificate { shown } else { Vec::new() },
            showed_certificate: false,
            source: None,
        };
        let mut responder =
            Responder::accept(&transport, &self.credentials, VersionRange::SMP, &mut self.rng).ok()?;
        let hello = responder.take_block();
        self.session = Some(Session { link, responder });
        Some((
            Transport { peer_chain: self.credentials.chain.clone(), showed_certificate, ..transport },
            hello,
        ))
    }

    /// Grants what a block asks for.
    pub(super) fn on_block(&mut self, block: &mut [u8]) -> Vec<Block> {
        let Some(Session { responder, .. }) = &mut self.session else { return Vec::new() };
        grant(responder, block, &mut self.granted)
    }

    /// Tells of a message in each of these queues.
    pub(super) fn notices(&mut self, queues: &[EntityId]) -> Vec<Block> {
        let Some(Session { responder, .. }) = &mut self.session else { return Vec::new() };
        for queue in queues {
            let (nonce, meta) = (self.rng.bytes(), self.rng.bytes::<META_LEN>());
            responder.event(queue.as_bytes(), &Message::Nmsg { nonce, meta: &meta });
        }
        let blocks: Vec<_> = std::iter::from_fn(|| responder.take_block()).collect();
        responder.on_sent(u32::try_from(blocks.len()).unwrap_or(u32::MAX));
        blocks
    }
}

/// Grants what a block asks for, without looking at a signature, and counts the queues.
pub(in crate::program::bench) fn grant(
    responder: &mut Responder<Smp>,
    block: &mut [u8],
    granted: &mut i64,
) -> Vec<Block> {
    let Ok(mut requests) = responder.on_block(block) else { return Vec::new() };
    if responder.applicant().is_some()
        && let Some(id) = EntityId::new(&SERVICE)
    {
        responder.accept_service(id);
    }
    let is_service = responder.service().is_some();
    while let Some(request) = responder.next_request(&mut requests) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "a subscriber asks for nothing else")]
        let answer = match request.command() {
            Command::Nsub => {
                *granted += 1;
                if is_service { Message::Sok { service: Some(&SERVICE) } } else { Message::Ok }
            }
            Command::Nsubs => Message::Soks { count: *granted },
            Command::Ping => Message::Pong,
            _ => Message::Err(ErrorCode::Auth),
        };
        responder.reply(request.reply_to(), &answer);
    }
    std::iter::from_fn(|| responder.take_block()).collect()
}

/// The id of the one service that a server knows.
const SERVICE: [u8; 24] = [0x5e; 24];
