//! What a person configures: addresses, root certificates, the provider key. Each fault is a sentence.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ntf_core::crypto::es256::Es256Key;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore};
use zeroize::Zeroizing;

/// Largest file read as a key or certificates, in bytes; one of root certificates has about 200 KB.
const FILE_LEN_MAX: u64 = 4 << 20;

/// Whose certificates a provider may show.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Roots {
    /// Those that the system's root certificates vouch for.
    #[default]
    System,
    /// Those that the certificates in this PEM file vouch for, and no others.
    File(PathBuf),
    /// Those that the certificates in this PEM text vouch for, and no others.
    Pem(String),
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("System"),
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Pem(text) => write!(f, "Pem({} bytes)", text.len()),
        }
    }
}

/// Where a provider is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    authority: String,
    name: ServerName<'static>,
    port: u16,
    negotiation: Negotiation,
}

/// What an endpoint must say about the protocol during the TLS handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Negotiation {
    /// That it is HTTP/2, as RFC 9113 3.2 demands. Apple does.
    Required,
    /// Nothing at all will do: whoever configured the address vouches for HTTP/2. Simple test servers,
    /// the reference's mock of Apple among them, know no ALPN.
    MayBeSilent,
}

impl Endpoint {
    /// Apple's production service.
    #[must_use]
    pub fn apns_prod() -> Self {
        Self::apple("api.push.apple.com")
    }

    /// Apple's sandbox.
    #[must_use]
    pub fn apns_dev() -> Self {
        Self::apple("api.sandbox.push.apple.com")
    }

    fn apple(host: &'static str) -> Self {
        let name = ServerName::try_from(host).expect("Apple's hosts are domain names");
        Self { authority: host.to_owned(), name, port: 443, negotiation: Negotiation::Required }
    }

    /// Reads `https://host` or `https://host:port`; the port is 443 when left out.
    ///
    /// # Errors
    ///
    /// The text is no such address.
    pub fn parse(text: &str) -> Result<Self, SetUpFault> {
        let bad = |why| SetUpFault::Endpoint { text: text.to_owned(), why };
        let uri: http::Uri = text.parse().map_err(|_| bad("it is no URL"))?;
        if uri.scheme_str() != Some("https") {
            return Err(bad("it does not begin with https://"));
        }
        if uri.path() != "/" || uri.query().is_some() {
            return Err(bad("it has a path, which the protocol fixes"));
        }
        let authority = uri.authority().ok_or(bad("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("it has a user name, which the protocol does not use"));
        }
        let host = authority.host();
        // A colon without digits after it, or too many digits, leaves no port that could be read.
        let is_bare = authority.as_str() == host;
        let port = match authority.port_u16() {
            Some(port) if port > 0 => port,
            None if is_bare => 443,
            Some(_) | None => return Err(bad("its port is none of 1 to 65535")),
        };
        let plain = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(plain).map_err(|_| bad("its host is no name or IP address"))?;
        Ok(Self { authority: host.to_owned(), name, port, negotiation: Negotiation::MayBeSilent })
    }

    /// The host as it stands in a request, without the port.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether an agreed protocol satisfies this endpoint.
    pub(super) fn is_http2(&self, agreed: Option<&[u8]>) -> bool {
        match (agreed, self.negotiation) {
            (Some(name), _) => name == b"h2",
            (None, Negotiation::MayBeSilent) => true,
            (None, Negotiation::Required) => false,
        }
    }

    /// The name the certificate must have.
    pub(crate) fn server_name(&self) -> ServerName<'static> {
        self.name.clone()
    }

    /// Host and port for the resolver.
    pub(crate) fn target(&self) -> (String, u16) {
        (self.name.to_str().into_owned(), self.port)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}:{}", self.authority, self.port)
    }
}

