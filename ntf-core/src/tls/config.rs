//! What rustls is told before a handshake.
//!
//! TLS 1.3 only, no resumption and no tickets (their binders would disturb the session id, and a ticket
//! is a name by which a server could recognise a client), no SNI: servers on a web port take its
//! presence for a browser. Source: `smp-transport` 2.1, 2.5.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use rustls::client::{ClientConnection, ResolvesClientCert, Resumption};
use rustls::compress::CompressionCache;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, IpAddr, Ipv4Addr, ServerName};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoClientAuth, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::TLS13;
use rustls::{ClientConfig, Error, ServerConfig, SignatureScheme};

use super::profile::Profile;
use super::provider::{DrivenClock, provider};
use super::verifier::{AnyService, ByFingerprint, LeafKey};
use crate::crypto::cert::{ChainFault, ServerCredentials, leaf_public_key};
use crate::model::server::Fingerprint;

/// What a server accepts with: certificates, key and protocol. Cheap to clone.
#[derive(Clone)]
pub struct ServerEndpoint {
    shared: Arc<Shared>,
}

struct Shared {
    profile: Profile,
    identity: Fingerprint,
    /// For a client that offers no ALPN name, or none that we know: rustls then answers with the
    /// alert `no_application_protocol`.
    all_names: Arc<ServerConfig>,
    /// One configuration per name. rustls picks by the order of its own list, and the protocol asks for
    /// the first of the client's, so it gets a list of one. Source: `smp-transport` 2.4.
    by_name: Vec<(&'static [u8], Arc<ServerConfig>)>,
}

impl ServerEndpoint {
    /// Takes a server's certificates and key into use.
    ///
    /// # Errors
    ///
    /// The chain has a wrong number of certificates, or the key is not that of its first certificate
    /// ([`ChainFault::Signature`]). Dates are for `credentials` to check: a server that has run for years
    /// should not stop here.
    pub fn new(profile: Profile, credentials: &ServerCredentials) -> Result<Self, ChainFault> {
        Self::build(profile, credentials, Arc::new(NoClientAuth))
    }

    /// Likewise, and asks each client for certificates, which it may decline to show.
    ///
    /// What is shown is a sound chain of 1 to 4, proven by its key; whether its identity is welcome is the
    /// role's to say, from [`Transport::peer_chain`](super::Transport::peer_chain). Source:
    /// `smp-transport` 2.7.
    ///
    /// # Errors
    ///
    /// Those of [`ServerEndpoint::new`].
    pub fn asking_clients(profile: Profile, credentials: &ServerCredentials) -> Result<Self, ChainFault> {
        Self::build(profile, credentials, Arc::new(AnyService))
    }

    fn build(
        profile: Profile,
        credentials: &ServerCredentials,
        clients: Arc<dyn ClientCertVerifier>,
    ) -> Result<Self, ChainFault> {
        let identity = credentials.identity()?;
        let leaf = credentials.chain.first().ok_or(ChainFault::Shape)?;
        if leaf_public_key(leaf)? != credentials.leaf_key.public() {
            return Err(ChainFault::Signature);
        }
        let certified: Arc<dyn ResolvesServerCert> = Arc::new(SingleCertAndKey::from(certified(credentials)));
        let names: Vec<&'static [u8]> =
            core::iter::once(profile.alpn).chain(profile.also_known.iter().copied()).collect();
        let by_name = names.iter().map(|name| (*name, server(&[name], &certified, &clients))).collect();
        let shared = Shared { profile, identity, all_names: server(&names, &certified, &clients), by_name };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The protocol that is spoken here.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.shared.profile
    }

    /// The fingerprint that belongs into the server's address.
    #[must_use]
    pub fn identity(&self) -> &Fingerprint {
        &self.shared.identity
    }

    /// The configuration for a client that offers these names.
    pub(super) fn config_for<'a>(
        &self,
        offered: Option<impl Iterator<Item = &'a [u8]>>,
    ) -> Arc<ServerConfig> {
        let by_name = &self.shared.by_name;
        let first_known = offered
            .and_then(|mut names| names.find_map(|name| by_name.iter().find(|(known, _)| *known == name)));
        Arc::clone(first_known.map_or(&self.shared.all_names, |(_, config)| config))
    }
}

impl fmt::Debug for ServerEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerEndpoint({:?})", self.shared.profile)
    }
}

fn certified(credentials: &ServerCredentials) -> CertifiedKey {
    let key = Arc::new(LeafKey::new(credentials.leaf_key.clone()));
    let chain = credentials.chain.iter().map(|der| CertificateDer::from(der.to_vec())).collect();
    CertifiedKey::new(chain, key)
}

/// A server's configuration that knows these names.
fn server(
    names: &[&[u8]],
    certified: &Arc<dyn ResolvesServerCert>,
    clients: &Arc<dyn ClientCertVerifier>,
) -> Arc<ServerConfig> {
    let mut config = ServerConfig::builder_with_details(provider(), Arc::new(DrivenClock))
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has the suite and the group that TLS 1.3 needs")
        .with_client_cert_verifier(Arc::clone(clients))
        .with_cert_resolver(Arc::clone(certified));
    config.alpn_protocols = names.iter().map(|name| name.to_vec()).collect();
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.cert_compression_cache = Arc::new(CompressionCache::Disabled);
    Arc::new(config)
}

/// A client's connection to the server of this identity, its ClientHello already made.
pub(super) fn client(
    provider: Arc<CryptoProvider>,
    names: &[&[u8]],
    identity: &Fingerprint,
    shown: Arc<ShownIfAsked>,
) -> Result<ClientConnection, Error> {
    let mut config = ClientConfig::builder_with_details(provider, Arc::new(DrivenClock))
        .with_protocol_versions(&[&TLS13])
        .expect("the provider has the suite and the group that TLS 1.3 needs")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ByFingerprint::new(*identity)))
        .with_client_cert_resolver(shown);
    config.alpn_protocols = names.iter().map(|name| name.to_vec()).collect();
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    config.cert_compression_cache = Arc::new(CompressionCache::Disabled);
    // The name is neither sent nor compared; an IP address could not even become an SNI.
    let nobody = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::from([0, 0, 0, 0])));
    let mut connection = ClientConnection::new(Arc::new(config), nobody)?;
    // The session bounds its queue itself, in blocks.
    connection.set_buffer_limit(None);
    Ok(connection)
}

/// A client's certificates, if it has any, and whether they were asked for and shown.
#[derive(Debug, Default)]
pub(super) struct ShownIfAsked {
    certified: Option<Arc<CertifiedKey>>,
    was_shown: AtomicBool,
}

impl ShownIfAsked {
    pub(super) fn new(credentials: &ServerCredentials) -> Self {
        Self { certified: Some(Arc::new(certified(credentials))), was_shown: AtomicBool::new(false) }
    }

    pub(super) fn was_shown(&self) -> bool {
        self.was_shown.load(Ordering::Relaxed)
    }
}

impl ResolvesClientCert for ShownIfAsked {
    fn resolve(&self, _authorities: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let certified = self.certified.as_ref().filter(|own| own.key.choose_scheme(schemes).is_some())?;
        self.was_shown.store(true, Ordering::Relaxed);
        Some(Arc::clone(certified))
    }

    fn has_certs(&self) -> bool {
        self.certified.is_some()
    }
}
