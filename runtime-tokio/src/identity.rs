//! Who a server is: its certificates in files or in memory, and the address that goes with them.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;

use ntf_core::base::rng::Stream;
use ntf_core::crypto::cert::ServerCredentials;
use ntf_core::model::server::{Protocol, ServerAddress};
use ntf_core::tls::ServerEndpoint;
use ntf_core::tls::credentials::{Generated, PemFile, ServerFiles, generate, load};
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::program::failure::Failure;
use crate::service::os_seed;

/// A server's certificates and key, ready for use.
#[derive(Debug)]
pub struct Identity {
    credentials: ServerCredentials,
}

impl Identity {
    /// A new identity that is never written anywhere and ends with the process.
    ///
    /// # Errors
    ///
    /// When the host name does not fit a certificate, or the system gives no randomness.
    pub fn make(host: &str, protocol: Protocol) -> Result<Self, Failure> {
        Ok(Self { credentials: fresh(host, protocol)?.credentials })
    }

    /// The identity in a folder: `ca.crt`, `server.crt` and `server.key` as the reference's tools lay them
    /// out. If none of the three is there, they are made, with `ca.key` beside them.
    ///
    /// # Errors
    ///
    /// When some of the files are missing, cannot be read or written, or are not what they should be.
    pub fn in_folder(folder: &Path, host: &str, protocol: Protocol) -> Result<Self, Failure> {
        let names = ["ca.crt", "server.crt", "server.key"];
        let missing: Vec<&str> = names.into_iter().filter(|name| !folder.join(name).exists()).collect();
        if missing.len() == names.len() {
            let made = fresh(host, protocol)?;
            write_made(folder, &made)?;
            return Ok(Self { credentials: made.credentials });
        }
        if !missing.is_empty() {
            return Err(Failure::failed(format!(
                "The folder {} has some of a server's files but not {}: add what is missing, or name an empty folder to \
                 have a new identity made there.",
                folder.display(),
                missing.join(" and ")
            )));
        }
        let [ca, chain, key] = names.map(|name| folder.join(name));
        Self::from_texts(&chain, &read(&chain)?, &ca, &read(&ca)?, &key, &read(&key)?)
    }

    /// The identity of an existing server: a chain file (leaf first, identity certificate included) and the
    /// leaf's key.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or is not what it should be.
    pub fn from_files(chain: &Path, key: &Path) -> Result<Self, Failure> {
        let chain_text = read(chain)?;
        // The identity certificate stands in the chain; what is named twice counts once.
        Self::from_texts(chain, &chain_text, chain, &chain_text, key, &read(key)?)
    }

    fn from_texts(
        chain: &Path,
        chain_text: &str,
        ca: &Path,
        ca_text: &str,
        key: &Path,
        key_text: &str,
    ) -> Result<Self, Failure> {
        let [chain, ca, key] = [chain, ca, key].map(|path| path.display().to_string());
        let files = ServerFiles {
            server_crt: PemFile { name: &chain, text: chain_text },
            ca_crt: PemFile { name: &ca, text: ca_text },
            server_key: PemFile { name: &key, text: key_text },
        };
        let credentials = load(&files, Clock::start().now().wall);
        credentials
            .map(|credentials| Self { credentials })
            .map_err(|fault| Failure::failed(fault.to_string()))
    }

    /// For a role that answers handshakes.
    #[must_use]
    pub fn credentials(&self) -> ServerCredentials {
        self.credentials.clone()
    }

    /// For a listener. SMP servers ask clients for certificates, by which services are known, and push
    /// servers ask for those of subscribers.
    ///
    /// # Errors
    ///
    /// When the key is not that of the chain's first certificate.
    pub fn endpoint(&self, protocol: Protocol) -> Result<ServerEndpoint, Failure> {
        let make = match protocol {
            Protocol::Smp | Protocol::Relay => ServerEndpoint::asking_clients,
            Protocol::Ntf => ServerEndpoint::new,
        };
        make(protocol.into(), &self.credentials)
            .map_err(|fault| Failure::failed(format!("The server's certificates cannot be used: {fault}.")))
    }