/// Why the way to providers could not be set up.
#[derive(Debug)]
pub enum SetUpFault {
    /// A file could not be read.
    Unreadable {
        /// What it should hold.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file holds something else.
    Malformed {
        /// What it should hold.
        what: &'static str,
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it, and what is allowed.
        why: &'static str,
    },
    /// The system trusts nobody.
    NoRoots,
    /// An address that cannot be used.
    Endpoint {
        /// The address.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl fmt::Display for SetUpFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { what, path, error } => write!(
                f,
                "cannot read the {what} {}: {error}; check the path and that this user may read it",
                path.display()
            ),
            Self::Malformed { what, path, why } => write!(f, "the {what} {} {why}", path.display()),
            Self::NoRoots => f.write_str(
                "this system has no trusted root certificates; install them (Debian: ca-certificates) \
                 or name a PEM file of roots",
            ),
            Self::Endpoint { text, why } => write!(
                f,
                "the provider address {text:?} cannot be used: {why}; write https://host or https://host:port"
            ),
        }
    }
}

impl std::error::Error for SetUpFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { error, .. } => Some(error),
            Self::Malformed { .. } | Self::NoRoots | Self::Endpoint { .. } => None,
        }
    }
}

/// Reads the key that signs provider tokens, as Apple hands it out (`AuthKey_….p8`).
///
/// # Errors
///
/// The file is unreadable, or holds no unencrypted PKCS#8 key on P-256.
pub fn read_key_file(path: &Path) -> Result<Es256Key, SetUpFault> {
    const WHAT: &str = "provider key file";
    let malformed = |why| SetUpFault::Malformed { what: WHAT, path: path.to_owned(), why };
    let bytes = Zeroizing::new(read(WHAT, path)?);
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| malformed("is not text; it must be the PEM file that Apple issues (AuthKey_….p8)"))?;
    Es256Key::from_pkcs8_pem(text).map_err(|_| {
        malformed(
            "holds no usable key; it must be one unencrypted PKCS#8 key on P-256 in PEM, \
             beginning with -----BEGIN PRIVATE KEY----- (AuthKey_….p8)",
        )
    })
}

/// A TLS client that trusts the roots of the file, or the system's.
pub(crate) fn tls_config(roots: &Roots) -> Result<Arc<ClientConfig>, SetUpFault> {
    let roots = match roots {
        Roots::System => roots_of_system()?,
        Roots::File(path) => roots_of_pem(path, &read(CA_FILE, path)?)?,
        Roots::Pem(pem) => roots_of_pem(Path::new("given in memory"), pem.as_bytes())?,
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .expect("ring's provider has TLS 1.3 suites")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

const CA_FILE: &str = "CA file";

fn roots_of_pem(path: &Path, bytes: &[u8]) -> Result<RootCertStore, SetUpFault> {
    let malformed = |why| SetUpFault::Malformed { what: CA_FILE, path: path.to_owned(), why };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bytes) {
        let certificate = certificate
            .map_err(|_| malformed("is damaged PEM; it must hold certificates in PEM and nothing cut off"))?;
        roots.add(certificate).map_err(|_| {
            malformed("holds a certificate that cannot be read; export the CA certificate again as PEM")
        })?;
    }
    if roots.is_empty() {
        return Err(malformed(
            "holds no certificate; it must hold at least one, beginning with -----BEGIN CERTIFICATE-----",
        ));
    }
    Ok(roots)
}

fn roots_of_system() -> Result<RootCertStore, SetUpFault> {
    let mut roots = RootCertStore::empty();
    // Single certificates that cannot be read are common in system stores and harmless.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() { Err(SetUpFault::NoRoots) } else { Ok(roots) }
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, SetUpFault> {
    let unreadable = |error| SetUpFault::Unreadable { what, path: path.to_owned(), error };
    let len = std::fs::metadata(path).map_err(unreadable)?.len();
    if len > FILE_LEN_MAX {
        return Err(SetUpFault::Malformed {
            what,
            path: path.to_owned(),
            why: "is larger than 4 MB, so it is something else; check the path",
        });
    }
    std::fs::read(path).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_about_the_protocol_is_enough_from_a_configured_endpoint_only() {
        let configured = Endpoint::parse("https://localhost:6010").unwrap();
        for (agreed, from_apple, from_configured) in
            [(Some(&b"h2"[..]), true, true), (Some(&b"http/1.1"[..]), false, false), (None, false, true)]
        {
            assert_eq!(Endpoint::apns_prod().is_http2(agreed), from_apple, "{agreed:?}");
            assert_eq!(configured.is_http2(agreed), from_configured, "{agreed:?}");
        }
    }
}
