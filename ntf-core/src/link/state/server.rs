//! The server's end.

use super::service::{Applicant, PeerService};
use super::{LinkFault, Session, hello_block, hello_content};
use crate::base::fault::Misuse;
use crate::base::rng::Rng;
use crate::crypto::cert::{self, ServerCredentials};
use crate::crypto::chain::BlockChains;
use crate::crypto::keys::X25519Private;
use crate::link::dialect::{Dialect, ServerHello};
use crate::link::event::{Block, Transport};
use crate::link::outgoing::Outgoing;
use crate::model::server::Fingerprint;
use crate::wire::block::Layout;
use crate::wire::version::VersionRange;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// A server that has sent its hello and waits for the client's.
pub struct ServerGreeting<D: Dialect> {
    session_id: Box<[u8]>,
    identity: Fingerprint,
    versions: VersionRange<D::Version>,
    key: Option<X25519Private>,
    /// The certificates that the client has shown.
    shown: Vec<Box<[u8]>>,
}

/// A client after the hellos.
#[derive(Debug)]
pub enum ServerGreeted<D: Dialect> {
    /// Commands may come. Nothing is sent.
    Open(ServerSession<D>),
    /// The client is a service and waits to be told its id.
    Applicant(Applicant<D>),
}

impl<D: Dialect> ServerGreeting<D> {
    /// TLS with a client is up. Gives the block to send first.
    ///
    /// `versions` is what we offer where an ALPN name was agreed; without one only the oldest version is
    /// offered, without a key.
    ///
    /// # Errors
    ///
    /// [`Misuse`] when the credentials are no server's or do not fit a block.
    pub fn new(
        transport: &Transport,
        credentials: &ServerCredentials,
        versions: VersionRange<D::Version>,
        keys: &mut Rng,
    ) -> Result<(Self, Block), Misuse> {
        let identity =
            credentials.identity().map_err(|_| Misuse::OutOfRange { field: "server certificates" })?;
        let versions = if transport.has_alpn { versions } else { D::VERSIONS_WITHOUT_ALPN };
        let key = D::has_session_keys(versions.max()).then(|| X25519Private::generate(keys));
        let signed_key = key.as_ref().map(|key| cert::sign_session_key(&credentials.leaf_key, &key.public()));
        let mut content = Vec::new();
        D::encode_server_hello(
            &ServerHello {
                versions,
                session_id: &transport.session_id,
                chain: credentials.chain.iter().map(|certificate| &**certificate).collect(),
                signed_key: signed_key.as_deref(),
            },
            &mut content,
        );
        let hello = hello_block::<D>(&content).ok_or(Misuse::TooLong { field: "server certificates" })?;
        let session_id = transport.session_id.clone();
        Ok((Self { session_id, identity, versions, key, shown: transport.peer_chain.clone() }, hello))
    }

    /// Checks the client's hello.
    ///
    /// # Errors
    ///
    /// The fault for which the link must be closed.
    pub fn on_hello(self, block: &[u8]) -> Result<ServerGreeted<D>, LinkFault> {
        let hello = D::decode_client_hello(hello_content::<D>(block)?).map_err(LinkFault::Hello)?;
        if hello.identity != self.identity {
            return Err(LinkFault::WrongIdentity);
        }
        if !self.versions.contains(hello.version) {
            return Err(LinkFault::NoCommonVersion);
        }
        let version = hello.version;
        let key = self.key.filter(|_| D::has_session_keys(version));
        let chains = match (&key, &hello.key) {
            (Some(own), Some(client)) if D::encrypts_blocks(version) && !hello.is_proxy => {
                Some(BlockChains::derive(&self.session_id, &own.agree(client)))
            }
            (Some(_) | None, Some(_) | None) => None,
        };
        let (sealing, opening) = match chains {
            Some(chains) => (Some(chains.server_to_client), Some(chains.client_to_server)),
            None => (None, None),
        };
        let layout = match sealing {
            Some(_) => Layout::sealed(D::PROTOCOL),
            None => Layout::plain(D::PROTOCOL),
        };
        let outgoing = Outgoing::new(layout, D::format(version), sealing);
        let session = Session { version, id: self.session_id, opening };
        let session = ServerSession { session, key, outgoing, service: None };
        Ok(match &hello.service {
            Some(service) => ServerGreeted::Applicant(Applicant::new(session, service, &self.shown)?),
            None => ServerGreeted::Open(session),
        })
    }
}

impl<D: Dialect> fmt::Debug for ServerGreeting<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerGreeting({:?})", self.versions)
    }
}

/// The server's end of an open link.
#[derive(Debug)]
pub struct ServerSession<D: Dialect> {
    pub(crate) session: Session<D>,
    /// Our session key: for authenticators.
    pub(crate) key: Option<X25519Private>,
    pub(crate) outgoing: Outgoing,
    /// The service that the client is.
    pub(crate) service: Option<PeerService>,
}

impl<D: Dialect> ServerSession<D> {
    /// The agreed version.
    #[must_use]
    pub const fn version(&self) -> D::Version {
        self.session.version
    }
}
