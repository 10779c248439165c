//! What is written as text, and what travels encrypted inside pushes and messages.

use ntf_core::model::server::{Protocol, ServerAddress};
use ntf_core::wire::payload::{MessageBody, NmsgMeta, decode_notices, encode_notices, notice_len};
use ntf_core::wire::text::address::{self as text_of, AddressError};
use ntf_core::wire::text::{base64, cut, device, host, status};

/// Input: text, read in every way that we read text.
pub fn address(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    for protocol in [Protocol::Smp, Protocol::Ntf] {
        let login = checked(text, text_of::parse_login(text, protocol));
        let server = checked(text, text_of::parse_server(text, protocol));
        if let Some(login) = &login {
            assert!(login.password.as_ref().is_none_or(|password| (1..=255).contains(&password.len())));
            if is_printable(&login.server) {
                let printed = text_of::login(login, protocol);
                assert_eq!(text_of::parse_login(&printed, protocol).as_ref(), Ok(login));
            }
        }
        if let Some(server) = server {
            assert!(login.is_some_and(|login| login.server == server && login.password.is_none()));
            if is_printable(&server) {
                let printed = text_of::server(&server, protocol);
                assert_eq!(text_of::parse_server(&printed, protocol), Ok(server));
            }
        }
    }
    let notifier = checked(text, text_of::parse_notifier(text));
    let sender = checked(text, text_of::parse_sender(text));
    assert_eq!(notifier.is_some(), sender.is_some(), "both have the same form");
    if let Some(notifier) = notifier.filter(|notifier| is_printable(&notifier.server)) {
        assert_eq!(text_of::parse_notifier(&text_of::notifier(&notifier)), Ok(notifier));
    }
    if let Some(sender) = sender.filter(|sender| is_printable(&sender.server)) {
        assert_eq!(text_of::parse_sender(&text_of::sender(&sender)), Ok(sender));
    }
    if let Ok((found, rest)) = host::split(text) {
        assert!((1..=host::HOST_LEN_MAX).contains(&found.len()));
        assert!(text.ends_with(rest));
        assert_eq!(host::check(found), Ok(found), "a host alone is that host");
    }
    if let Some(bytes) = base64::decode(text) {
        assert_eq!(base64::encode(&bytes).trim_end_matches('='), text.trim_end_matches('='));
        assert_eq!(base64::decode_array::<32>(text), <[u8; 32]>::try_from(bytes).ok());
    }
    if let Some(token) = device::parse_device(text) {
        assert_eq!(device::device(&token), text);
    }
    if let Some(parsed) = status::parse_token(text) {
        assert_eq!(status::token(parsed), text);
    }
    if let Some(parsed) = status::parse_subscription(text) {
        let (word, rest) = status::subscription(&parsed);
        assert_eq!([word, rest].concat(), text);
    }
    for len_max in [0, 1, 2, 3, 100, text.len()] {
        assert!(text.starts_with(cut(text, len_max)) && cut(text, len_max).len() <= len_max);
    }
}

/// The value; or nothing, after a look at the position that the error names.
fn checked<T>(text: &str, result: Result<T, AddressError>) -> Option<T> {
    result
        .inspect_err(|error| {
            assert!(text.is_char_boundary(error.position), "{error} in {} bytes", text.len());
        })
        .ok()
}

/// Whether the printed form reads as the same address: not so for an IPv6 host before a port, which
/// swallows that port, as in the reference.
fn is_printable(server: &ServerAddress) -> bool {
    let last = server.hosts.last().expect("an address has a host");
    !last.contains(':') || server.port.is_empty()
}

/// Input: one byte for the kind, then what was decrypted.
pub fn payload(data: &[u8]) {
    let Some((&kind, bytes)) = data.split_first() else { return };
    match kind % 3 {
        0 => notices(bytes),
        1 => {
            let Ok(meta) = NmsgMeta::decode(bytes) else { return };
            let mut encoded = vec![];
            meta.encode(&mut encoded);
            assert_eq!(bytes.get(..encoded.len()), Some(&*encoded), "the future may come after it");
        }
        _ => {
            let Ok(body) = MessageBody::decode(bytes) else { return };
            let mut encoded = vec![];
            body.encode(&mut encoded);
            assert_eq!(MessageBody::decode(&encoded), Ok(body));
            match body {
                MessageBody::Quota { .. } => assert_eq!(encoded, bytes),
                // Flags after the first are read over.
                MessageBody::Message { message, .. } => {
                    assert!(bytes.starts_with(&encoded[..9]) && bytes.ends_with(message));
                }
            }
        }
    }
}

fn notices(bytes: &[u8]) {
    let Ok(notices) = decode_notices(bytes) else { return };
    assert_eq!(notices.len(), 1 + bytes.iter().filter(|byte| **byte == b';').count());
    let mut encoded = vec![];
    encode_notices(notices.iter().map(|(notifier, notice)| (notifier, notice)), &mut encoded);
    let len: usize = notices.iter().map(|(notifier, notice)| notice_len(notifier, notice)).sum();
    assert_eq!(encoded.len(), len + notices.len() - 1);
    if notices.iter().all(|(notifier, _)| is_printable(&notifier.server)) {
        assert_eq!(decode_notices(&encoded), Ok(notices));
    }
}
