//! Clients that introduce themselves as services, at both ends.
//!
//! A service shows a certificate in TLS, repeats it in its hello with a fresh key that the certificate's
//! key has signed, and waits for the id under which the server knows it. It is known by its certificate
//! alone, so the id is the same at every connection.
//!
//! ```text
//! client → server   hello with role, chain, signed Ed25519 key of this connection
//! server → client   service id, or why not
//! ```
//!
//! Source: `smp-transport` 2.7, 3.3, 3.4.

use super::{ClientSession, LinkFault, ServerSession, hello_block, hello_content};
use crate::base::id::EntityId;
use crate::base::rng::Rng;
use crate::crypto::cert::{self, ServerCredentials};
use crate::crypto::keys::{Ed25519Private, Ed25519Public};
use crate::link::dialect::Dialect;
use crate::link::event::Block;
use crate::model::server::Fingerprint;
use crate::wire::error_code::{HandshakeError, TransportError};
use crate::wire::hello::smp::{ServiceAnswer, ServiceHello, ServiceRole, SignedKey};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// The service that a client is: who it proves to be, and what it does.
#[derive(Clone, Debug)]
pub struct ServiceIdentity {
    /// Its certificates, leaf first, and the leaf's key.
    pub credentials: Box<ServerCredentials>,
    /// What it does.
    pub role: ServiceRole,
}

/// A service's key for one connection, before it travels.
pub(super) struct Introduction {
    key: Ed25519Private,
    signed_key: Vec<u8>,
    identity: Fingerprint,
}

impl Introduction {
    /// A fresh key, signed. `None` when the credentials are no service's.
    pub(super) fn of(service: &ServiceIdentity, keys: &mut Rng) -> Option<Self> {
        let identity = service.credentials.identity().ok()?;
        let key = Ed25519Private::generate(keys);
        let signed_key = cert::sign_service_key(&service.credentials.leaf_key, &key.public());
        Some(Self { key, signed_key, identity })
    }

    /// The part of the hello.
    pub(super) fn hello<'a>(&'a self, service: &'a ServiceIdentity) -> ServiceHello<'a> {
        let chain = service.credentials.chain.iter().map(|certificate| &**certificate).collect();
        ServiceHello { role: service.role, key: SignedKey { chain, signed_key: &self.signed_key } }
    }
}

/// A client after the hellos.
#[derive(Debug)]
pub enum Greeted<D: Dialect> {
    /// Commands may be sent. The client is no service here: it showed no certificate, or the version knows
    /// no services.
    Open(ClientSession<D>),
    /// The server has yet to say whether it takes the client as a service.
    Introduced(ServiceGreeting<D>),
}

/// A client that has introduced itself as a service and waits for the answer.
pub struct ServiceGreeting<D: Dialect> {
    session: ClientSession<D>,
    introduction: Introduction,
}

impl<D: Dialect> ServiceGreeting<D> {
    pub(super) const fn new(session: ClientSession<D>, introduction: Introduction) -> Self {
        Self { session, introduction }
    }

    /// Reads the answer. It is not encrypted, whatever was agreed on.
    ///
    /// # Errors
    ///
    /// [`LinkFault::ServiceRefused`] when the server said no, another fault when it said nothing that can
    /// be understood. The link must be closed in either case.
    pub fn on_answer(self, block: &[u8]) -> Result<ClientSession<D>, LinkFault> {
        let Introduction { key, identity, .. } = self.introduction;
        match ServiceAnswer::decode(hello_content::<D>(block)?).map_err(LinkFault::Hello)? {
            ServiceAnswer::Accepted { service } => {
                let id = EntityId::new(service).ok_or(LinkFault::NamelessService)?;
                Ok(ClientSession { service: Some(OwnService { id, key, identity }), ..self.session })
            }
            ServiceAnswer::Refused(_) => Err(LinkFault::ServiceRefused),
        }
    }
}

impl<D: Dialect> fmt::Debug for ServiceGreeting<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceGreeting({:?})", self.session)
    }
}

/// The service that we are on an open link.
pub(crate) struct OwnService {
    pub(crate) id: EntityId,
    pub(crate) key: Ed25519Private,
    pub(crate) identity: Fingerprint,
}

impl fmt::Debug for OwnService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnService(redacted)")
    }
}

/// A client that has proved which service it is, and has not been told whether it is taken as one.
#[derive(Debug)]
pub struct Applicant<D: Dialect> {
    session: ServerSession<D>,
    role: ServiceRole,
    identity: Fingerprint,
    key: Ed25519Public,
}

impl<D: Dialect> Applicant<D> {
    /// Checks what a client says of itself against the certificates that it showed in TLS, whose key it has
    /// proved there to hold.
    ///
    /// # Errors
    ///
    /// [`LinkFault::UnprovenService`].
    pub(super) fn new(
        session: ServerSession<D>,
        hello: &ServiceHello<'_>,
        shown: &[Box<[u8]>],
    ) -> Result<Self, LinkFault> {
        let unproven = LinkFault::UnprovenService;
        if !shown.iter().map(|certificate| &**certificate).eq(hello.key.chain.iter().copied()) {
            return Err(unproven);
        }
        let identity = cert::identity_of(shown).map_err(|_| unproven)?;
        let leaf = cert::leaf_public_key(shown.first().ok_or(unproven)?).map_err(|_| unproven)?;
        let key = cert::verify_service_key(hello.key.signed_key, &leaf).map_err(|_| unproven)?;
        Ok(Self { session, role: hello.role, identity, key })
    }

    /// What it says it does.
    #[must_use]
    pub const fn role(&self) -> ServiceRole {
        self.role
    }

    /// By what it is recognised.
    #[must_use]
    pub const fn identity(&self) -> Fingerprint {
        self.identity
    }

    /// Takes it as the service of this id. Gives the block that tells it so.
    #[must_use]
    pub fn accept(self, id: EntityId) -> (ServerSession<D>, Block) {
        let answer = answer_block::<D>(&ServiceAnswer::Accepted { service: id.as_bytes() });
        let service = PeerService { id, role: self.role, identity: self.identity, key: self.key };
        (ServerSession { service: Some(service), ..self.session }, answer)
    }
}

/// The service that the peer is on an open link.
#[derive(Clone, Debug)]
pub struct PeerService {
    pub(crate) id: EntityId,
    pub(crate) role: ServiceRole,
    pub(crate) identity: Fingerprint,
    pub(crate) key: Ed25519Public,
}

/// The block that tells a service why it is not taken as one. The link is closed after it.
pub(crate) fn refusal<D: Dialect>(why: HandshakeError) -> Block {
    answer_block::<D>(&ServiceAnswer::Refused(TransportError::Handshake(why)))
}

fn answer_block<D: Dialect>(answer: &ServiceAnswer<'_>) -> Block {
    let mut content = Vec::new();
    answer.encode(&mut content);
    hello_block::<D>(&content).expect("an id and an error name have at most 257 bytes")
}
