//! The client's end.

use super::service::{Greeted, Introduction, OwnService, ServiceGreeting, ServiceIdentity};
use super::{LinkFault, Session, hello_block, hello_content};
use crate::base::id::EntityId;
use crate::base::rng::Rng;
use crate::crypto::cert::{self, ChainFault};
use crate::crypto::chain::BlockChains;
use crate::crypto::keys::{X25519Private, X25519Public};
use crate::link::dialect::{ClientHello, Dialect, ServerHello};
use crate::link::event::{Block, Transport};
use crate::link::outgoing::Outgoing;
use crate::model::server::Fingerprint;
use crate::wire::block::Layout;
use crate::wire::hello::smp::ServiceHello;
use crate::wire::version::VersionRange;
use alloc::vec::Vec;

/// Whether a client wants its blocks encrypted inside TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlockEncryption {
    /// Wherever protocol and version have it.
    #[default]
    WherePossible,
    /// Nowhere: TLS is enough. A peer cannot tell this client from one without a session key.
    Never,
}

/// A client that waits for the server's hello.
#[derive(Debug)]
pub struct ClientGreeting<D: Dialect> {
    transport: Transport,
    server: Fingerprint,
    versions: VersionRange<D::Version>,
    encryption: BlockEncryption,
}

impl<D: Dialect> ClientGreeting<D> {
    /// TLS to `server` is up.
    #[must_use]
    pub const fn new(
        transport: Transport,
        server: Fingerprint,
        versions: VersionRange<D::Version>,
        encryption: BlockEncryption,
    ) -> Self {
        Self { transport, server, versions, encryption }
    }

    /// Checks the server's hello. Gives the session and the block to send before anything else.
    ///
    /// # Errors
    ///
    /// The fault for which the link must be closed.
    pub fn on_hello(self, block: &[u8], keys: &mut Rng) -> Result<(ClientSession<D>, Block), LinkFault> {
        self.greet(None, block, keys).map(|(session, _, answer)| (session, answer))
    }

    /// Likewise, and introduces the client as a service where it can be one: TLS asked for its certificate
    /// and the version knows services.
    ///
    /// # Errors
    ///
    /// The fault for which the link must be closed.
    pub fn on_hello_as(
        self,
        service: &ServiceIdentity,
        block: &[u8],
        keys: &mut Rng,
    ) -> Result<(Greeted<D>, Block), LinkFault> {
        let (session, introduction, answer) = self.greet(Some(service), block, keys)?;
        let greeted = match introduction {
            Some(introduction) => Greeted::Introduced(ServiceGreeting::new(session, introduction)),
            None => Greeted::Open(session),
        };
        Ok((greeted, answer))
    }

    fn greet(
        self,
        service: Option<&ServiceIdentity>,
        block: &[u8],
        keys: &mut Rng,
    ) -> Result<(ClientSession<D>, Option<Introduction>, Block), LinkFault> {
        let hello = D::decode_server_hello(hello_content::<D>(block)?).map_err(LinkFault::Hello)?;
        if hello.session_id != &*self.transport.session_id {
            return Err(LinkFault::WrongSession);
        }
        let version = self.versions.agree(&hello.versions).ok_or(LinkFault::NoCommonVersion)?;
        let server_key = self.proven_key(&hello)?.filter(|_| D::has_session_keys(version));

        let own_key = (D::has_client_key(version) && self.encryption == BlockEncryption::WherePossible)
            .then(|| X25519Private::generate(keys));
        let chains = match (&own_key, &server_key) {
            (Some(own), Some(server)) if D::encrypts_blocks(version) => {
                Some(BlockChains::derive(hello.session_id, &own.agree(server)))
            }
            (Some(_) | None, Some(_) | None) => None,
        };
        let service = service.filter(|_| D::has_services(version) && self.transport.showed_certificate);
        let introduced = service.and_then(|service| Some((service, Introduction::of(service, keys)?)));
        let introduction = introduced.as_ref().map(|(service, introduction)| introduction.hello(service));
        let answer = self.answer(version, own_key.as_ref(), introduction)?;
        let (sealing, opening) = match chains {
            Some(chains) => (Some(chains.client_to_server), Some(chains.server_to_client)),
            None => (None, None),
        };
        let layout = match sealing {
            Some(_) => Layout::sealed(D::PROTOCOL),
            None => Layout::plain(D::PROTOCOL),
        };
        let outgoing = Outgoing::new(layout, D::format(version), sealing);
        let session = Session { version, id: self.transport.session_id, opening };
        let session = ClientSession { session, server_key, outgoing, service: None };
        Ok((session, introduced.map(|(_, introduction)| introduction), answer))
    }

    /// The hello that chooses `version`.
    fn answer(
        &self,
        version: D::Version,
        key: Option<&X25519Private>,
        service: Option<ServiceHello<'_>>,
    ) -> Result<Block, LinkFault> {
        let mut content = Vec::new();
        let hello = ClientHello {
            version,
            identity: self.server,
            key: key.map(X25519Private::public),
            is_proxy: false,
            service,
        };
        D::encode_client_hello(&hello, &mut content);
        // Only certificates of ours can be too long; without them a hello has less than 200 bytes.
        hello_block::<D>(&content).ok_or(LinkFault::UnprovenService)
    }

    /// The server's session key, if it sent one and can prove that it is its own.
    ///
    /// TLS has checked the peer's chain already. The chain in the hello is the server's word only, so it
    /// must lead to the same identity; the signature is checked with the leaf that TLS has seen.
    fn proven_key(&self, hello: &ServerHello<'_, D::Version>) -> Result<Option<X25519Public>, LinkFault> {
        let Some(signed_key) = hello.signed_key else { return Ok(None) };
        let is_theirs = |chain: Result<Fingerprint, ChainFault>| chain == Ok(self.server);
        if D::REPEATS_CHAIN && (hello.chain.len() < 2 || !is_theirs(cert::identity_of(&hello.chain))) {
            return Err(LinkFault::WrongIdentity);
        }
        if !is_theirs(cert::identity_of(&self.transport.peer_chain)) {
            return Err(LinkFault::WrongIdentity);
        }
        let leaf = self.transport.peer_chain.first().ok_or(LinkFault::WrongIdentity)?;
        let leaf = cert::leaf_public_key(leaf).map_err(|_| LinkFault::UnsignedKey)?;
        cert::verify_session_key(signed_key, &leaf).map(Some).map_err(|_| LinkFault::UnsignedKey)
    }
}

/// The client's end of an open link.
#[derive(Debug)]
pub struct ClientSession<D: Dialect> {
    pub(crate) session: Session<D>,
    /// The server's session key: for authenticators.
    pub(crate) server_key: Option<X25519Public>,
    pub(crate) outgoing: Outgoing,
    /// The service that we are here.
    pub(crate) service: Option<OwnService>,
}

impl<D: Dialect> ClientSession<D> {
    /// The agreed version.
    #[must_use]
    pub const fn version(&self) -> D::Version {
        self.session.version
    }

    /// Whether commands can be authorized with an X25519 key.
    #[must_use]
    pub const fn has_server_key(&self) -> bool {
        self.server_key.is_some()
    }

    /// The id of the service that we are here, if we are one.
    #[must_use]
    pub fn service(&self) -> Option<&EntityId> {
        self.service.as_ref().map(|service| &service.id)
    }
}
