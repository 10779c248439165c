//! What the machinery of links must know of a protocol: SMP and NTF differ in details only.
//!
//! Everything in [`crate::link`] is written once, for a [`Dialect`]. The two are [`Smp`] and [`Ntf`]; they
//! only say which codec, block size and rules apply.

mod ntf;
mod smp;

pub use ntf::Ntf;
pub use smp::Smp;

use crate::base::fault::PeerFault;
use crate::crypto::keys::X25519Public;
use crate::model::server::{Fingerprint, Protocol};
use crate::wire::error_code::{CommandError, ErrorCode};
use crate::wire::hello::smp::{ServiceHello, ServiceRole};
use crate::wire::transmission::{Format, Transmission};
use crate::wire::version::{Version, VersionRange};
use alloc::vec::Vec;
use core::fmt;

/// One of the two protocols.
pub trait Dialect: Copy + fmt::Debug + Sized + 'static {
    /// Block size, ALPN name and default port.
    const PROTOCOL: Protocol;
    /// All versions we speak.
    const VERSIONS: VersionRange<Self::Version>;
    /// What a server offers to a client that agreed on no ALPN name.
    const VERSIONS_WITHOUT_ALPN: VersionRange<Self::Version>;
    /// Whether the server's hello repeats the certificates of TLS.
    const REPEATS_CHAIN: bool;

    /// A version of the protocol.
    type Version: Version + fmt::Debug + Eq + 'static;
    /// What a client says.
    type Command<'a>: fmt::Debug;
    /// What a server says: replies and events.
    type Message<'a>: fmt::Debug;

    /// The shape of transmissions.
    fn format(version: Self::Version) -> Format;

    /// Whether session keys are exchanged in the hellos.
    fn has_session_keys(version: Self::Version) -> bool;

    /// Whether the client sends a session key too, which is for block encryption only.
    fn has_client_key(version: Self::Version) -> bool;

    /// Whether blocks are encrypted inside TLS when both sides sent keys.
    fn encrypts_blocks(version: Self::Version) -> bool;

    /// Reads a command.
    ///
    /// # Errors
    ///
    /// The fault, to be answered with [`ErrorCode::of`] it.
    fn decode_command(bytes: &[u8], version: Self::Version) -> Result<Self::Command<'_>, PeerFault>;

    /// Appends a command.
    fn encode_command(command: &Self::Command<'_>, version: Self::Version, out: &mut Vec<u8>);

    /// Reads a reply or an event.
    ///
    /// # Errors
    ///
    /// The fault. It concerns this message only.
    fn decode_message(bytes: &[u8], version: Self::Version) -> Result<Self::Message<'_>, PeerFault>;

    /// Appends a reply or an event.
    fn encode_message(message: &Self::Message<'_>, version: Self::Version, out: &mut Vec<u8>);

    /// The message that reports an error.
    fn error(code: ErrorCode<'_>) -> Self::Message<'_>;

    /// Whether the message reports an error.
    fn is_error(message: &Self::Message<'_>) -> bool;

    /// The command that asks whether the peer is there.
    fn ping() -> Self::Command<'static>;

    /// Whether the server will send events because of this command, so that silence becomes suspicious.
    fn subscribes(command: &Self::Command<'_>) -> bool;

    /// Checks that the transmission has the credentials its command needs, and no others.
    ///
    /// # Errors
    ///
    /// What to answer under `ERR CMD`. Source: `smp-transport` 4.7, `ntf-protocol` 1.6.
    fn check_credentials(
        command: &Self::Command<'_>,
        transmission: &Transmission<'_>,
    ) -> Result<(), CommandError>;

    /// Whether the message may carry this entity id. Source: `smp-transport` 4.7, `ntf-protocol` 2.3.
    fn may_have_entity(message: &Self::Message<'_>, entity: &[u8]) -> bool;

    /// Reads a server's hello.
    ///
    /// # Errors
    ///
    /// The fault.
    fn decode_server_hello(content: &[u8]) -> Result<ServerHello<'_, Self::Version>, PeerFault>;

    /// Appends a server's hello.
    fn encode_server_hello(hello: &ServerHello<'_, Self::Version>, out: &mut Vec<u8>);

    /// Reads a client's hello.
    ///
    /// # Errors
    ///
    /// The fault.
    fn decode_client_hello(content: &[u8]) -> Result<ClientHello<'_, Self::Version>, PeerFault>;

    /// Appends a client's hello.
    fn encode_client_hello(hello: &ClientHello<'_, Self::Version>, out: &mut Vec<u8>);

    /// Whether a client may introduce itself as a service.
    fn has_services(version: Self::Version) -> bool;

    /// Who signs the command in a service session.
    fn signing(command: &Self::Command<'_>) -> Signing;

    /// Whether a service of this role may give the command.
    fn is_for(command: &Self::Command<'_>, role: ServiceRole) -> bool;
}

/// Who signs a command in a session in which the client is a service. Source: `smp-transport` 4.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// The entity's owner alone, as in any session.
    Owner,
    /// The entity's owner, who names the service, and the service.
    OwnerAndService,
    /// The service alone, whose id is the entity. There is no such command outside of service sessions.
    Service,
}

/// A server's hello, of either protocol.
#[derive(Clone, Debug)]
pub struct ServerHello<'a, V> {
    /// The versions it offers.
    pub versions: VersionRange<V>,
    /// The session id as the server sees it.
    pub session_id: &'a [u8],
    /// Its certificates, leaf first; SMP repeats those of TLS here, NTF does not.
    pub chain: Vec<&'a [u8]>,
    /// Its session key, signed with the leaf; absent from the oldest versions.
    pub signed_key: Option<&'a [u8]>,
}

/// A client's hello, of either protocol.
#[derive(Clone, Debug)]
pub struct ClientHello<'a, V> {
    /// The version it chose.
    pub version: V,
    /// The server it expects.
    pub identity: Fingerprint,
    /// Its session key.
    pub key: Option<X25519Public>,
    /// Whether it is a proxy; blocks are not encrypted then. Source: `smp-transport` 3.6.
    pub is_proxy: bool,
    /// The service it wants to be served as.
    pub service: Option<ServiceHello<'a>>,
}
