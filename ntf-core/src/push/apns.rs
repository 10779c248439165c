//! What Apple is sent: path, headers and JSON body of one push.
//!
//! Pure functions from an order to bytes; when to send and what an answer means is decided elsewhere.
//! The bodies are written by hand, since base64url and the fixed texts need no escaping; that keeps them
//! the same bytes in every run. Source: `ntf-protocol` 3.3, 3.5.

use alloc::string::String;
use alloc::vec::Vec;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;

use crate::model::push::{PushKind, PushPayload, Sealed};
use crate::model::token::{DeviceToken, Provider};
use crate::push::alert::AlertTexts;

/// Header that carries the provider token; its value is a credential.
pub const AUTHORIZATION: &str = "authorization";

/// Largest JSON body that Apple documents, in bytes.
///
/// Not enforced here: the reference sends up to 4310 bytes to production. A push that is too large comes
/// back as 413. Source: `ntf-protocol` 3.2.
pub const BODY_LEN_DOCUMENTED_MAX: usize = 4096;

const PATH_PREFIX: &str = "/3/device/";

/// The request path of a device, or `None` when the token is none that its provider could have made.
///
/// Apple's tokens are hexadecimal. A test provider's token may be anything that stands in a path as it
/// is (the unreserved characters of RFC 3986): tests of the reference use words. Anything else would let
/// a stranger choose the path of a request that carries our credentials.
///
/// Source: `ntf-protocol` 2.2 and 7.2 (D19).
#[must_use]
pub fn path(device: &DeviceToken) -> Option<String> {
    let token = core::str::from_utf8(&device.token).ok().filter(|token| !token.is_empty())?;
    let is_allowed = match device.provider {
        Provider::ApnsDev | Provider::ApnsProd => token.bytes().all(|byte| byte.is_ascii_hexdigit()),
        Provider::ApnsTest | Provider::ApnsNull => token.bytes().all(is_unreserved),
        Provider::Sealed => false,
    };
    // A token of dots alone would be a step in the path, not a name in it.
    if !is_allowed || token.bytes().all(|byte| byte == b'.') {
        return None;
    }
    let mut path = String::with_capacity(PATH_PREFIX.len() + token.len());
    path.push_str(PATH_PREFIX);
    path.push_str(token);
    Some(path)
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Whether the text is a bundle id: letters, digits, dots and hyphens, with an underscore tolerated. No
/// other text stands safely in a header.
#[must_use]
pub fn is_topic(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

/// The headers of a push, `authorization` last. Source: `ntf-protocol` 3.5.
///
/// Hidden pushes must say priority 5; visible ones leave it out, which means 10.
#[must_use]
pub fn headers(kind: PushKind, topic: &str, jwt: &str) -> Vec<(&'static str, String)> {
    let mut headers = Vec::with_capacity(4);
    headers.push(("apns-topic", topic.into()));
    match kind {
        PushKind::Verification | PushKind::Hidden | PushKind::CheckMessages => {
            headers.push(("apns-push-type", "background".into()));
            headers.push(("apns-priority", "5".into()));
        }
        PushKind::Message | PushKind::Alert => headers.push(("apns-push-type", "alert".into())),
    }
    let mut authorization = String::with_capacity(7 + jwt.len());
    authorization.push_str("bearer ");
    authorization.push_str(jwt);
    headers.push((AUTHORIZATION, authorization));
    headers
}

/// The JSON body of a push, compact, exactly the keys of `ntf-protocol` 3.3; a visible alert in these words.
#[must_use]
pub fn body(payload: &PushPayload, texts: &AlertTexts) -> Vec<u8> {
    match payload {
        PushPayload::Verification(sealed) => {
            with_sealed(r#"{"aps":{"content-available":1},"notificationData":{"#, "verification", sealed)
        }
        PushPayload::Hidden(sealed) => {
            with_sealed(r#"{"aps":{"content-available":1},"notificationData":{"#, "message", sealed)
        }
        PushPayload::Alert(_) => texts.to_json(),
        PushPayload::Message(sealed) => with_sealed(
            concat!(
                r#"{"aps":{"mutable-content":1,"alert":"Encrypted message or another app event","#,
                r#""category":"NTF_CAT_CHECK_MESSAGE"},"notificationData":{"#
            ),
            "message",
            sealed,
        ),
        PushPayload::CheckMessages => {
            br#"{"aps":{"content-available":1},"notificationData":{"checkMessages":true}}"#.to_vec()
        }
    }
}

fn with_sealed(head: &str, field: &str, sealed: &Sealed) -> Vec<u8> {
    const FRAME: usize = 24;
    let bytes = sealed.nonce.len() + sealed.ciphertext.len();
    let texts = (bytes / 3 + 2) * 4;
    let mut body = Vec::with_capacity(head.len() + field.len() + texts + FRAME);
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(br#""nonce":""#);
    push_base64url(&mut body, &sealed.nonce);
    body.extend_from_slice(br#"",""#);
    body.extend_from_slice(field.as_bytes());
    body.extend_from_slice(br#"":""#);
    push_base64url(&mut body, &sealed.ciphertext);
    body.extend_from_slice(br#""}}"#);
    body
}

/// Appends the padded base64url text of `bytes`. Source: `ntf-protocol` 0, b64u.
///
/// In a time that tells of the bytes, which here are a nonce and a ciphertext: whoever could measure that gets both.
/// The constant-time encoder of the rest of the core takes a few times as long.
fn push_base64url(body: &mut Vec<u8>, bytes: &[u8]) {
    let start = body.len();
    body.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let target = body.get_mut(start..).unwrap_or_default();
    let written = URL_SAFE.encode_slice(bytes, target).unwrap_or(0);
    debug_assert_eq!(start + written, body.len(), "four characters for three bytes");
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]
mod tests {
    use super::*;
    use alloc::boxed::Box;
    use alloc::vec;
    use serde_json::{Value, json};

    fn device(provider: Provider, token: &[u8]) -> DeviceToken {
        DeviceToken { provider, token: token.into() }
    }

    fn sealed(ciphertext_len: usize) -> Sealed {
        Sealed { nonce: [7; 24], ciphertext: vec![9; ciphertext_len].into() }
    }

    #[test]
    fn only_tokens_that_the_provider_could_have_made_get_a_path() {
        use Provider::{ApnsDev, ApnsProd, ApnsTest};
        for (provider, token, expected) in [
            (ApnsProd, &b"00aaFF"[..], Some("/3/device/00aaFF")),
            (ApnsDev, b"0", Some("/3/device/0")),
            (ApnsProd, b"", None),
            (ApnsProd, b"xyzw", None),
            (ApnsTest, b"xyzw", Some("/3/device/xyzw")),
            (ApnsTest, b"a.b-c_d~e", Some("/3/device/a.b-c_d~e")),
            (ApnsTest, b"..", None),
            (ApnsTest, b"a/../b", None),
            (ApnsTest, b"a?b", None),
            (ApnsTest, b"a#b", None),
            (ApnsTest, b"a b", None),
            (ApnsTest, b"a\r\nb", None),
            (ApnsTest, b"%41", None),
            (ApnsTest, b"\xff\xfe", None),
        ] {
            assert_eq!(path(&device(provider, token)).as_deref(), expected, "{provider:?} {token:?}");
        }
    }

    #[test]
    fn headers_are_those_of_the_kind_and_no_others() {
        let message = headers(PushKind::Message, "chat.simplex.app", "a.b.c");
        assert_eq!(
            message,
            [
                ("apns-topic", "chat.simplex.app".into()),
                ("apns-push-type", "alert".into()),
                ("authorization", "bearer a.b.c".into()),
            ]
        );
        assert_eq!(headers(PushKind::Alert, "chat.simplex.app", "a.b.c"), message);
        for kind in [PushKind::Verification, PushKind::Hidden, PushKind::CheckMessages] {
            assert_eq!(
                headers(kind, "t", "j"),
                [
                    ("apns-topic", "t".into()),
                    ("apns-push-type", "background".into()),
                    ("apns-priority", "5".into()),
                    ("authorization", "bearer j".into()),
                ],
                "{kind:?}"
            );
        }
    }

    #[test]
    fn bodies_hold_exactly_the_documented_keys() {
        let nonce = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";
        for (payload, expected) in [
            (
                PushPayload::Verification(sealed(1)),
                json!({"aps": {"content-available": 1},
                       "notificationData": {"nonce": nonce, "verification": "CQ=="}}),
            ),
            (
                PushPayload::Message(sealed(1)),
                json!({"aps": {"mutable-content": 1, "alert": "Encrypted message or another app event",
                               "category": "NTF_CAT_CHECK_MESSAGE"},
                       "notificationData": {"nonce": nonce, "message": "CQ=="}}),
            ),
            (
                PushPayload::Hidden(sealed(1)),
                json!({"aps": {"content-available": 1},
                       "notificationData": {"nonce": nonce, "message": "CQ=="}}),
            ),
            (
                PushPayload::CheckMessages,
                json!({"aps": {"content-available": 1}, "notificationData": {"checkMessages": true}}),
            ),
        ] {
            let parsed: Value = serde_json::from_slice(&body(&payload, &AlertTexts::default())).unwrap();
            assert_eq!(parsed, expected, "{:?}", payload.kind());
        }
    }

    /// Source: `ntf-protocol` 3.2 and 3.3.
    #[test]
    fn bodies_have_the_documented_sizes() {
        for (payload, len) in [
            (PushPayload::Verification(sealed(3088)), 4233),
            (PushPayload::Message(sealed(3088)), 4310),
            (PushPayload::Message(sealed(2928)), 4094),
            (PushPayload::Hidden(sealed(2928)), 4012),
            (PushPayload::CheckMessages, 73),
        ] {
            assert_eq!(body(&payload, &AlertTexts::default()).len(), len, "{:?}", payload.kind());
        }
        let empty = Sealed { nonce: [0; 24], ciphertext: Box::default() };
        assert!(
            serde_json::from_slice::<Value>(&body(&PushPayload::Message(empty), &AlertTexts::default()))
                .is_ok()
        );
    }
}
