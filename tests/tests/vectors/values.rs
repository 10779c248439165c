//! From the files' notation to values of ours.

use crate::file::Field;
use ntf_core::base::id::EntityId;
use ntf_core::crypto::keys::{AuthPrivateKey, AuthPublicKey, X25519Public};
use ntf_core::model::server::{Fingerprint, NotifierAddress, ServerAddress};
use ntf_core::model::token::{DeviceToken, Provider};
use ntf_core::wire::error_code::{
    BlockReason, Blocked, BrokerError, CommandError, ErrorCode, HandshakeError, ProxyError, TransportError,
};

pub(crate) fn auth_key(field: Field<'_>) -> AuthPublicKey {
    AuthPublicKey::from_spki(&field.get("public_spki").hex()).unwrap()
}

pub(crate) fn dh_key(field: Field<'_>) -> X25519Public {
    X25519Public::from_spki(&field.get("public_spki").hex()).unwrap()
}

pub(crate) fn private_key(field: Field<'_>) -> AuthPrivateKey {
    AuthPrivateKey::from_pkcs8(&field.get("private_pkcs8").hex()).unwrap()
}

pub(crate) fn fingerprint(field: Field<'_>) -> Fingerprint {
    Fingerprint::new(field.hex().try_into().unwrap())
}

pub(crate) fn entity(field: Field<'_>) -> EntityId {
    EntityId::new(&field.hex()).unwrap()
}

pub(crate) fn server(field: Field<'_>) -> ServerAddress {
    ServerAddress {
        hosts: field.get("hosts").list().iter().map(|host| host.text().into()).collect(),
        port: field.get("port").text().into(),
        identity: fingerprint(field.get("key_hash")),
    }
}

pub(crate) fn notifier(server: ServerAddress, id: Field<'_>) -> NotifierAddress {
    NotifierAddress { server, notifier: entity(id) }
}

pub(crate) fn device(field: Field<'_>) -> DeviceToken {
    let provider = match field.get("provider").text() {
        "apns_dev" => Provider::ApnsDev,
        "apns_prod" => Provider::ApnsProd,
        "apns_test" => Provider::ApnsTest,
        "apns_null" => Provider::ApnsNull,
        other => panic!("{}: provider {other}", field.vector),
    };
    DeviceToken { provider, token: field.get("token").text().as_bytes().into() }
}

/// The error that a vector names with `/` for each space. Texts are not in the name: they are taken from
/// the bytes, which they end, and are compared there.
pub(crate) fn error<'a>(name: &str, encoded: &'a [u8]) -> ErrorCode<'a> {
    let text_after = |prefix: &str| {
        let at = encoded.windows(prefix.len()).position(|window| window == prefix.as_bytes()).unwrap();
        std::str::from_utf8(&encoded[at + prefix.len()..]).unwrap()
    };
    match name {
        "BLOCK" => ErrorCode::Block,
        "SESSION" => ErrorCode::Session,
        "CMD/UNKNOWN" => ErrorCode::Cmd(CommandError::Unknown),
        "CMD/SYNTAX" => ErrorCode::Cmd(CommandError::Syntax),
        "CMD/PROHIBITED" => ErrorCode::Cmd(CommandError::Prohibited),
        "CMD/NO_AUTH" => ErrorCode::Cmd(CommandError::NoAuth),
        "CMD/HAS_AUTH" => ErrorCode::Cmd(CommandError::HasAuth),
        "CMD/NO_ENTITY" => ErrorCode::Cmd(CommandError::NoEntity),
        "PROXY/NO_SESSION" => ErrorCode::Proxy(ProxyError::NoSession),
        "PROXY/BASIC_AUTH" => ErrorCode::Proxy(ProxyError::BasicAuth),
        "PROXY/PROTOCOL/AUTH" => ErrorCode::Proxy(ProxyError::Protocol(b"AUTH")),
        "PROXY/BROKER/TIMEOUT" => ErrorCode::Proxy(ProxyError::Broker(BrokerError::Timeout)),
        "PROXY/BROKER/HOST" => ErrorCode::Proxy(ProxyError::Broker(BrokerError::Host)),
        "PROXY/BROKER/NETWORK" => ErrorCode::Proxy(ProxyError::Broker(BrokerError::Network(None))),
        "PROXY/BROKER/RESPONSE" => {
            ErrorCode::Proxy(ProxyError::Broker(BrokerError::Response(&text_after("RESPONSE ")[1..])))
        }
        "PROXY/BROKER/UNEXPECTED" => {
            ErrorCode::Proxy(ProxyError::Broker(BrokerError::Unexpected(&text_after("UNEXPECTED ")[1..])))
        }
        "PROXY/BROKER/TRANSPORT/VERSION" => {
            ErrorCode::Proxy(ProxyError::Broker(BrokerError::Transport(TransportError::Version)))
        }
        "PROXY/BROKER/TRANSPORT/HANDSHAKE" => ErrorCode::Proxy(ProxyError::Broker(BrokerError::Transport(
            TransportError::Handshake(HandshakeError::Identity),
        ))),
        "AUTH" => ErrorCode::Auth,
        "BLOCKED/spam" | "BLOCKED/content" | "BLOCKED/notice_no_ttl" | "BLOCKED/notice_ttl" => {
            ErrorCode::Blocked(blocked(name, encoded))
        }
        "SERVICE" => ErrorCode::Service,
        "CRYPTO" => ErrorCode::Crypto,
        "QUOTA" => ErrorCode::Quota,
        "STORE" => ErrorCode::Store(text_after("STORE ")),
        "NO_MSG" => ErrorCode::NoMsg,
        "LARGE_MSG" => ErrorCode::LargeMsg,
        "EXPIRED" => ErrorCode::Expired,
        "INTERNAL" => ErrorCode::Internal,
        other => panic!("error {other}"),
    }
}

/// A block, with its notice where the version shows it, and some notice where the version leaves it out.
fn blocked<'a>(name: &str, encoded: &'a [u8]) -> Blocked<'a> {
    let text = std::str::from_utf8(encoded).unwrap();
    let reason = match text.contains("reason=spam") {
        true => BlockReason::Spam,
        false => BlockReason::Content,
    };
    let notice = match (text.split_once(",notice="), name.contains("notice")) {
        (Some((_, notice)), _) => Some(notice),
        (None, true) => Some("{\"ttl\":1}"),
        (None, false) => None,
    };
    Blocked { reason, notice }
}
