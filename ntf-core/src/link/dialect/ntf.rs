//! NTF.

use super::{ClientHello, Dialect, ServerHello, Signing};
use crate::base::fault::PeerFault;
use crate::model::server::Protocol;
use crate::wire::error_code::{CommandError, ErrorCode};
use crate::wire::hello::ntf as hello;
use crate::wire::hello::smp::ServiceRole;
use crate::wire::ntf::command::Command;
use crate::wire::ntf::response::Response;
use crate::wire::transmission::{Format, Transmission};
use crate::wire::version::{NtfVersion, VersionRange};
use alloc::vec::Vec;

/// Notification subscribers and their clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ntf {}

impl Dialect for Ntf {
    const PROTOCOL: Protocol = Protocol::Ntf;
    const VERSIONS: VersionRange<NtfVersion> = VersionRange::NTF;
    const VERSIONS_WITHOUT_ALPN: VersionRange<NtfVersion> = VersionRange::NTF_WITHOUT_ALPN;
    const REPEATS_CHAIN: bool = false;

    type Version = NtfVersion;
    type Command<'a> = Command<'a>;
    type Message<'a> = Response<'a>;

    fn format(version: NtfVersion) -> Format {
        Format::ntf(version)
    }

    fn has_session_keys(version: NtfVersion) -> bool {
        version.has_authenticators()
    }

    fn has_client_key(_: NtfVersion) -> bool {
        false
    }

    fn encrypts_blocks(_: NtfVersion) -> bool {
        false
    }

    fn decode_command(bytes: &[u8], version: NtfVersion) -> Result<Command<'_>, PeerFault> {
        Command::decode(bytes, version)
    }

    fn encode_command(command: &Command<'_>, version: NtfVersion, out: &mut Vec<u8>) {
        command.encode(version, out);
    }

    fn decode_message(bytes: &[u8], version: NtfVersion) -> Result<Response<'_>, PeerFault> {
        Response::decode(bytes, version)
    }

    fn encode_message(message: &Response<'_>, version: NtfVersion, out: &mut Vec<u8>) {
        message.encode(version, out);
    }

    fn error(code: ErrorCode<'_>) -> Response<'_> {
        Response::Err(code)
    }

    fn is_error(message: &Response<'_>) -> bool {
        matches!(message, Response::Err(_))
    }

    fn ping() -> Command<'static> {
        Command::Ping
    }

    fn subscribes(_: &Command<'_>) -> bool {
        // A subscriber says nothing unasked, so its silence means nothing.
        false
    }

    fn check_credentials(command: &Command<'_>, transmission: &Transmission<'_>) -> Result<(), CommandError> {
        command.check_credentials(transmission)
    }

    fn may_have_entity(message: &Response<'_>, entity: &[u8]) -> bool {
        message.allows_entity(entity)
    }

    fn decode_server_hello(content: &[u8]) -> Result<ServerHello<'_, NtfVersion>, PeerFault> {
        let hello::ServerHello { versions, session_id, signed_key } = hello::ServerHello::decode(content)?;
        Ok(ServerHello { versions, session_id, chain: Vec::new(), signed_key })
    }

    fn encode_server_hello(hello: &ServerHello<'_, NtfVersion>, out: &mut Vec<u8>) {
        let ServerHello { versions, session_id, signed_key, .. } = *hello;
        hello::ServerHello { versions, session_id, signed_key }.encode(out);
    }

    fn decode_client_hello(content: &[u8]) -> Result<ClientHello<'_, NtfVersion>, PeerFault> {
        let hello::ClientHello { version, identity } = hello::ClientHello::decode(content)?;
        Ok(ClientHello { version, identity, key: None, is_proxy: false, service: None })
    }

    fn encode_client_hello(hello: &ClientHello<'_, NtfVersion>, out: &mut Vec<u8>) {
        hello::ClientHello { version: hello.version, identity: hello.identity }.encode(out);
    }

    fn has_services(_: NtfVersion) -> bool {
        false
    }

    fn signing(_: &Command<'_>) -> Signing {
        Signing::Owner
    }

    fn is_for(_: &Command<'_>, _: ServiceRole) -> bool {
        // There are no service sessions.
        false
    }
}
