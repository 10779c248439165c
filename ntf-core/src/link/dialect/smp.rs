//! SMP.

use super::{ClientHello, Dialect, ServerHello, Signing};
use crate::base::fault::PeerFault;
use crate::model::server::Protocol;
use crate::wire::error_code::{CommandError, ErrorCode};
use crate::wire::hello::smp as hello;
use crate::wire::hello::smp::ServiceRole;
use crate::wire::smp::command::Command;
use crate::wire::smp::response::Message;
use crate::wire::transmission::{Format, Transmission};
use crate::wire::version::{SmpVersion, VersionRange};
use alloc::vec::Vec;

/// Messaging servers and their clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Smp {}

impl Dialect for Smp {
    const PROTOCOL: Protocol = Protocol::Smp;
    const VERSIONS: VersionRange<SmpVersion> = VersionRange::SMP;
    const VERSIONS_WITHOUT_ALPN: VersionRange<SmpVersion> = VersionRange::SMP_WITHOUT_ALPN;
    const REPEATS_CHAIN: bool = true;

    type Version = SmpVersion;
    type Command<'a> = Command<'a>;
    type Message<'a> = Message<'a>;

    fn format(version: SmpVersion) -> Format {
        Format::smp(version)
    }

    fn has_session_keys(version: SmpVersion) -> bool {
        version.has_authenticators()
    }

    fn has_client_key(version: SmpVersion) -> bool {
        version.has_authenticators()
    }

    fn encrypts_blocks(version: SmpVersion) -> bool {
        version.encrypts_blocks()
    }

    fn decode_command(bytes: &[u8], version: SmpVersion) -> Result<Command<'_>, PeerFault> {
        Command::decode(bytes, version)
    }

    fn encode_command(command: &Command<'_>, version: SmpVersion, out: &mut Vec<u8>) {
        command.encode(version, out);
    }

    fn decode_message(bytes: &[u8], version: SmpVersion) -> Result<Message<'_>, PeerFault> {
        Message::decode(bytes, version)
    }

    fn encode_message(message: &Message<'_>, version: SmpVersion, out: &mut Vec<u8>) {
        message.encode(version, out);
    }

    fn error(code: ErrorCode<'_>) -> Message<'_> {
        Message::Err(code)
    }

    fn is_error(message: &Message<'_>) -> bool {
        matches!(message, Message::Err(_))
    }

    fn ping() -> Command<'static> {
        Command::Ping
    }

    fn subscribes(command: &Command<'_>) -> bool {
        matches!(command, Command::Sub | Command::Subs | Command::Nsub | Command::Nsubs)
    }

    fn check_credentials(command: &Command<'_>, transmission: &Transmission<'_>) -> Result<(), CommandError> {
        command.check_credentials(transmission)
    }

    fn may_have_entity(message: &Message<'_>, entity: &[u8]) -> bool {
        message.allows_entity(entity)
    }

    fn decode_server_hello(content: &[u8]) -> Result<ServerHello<'_, SmpVersion>, PeerFault> {
        let hello = hello::ServerHello::decode(content)?;
        let (chain, signed_key) = match hello.key {
            Some(key) => (key.chain, Some(key.signed_key)),
            None => (Vec::new(), None),
        };
        Ok(ServerHello { versions: hello.versions, session_id: hello.session_id, chain, signed_key })
    }

    fn encode_server_hello(hello: &ServerHello<'_, SmpVersion>, out: &mut Vec<u8>) {
        let key =
            hello.signed_key.map(|signed_key| hello::SignedKey { chain: hello.chain.clone(), signed_key });
        hello::ServerHello { versions: hello.versions, session_id: hello.session_id, key }.encode(out);
    }

    fn decode_client_hello(content: &[u8]) -> Result<ClientHello<'_, SmpVersion>, PeerFault> {
        let hello = hello::ClientHello::decode(content)?;
        Ok(ClientHello {
            version: hello.version,
            identity: hello.identity,
            key: hello.session_key,
            is_proxy: hello.is_proxy,
            service: hello.service,
        })
    }

    fn encode_client_hello(hello: &ClientHello<'_, SmpVersion>, out: &mut Vec<u8>) {
        hello::ClientHello {
            version: hello.version,
            identity: hello.identity,
            session_key: hello.key,
            is_proxy: hello.is_proxy,
            service: hello.service.clone(),
        }
        .encode(out);
    }

    fn has_services(version: SmpVersion) -> bool {
        version.has_services()
    }

    fn signing(command: &Command<'_>) -> Signing {
        match command {
            Command::New(_) | Command::Sub | Command::Nsub => Signing::OwnerAndService,
            Command::Subs | Command::Nsubs => Signing::Service,
            Command::Get
            | Command::Ack { .. }
            | Command::Key { .. }
            | Command::Rkey { .. }
            | Command::Nkey { .. }
            | Command::Ndel
            | Command::Lset { .. }
            | Command::Ldel
            | Command::Off
            | Command::Del
            | Command::Que
            | Command::Send { .. }
            | Command::Skey { .. }
            | Command::Lkey { .. }
            | Command::Lget
            | Command::Ping
            | Command::Prxy { .. }
            | Command::Pfwd { .. }
            | Command::Rfwd { .. } => Signing::Owner,
        }
    }

    fn is_for(command: &Command<'_>, role: ServiceRole) -> bool {
        match command {
            Command::Ping => true,
            Command::Nsub | Command::Nsubs => role == ServiceRole::Notifier,
            Command::Rfwd { .. } => role == ServiceRole::Proxy,
            Command::New(_)
            | Command::Sub
            | Command::Subs
            | Command::Get
            | Command::Ack { .. }
            | Command::Key { .. }
            | Command::Rkey { .. }
            | Command::Nkey { .. }
            | Command::Ndel
            | Command::Lset { .. }
            | Command::Ldel
            | Command::Off
            | Command::Del
            | Command::Que
            | Command::Send { .. }
            | Command::Skey { .. }
            | Command::Lkey { .. }
            | Command::Lget
            | Command::Prxy { .. }
            | Command::Pfwd { .. } => role == ServiceRole::Messaging,
        }
    }
}