    /// The address that users of this server are given.
    ///
    /// # Errors
    ///
    /// When the chain has no identity certificate.
    pub fn address(&self, host: &str, listening: SocketAddr) -> Result<ServerAddress, Failure> {
        let identity = self.credentials.identity().map_err(|fault| {
            Failure::failed(format!("The server's certificates name no identity: {fault}."))
        })?;
        let port = listening.port().to_string().into_boxed_str();
        Ok(ServerAddress { hosts: vec![Box::from(host)], port, identity })
    }
}

fn fresh(host: &str, protocol: Protocol) -> Result<Generated, Failure> {
    let seed =
        os_seed().map_err(|error| Failure::failed(format!("The system gives no randomness: {error}.")))?;
    let authority = match protocol {
        Protocol::Smp => "SMP server CA",
        Protocol::Ntf => "NTF server CA",
        Protocol::Relay => "Push server CA",
    };
    generate(authority, host, Clock::start().now().wall, &mut seed.stream(Stream::Keys))
        .map_err(|fault| Failure::failed(format!("Cannot make certificates: {fault}")))
}

/// Reads a text file.
#[allow(clippy::wildcard_enum_match_arm, reason = "the remedy for most kinds of failure is the same")]
pub(crate) fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    fs::read_to_string(path).map(Zeroizing::new).map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::NotFound => "check the path",
            io::ErrorKind::PermissionDenied => "let this user read it",
            io::ErrorKind::InvalidData => "it should be PEM text",
            _ => "check the file",
        };
        Failure::failed(format!("Cannot read {}: {error}; {remedy}.", path.display()))
    })
}

fn write_made(folder: &Path, made: &Generated) -> Result<(), Failure> {
    let cannot = |what: &Path, error: io::Error| {
        Failure::failed(format!(
            "Cannot write {}: {error}; name a folder that this user can write to.",
            what.display()
        ))
    };
    fs::create_dir_all(folder).map_err(|error| cannot(folder, error))?;
    let files = [
        ("ca.crt", made.ca_crt.as_str(), 0o644),
        ("ca.key", made.ca_key.as_str(), 0o600),
        ("server.crt", made.server_crt.as_str(), 0o644),
        ("server.key", made.server_key.as_str(), 0o600),
    ];
    for (name, text, mode) in files {
        let path = folder.join(name);
        write_new(&path, text, mode).map_err(|error| cannot(&path, error))?;
    }
    Ok(())
}

/// Writes a file that must not exist yet, readable as `mode` says from its first moment.
pub(crate) fn write_new(path: &Path, content: &(impl AsRef<[u8]> + ?Sized), mode: u32) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(content.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that goes with the test.
    struct Folder(std::path::PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("ntf-identity-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn one_chain_file_is_the_same_server_as_its_folder() {
        let folder = Folder::new("chain");
        let made = Identity::in_folder(&folder.0, "localhost", Protocol::Smp).unwrap();
        let [ca, leaf, key] = ["ca.crt", "server.crt", "server.key"].map(|name| folder.0.join(name));
        let chain = folder.0.join("chain.pem");
        let both = [leaf, ca].map(|path| fs::read_to_string(path).unwrap()).concat();
        fs::write(&chain, both).unwrap();

        let again = Identity::from_files(&chain, &key).unwrap();
        assert_eq!(again.credentials.chain, made.credentials.chain);
        assert_eq!(again.credentials.identity().unwrap(), made.credentials.identity().unwrap());
        again.endpoint(Protocol::Smp).unwrap();
    }

    #[test]
    fn a_chain_without_the_identity_certificate_is_refused() {
        let folder = Folder::new("leaf");
        Identity::in_folder(&folder.0, "localhost", Protocol::Smp).unwrap();
        let [leaf, key] = ["server.crt", "server.key"].map(|name| folder.0.join(name));
        let fault = Identity::from_files(&leaf, &key).unwrap_err().to_string();
        assert!(fault.contains("server.crt"), "{fault}");
    }

    #[test]
    fn a_new_file_is_never_written_where_a_link_leads() {
        let folder = Folder::new("link");
        let [link, target] = ["link", "target"].map(|name| folder.0.join(name));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let error = write_new(&link, "text", 0o600).unwrap_err();
        assert_eq!((error.kind(), target.exists()), (io::ErrorKind::AlreadyExists, false));
    }
}
