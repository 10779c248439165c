//! Commands and answers of both protocols, in every version.

use ntf_core::model::server::ServerAddress;
use ntf_core::wire::error_code::{CommandError, ErrorCode};
use ntf_core::wire::ntf::{command as ntf_command, response as ntf_response};
use ntf_core::wire::smp::command::{self as smp_command, FLAGS_LEN_MAX};
use ntf_core::wire::smp::response::{self as smp_response, Message};
use ntf_core::wire::version::{NtfVersion, SmpVersion};

/// Input: one byte for the version, then a command.
pub fn smp_command(data: &[u8]) {
    use smp_command::Command;
    let Some((&version, bytes)) = data.split_first() else { return };
    let version = SmpVersion(u16::from(version) % 20);
    let Ok(command) = Command::decode(bytes, version) else { return };
    let encoded = encode(|out| command.encode(version, out));
    assert_eq!(Command::decode(&encoded, version).as_ref(), Ok(&command));
    assert_eq!(format!("{command:?}"), command.word(), "a command prints its word only");
    match &command {
        Command::Send { notify, message } => {
            // Flags after the first are read over.
            let head = bytes.strip_suffix(*message).expect("the message is the tail");
            assert!(head.starts_with(if *notify { b"SEND T" } else { b"SEND F" }));
            assert!((encoded.len()..encoded.len() + FLAGS_LEN_MAX).contains(&bytes.len()));
        }
        Command::Prxy { server, .. } if is_bracketed(server, bytes) => {}
        Command::Rkey { recipients } => {
            assert!((1..=255).contains(&recipients.len()));
            assert_eq!(encoded, bytes);
        }
        _ => assert_eq!(encoded, bytes),
    }
}

/// Input: one byte for the version, then an answer or event.
pub fn smp_response(data: &[u8]) {
    let Some((&version, bytes)) = data.split_first() else { return };
    let version = SmpVersion(u16::from(version) % 20);
    let Ok(message) = Message::decode(bytes, version) else { return };
    let encoded = encode(|out| message.encode(version, out));
    let again = smp_response::Message::decode(&encoded, version).expect("what we encode decodes");
    assert_eq!(encode(|out| again.encode(version, out)), encoded);
    assert_eq!(format!("{message:?}"), message.word(), "an answer prints its word only");
    match &message {
        // An older peer gets the words it knows.
        Message::Sok { .. } if !version.has_services() => assert_eq!(again, Message::Ok),
        Message::Deld if !version.has_deleted_event() => assert_eq!(again, Message::End),
        Message::Err(code @ ErrorCode::Blocked(_)) => {
            assert_eq!(again, Message::Err(code.for_smp(version)));
        }
        Message::Err(code) => {
            assert_eq!(again, message);
            check_error(code, bytes, &encoded);
        }
        _ => {
            assert_eq!(again, message);
            assert_eq!(encoded, bytes);
        }
    }
}

/// Input: one byte for the version, then a command.
pub fn ntf_command(data: &[u8]) {
    use ntf_command::Command;
    let Some((&version, bytes)) = data.split_first() else { return };
    let version = NtfVersion(u16::from(version) % 5);
    let Ok(command) = Command::decode(bytes, version) else { return };
    let encoded = encode(|out| command.encode(version, out));
    assert_eq!(Command::decode(&encoded, version).as_ref(), Ok(&command));
    assert_eq!(format!("{command:?}"), command.word(), "a command prints its word only");
    match &command {
        Command::Snew { notifier, .. } if is_bracketed(&notifier.server, bytes) => {}
        // A preset server has got its second host.
        Command::Snew { notifier, .. } if encoded.len() > bytes.len() => {
            assert_eq!(notifier.server.hosts.len(), 2);
            assert!(notifier.server.hosts[1].ends_with(".onion"));
        }
        Command::Tnew { device, .. } | Command::Trpl { device } => {
            assert!((1..=255).contains(&device.token.len()));
            assert_eq!(device.to_token().token.as_ref(), device.token);
            assert_eq!(encoded, bytes);
        }
        _ => assert_eq!(encoded, bytes),
    }
}

/// Input: one byte for the version, then an answer.
pub fn ntf_response(data: &[u8]) {
    use ntf_core::model::token::TokenStatus;
    use ntf_response::Response;
    let Some((&version, bytes)) = data.split_first() else { return };
    let version = NtfVersion(u16::from(version) % 5);
    let Ok(response) = Response::decode(bytes, version) else { return };
    let encoded = encode(|out| response.encode(version, out));
    let again = Response::decode(&encoded, version).expect("what we encode decodes");
    assert_eq!(format!("{response:?}"), response.word(), "an answer prints its word only");
    match &response {
        Response::Tkn(TokenStatus::Invalid(Some(_))) if !version.has_invalid_reason() => {
            assert_eq!(again, Response::Tkn(TokenStatus::Invalid(None)));
        }
        Response::Err(code) => {
            assert_eq!(again, response);
            check_error(code, bytes, &encoded);
        }
        _ => {
            assert_eq!(again, response);
            assert_eq!(encoded, bytes);
        }
    }
}

/// An error is written as it was read, but for one word that has a former name.
fn check_error(code: &ErrorCode<'_>, bytes: &[u8], encoded: &[u8]) {
    match code {
        ErrorCode::Cmd(CommandError::NoEntity) if bytes.ends_with(b"NO_QUEUE") => {}
        _ => assert_eq!(encoded, bytes),
    }
}

/// Whether a host came in the brackets of IPv6, which are not kept.
fn is_bracketed(server: &ServerAddress, bytes: &[u8]) -> bool {
    assert!((1..=255).contains(&server.hosts.len()));
    server.hosts.iter().any(|host| {
        let text = format!("[{host}]");
        host.contains(':') && bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

fn encode(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = vec![];
    encode(&mut out);
    out
}
